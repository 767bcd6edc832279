//! The emulator, in this process. Its own mistakes are `ValueError`s: no mailer is involved.

use std::path::PathBuf;
use std::time::Duration;

use mailbearer_cli::emulator::{self, Decision, Fault, Mint, Options, Received};
use pyo3::exceptions::{PyOSError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use serde_json::Value;

use crate::value::{from_py, to_py};

/// A running emulator, until it is stopped or forgotten.
#[pyclass(frozen)]
pub(crate) struct Emulator(std::sync::RwLock<Option<emulator::Emulator>>);

impl Emulator {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&emulator::Emulator) -> PyResult<T> + Send,
    ) -> PyResult<T> {
        py.detach(|| match &*self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            Some(running) => f(running),
            None => Err(PyValueError::new_err("this emulator was stopped")),
        })
    }
}

#[pymethods]
impl Emulator {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<Self> {
        let options: Options = read(from_py(options)?)?;
        let running = py.detach(|| emulator::Emulator::start(options));
        Ok(Self(std::sync::RwLock::new(Some(running.map_err(PyOSError::new_err)?))))
    }

    /// Stops it and removes its files. May be repeated.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| drop(self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()).take()));
    }

    /// `(url, ca_file, smtp_host, smtp_port, smtps_port, authority)`.
    fn addresses(&self, py: Python<'_>) -> PyResult<(String, PathBuf, String, u16, u16, String)> {
        self.with(py, |running| {
            Ok((
                running.url().to_owned(),
                running.ca_file().to_owned(),
                running.smtp_host().to_owned(),
                running.smtp_port(),
                running.smtps_port(),
                running.authority().to_owned(),
            ))
        })
    }

    fn settings<'py>(&self, py: Python<'py>, grant: &str, username: &str) -> PyResult<Bound<'py, PyAny>> {
        let settings =
            self.with(py, |running| running.settings(grant, username).map_err(PyValueError::new_err))?;
        to_py(py, &settings)
    }

    fn environ(&self, py: Python<'_>, grant: &str, username: &str) -> PyResult<Vec<(String, String)>> {
        self.with(py, |running| running.environ(grant, username).map_err(PyValueError::new_err))
    }

    fn messages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let messages = self.with(py, |running| Ok(running.messages()))?;
        list(py, messages)
    }

    fn wait_for<'py>(&self, py: Python<'py>, count: usize, timeout: f64) -> PyResult<Bound<'py, PyList>> {
        let timeout =
            Duration::try_from_secs_f64(timeout).map_err(|e| PyValueError::new_err(e.to_string()))?;
        let messages =
            self.with(py, |running| running.wait_for(count, timeout).map_err(PyTimeoutError::new_err))?;
        list(py, messages)
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |running| {
            running.clear();
            Ok(())
        })
    }

    /// A scripted fault, as the emulator's control interface takes it.
    fn fail(&self, py: Python<'_>, fault: &Bound<'_, PyAny>) -> PyResult<()> {
        let fault: Fault = read(from_py(fault)?)?;
        self.with(py, |running| running.fail(fault).map_err(PyValueError::new_err))
    }

    /// Changes the configuration while it runs.
    fn configure(&self, py: Python<'_>, changes: &Bound<'_, PyAny>) -> PyResult<()> {
        let changes = from_py(changes)?;
        self.with(py, |running| running.configure(changes).map_err(PyValueError::new_err))
    }

    fn sign_in(&self, py: Python<'_>, url: &str, username: &str, decision: &str) -> PyResult<String> {
        let decision: Decision = read(Value::from(decision))?;
        self.with(py, |running| running.sign_in(url, username, decision).map_err(PyValueError::new_err))
    }

    fn approve(&self, py: Python<'_>, user_code: &str, username: &str, decision: &str) -> PyResult<()> {
        let decision: Decision = read(Value::from(decision))?;
        self.with(py, |running| running.approve(user_code, username, decision).map_err(PyValueError::new_err))
    }

    fn revoke(&self, py: Python<'_>, username: &str) -> PyResult<()> {
        self.with(py, |running| {
            running.revoke(username);
            Ok(())
        })
    }

    fn expire_tokens(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |running| {
            running.expire_tokens();
            Ok(())
        })
    }

    /// An access token for this user.
    fn mint(&self, py: Python<'_>, username: &str) -> PyResult<String> {
        let mint = Mint { username: username.to_owned(), ..Mint::default() };
        self.with(py, |running| Ok(running.mint(mint)))
    }

    /// What the servers saw; no secrets.
    fn seen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let seen = self.with(py, |running| Ok(running.seen()))?;
        to_py(py, &seen)
    }
}

/// `(mail_from, rcpt_to, raw, username, mechanism)` each.
fn list(py: Python<'_>, messages: Vec<Received>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for message in messages {
        let raw = PyBytes::new(py, &message.raw);
        list.append((message.mail_from, message.rcpt_to, raw, message.username, message.mechanism))?;
    }
    Ok(list)
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> PyResult<T> {
    serde_json::from_value(value).map_err(|e| PyValueError::new_err(e.to_string()))
}
