//! A mailer's tokens alone.

use mailbearer::{GetToken, LoginRequest};
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::Value;

use crate::call::{call, duration, epoch};
use crate::error::{json, raise};
use crate::events::Events;
use crate::host::host;
use crate::job::Job;
use crate::load::{Places, load};
use crate::login::Login;
use crate::value::{from_py, to_py};

/// A token source of core's.
#[pyclass(frozen)]
pub(crate) struct TokenSource {
    core: mailbearer::TokenSource,
    events: Events,
}

impl TokenSource {
    /// One that belongs to a mailer.
    pub(crate) fn sharing(core: mailbearer::TokenSource, events: Events) -> Self {
        Self { core, events }
    }
}

#[pymethods]
impl TokenSource {
    /// From options, and from a file or the environment where there are `places`.
    #[new]
    fn new(
        py: Python<'_>,
        options: &Bound<'_, PyAny>,
        functions: &Bound<'_, PyAny>,
        places: Option<Places>,
    ) -> PyResult<Self> {
        let events = Events::new();
        let (options, host) = (from_py(options)?, host(functions, &events)?);
        let core = py.detach(|| match places {
            None => mailbearer::TokenSource::from_json(options, host),
            Some(places) => mailbearer::TokenSource::load(load(places, options), host),
        });
        Ok(Self { core: core.map_err(|error| raise(py, &error))?, events })
    }

    /// A fresh token from memory, or `None`. Never waits.
    fn cached(&self, py: Python<'_>, min_remaining: Option<&str>) -> PyResult<Option<AccessToken>> {
        let least = duration(py, min_remaining, "min_remaining")?;
        Ok(self.core.cached(least).map(AccessToken))
    }

    fn get(
        &self,
        py: Python<'_>,
        force: bool,
        min_remaining: Option<&str>,
        timeout: Option<&str>,
    ) -> PyResult<Job> {
        let call = call(py, timeout, None)?;
        let (core, cancel) = (self.core.clone(), call.cancel.clone());
        let min_remaining = duration(py, min_remaining, "min_remaining")?;
        let request = GetToken { force, min_remaining, call };
        Ok(Job::new(Some(cancel), async move { core.get(request).await }, |py, token| {
            Ok(Py::new(py, AccessToken(token))?.into_any())
        }))
    }

    fn invalidate(&self, secret: &str) {
        self.core.invalidate(secret);
    }

    fn login(
        &self,
        py: Python<'_>,
        method: Option<String>,
        redirect_uri: Option<String>,
        login_hint: Option<String>,
        open_browser: bool,
    ) -> PyResult<Job> {
        let call = call(py, None, None)?;
        let (core, cancel) = (self.core.clone(), call.cancel.clone());
        let request = LoginRequest { method, redirect_uri, login_hint, open_browser, call };
        Ok(Job::new(Some(cancel), async move { core.login(request).await }, |py, login| {
            Ok(Py::new(py, Login(login))?.into_any())
        }))
    }

    fn resume_login(&self, py: Python<'_>, saved: &str) -> PyResult<Login> {
        self.core.resume_login(saved).map(Login).map_err(|error| raise(py, &error))
    }

    fn import_login(&self, py: Python<'_>, text: String, timeout: Option<&str>) -> PyResult<Job> {
        let call = call(py, timeout, None)?;
        let (core, cancel) = (self.core.clone(), call.cancel.clone());
        Ok(Job::new(Some(cancel), async move { core.import_login(&text, call).await }, |py, account| {
            Ok(to_py(py, &json(&account)?)?.unbind())
        }))
    }

    fn logout(&self) -> Job {
        let core = self.core.clone();
        Job::plain(None, async move { core.logout().await })
    }

    /// Who is signed in. May read the store's file.
    fn account<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match py.detach(|| self.core.account()) {
            Some(account) => Ok(Some(to_py(py, &json(&account)?)?)),
            None => Ok(None),
        }
    }

    fn close(&self) {
        self.core.close();
    }

    fn drain_events<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.events.drain(py)
    }
}

/// An access token of core's.
#[pyclass(frozen)]
pub(crate) struct AccessToken(mailbearer::AccessToken);

#[pymethods]
impl AccessToken {
    #[getter]
    fn secret(&self) -> &str {
        self.0.secret()
    }

    #[getter]
    fn username(&self) -> Option<&str> {
        self.0.username()
    }

    #[getter]
    fn scopes(&self) -> Vec<String> {
        self.0.scopes().to_vec()
    }

    /// Seconds since the epoch.
    #[getter]
    fn expires_at(&self) -> Option<f64> {
        self.0.expires_at().map(epoch)
    }

    #[getter]
    fn claims<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.claims().map(|claims| to_py(py, &Value::Object(claims))).transpose()
    }

    fn xoauth2(&self, py: Python<'_>, username: Option<&str>) -> PyResult<String> {
        self.0.xoauth2(username).map_err(|error| raise(py, &error))
    }

    fn xoauth2_base64(&self, py: Python<'_>, username: Option<&str>) -> PyResult<String> {
        self.0.xoauth2_base64(username).map_err(|error| raise(py, &error))
    }

    fn oauthbearer(&self, py: Python<'_>, host: &str, port: u16, username: Option<&str>) -> PyResult<String> {
        self.0.oauthbearer(host, port, username).map_err(|error| raise(py, &error))
    }
}
