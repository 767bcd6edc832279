//! A sign-in under way.

use pyo3::prelude::*;

use crate::call::{call, epoch};
use crate::error::{json, raise};
use crate::job::Job;
use crate::value::{from_py, to_py};

/// A sign-in of core's.
#[pyclass(frozen)]
pub(crate) struct Login(pub(crate) mailbearer::Login);

#[pymethods]
impl Login {
    #[getter]
    fn method(&self) -> &str {
        self.0.method()
    }

    #[getter]
    fn url(&self) -> &str {
        self.0.url()
    }

    #[getter]
    fn user_code(&self) -> Option<&str> {
        self.0.user_code()
    }

    #[getter]
    fn message(&self) -> &str {
        self.0.message()
    }

    #[getter]
    fn state(&self) -> Option<&str> {
        self.0.state()
    }

    /// Seconds since the epoch.
    #[getter]
    fn expires_at(&self) -> f64 {
        epoch(self.0.expires_at())
    }

    fn wait(&self, py: Python<'_>, timeout: Option<&str>) -> PyResult<Job> {
        let call = call(py, timeout, None)?;
        let (core, cancel) = (self.0.clone(), call.cancel.clone());
        Ok(Job::new(Some(cancel), async move { core.wait(call).await }, |py, account| {
            Ok(to_py(py, &json(&account)?)?.unbind())
        }))
    }

    /// `callback` is a string or a dict.
    fn finish(&self, py: Python<'_>, callback: &Bound<'_, PyAny>) -> PyResult<Job> {
        let call = call(py, None, None)?;
        let (core, cancel) = (self.0.clone(), call.cancel.clone());
        let callback = from_py(callback)?;
        Ok(Job::new(Some(cancel), async move { core.finish(&callback, call).await }, |py, account| {
            Ok(to_py(py, &json(&account)?)?.unbind())
        }))
    }

    fn save(&self, py: Python<'_>) -> PyResult<String> {
        self.0.save().map_err(|error| raise(py, &error))
    }

    fn cancel(&self) {
        self.0.cancel();
    }
}
