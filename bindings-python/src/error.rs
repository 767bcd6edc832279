//! Core's errors as the exceptions that `mailbearer/errors.py` defines: with the limited API an
//! exception class of ours cannot be written here before Python 3.12.

use mailbearer::doctor::Report;
use mailbearer::{Error, ErrorCode};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::value::{from_py, to_py};

/// The exception for `error`.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    let made = data(error).and_then(|data| {
        let class = py.import("mailbearer.errors")?.getattr("from_core")?;
        class.call1((to_py(py, &data)?,))
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// A mistake that Python found, as its exception's `to_dict()` has it.
pub(crate) fn retold(told: &Bound<'_, PyAny>, tag: Option<&str>) -> PyResult<Error> {
    let error = Error::retold(&from_py(told)?);
    Ok(if tag.is_some() { error.with_message("", tag) } else { error })
}

/// The same as data, with the report's text as core writes it.
pub(crate) fn data(error: &Error) -> PyResult<Value> {
    let mut data = json(error)?;
    if let Some(found) = error.report() {
        data["report"] = report(found)?;
    }
    Ok(data)
}

/// A report as data, its text beside it.
pub(crate) fn report(report: &Report) -> PyResult<Value> {
    let mut data = json(report)?;
    data["text"] = json!(report.to_string());
    Ok(data)
}

/// Whatever core can serialise, as JSON. Core's types always can.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> PyResult<Value> {
    serde_json::to_value(value).map_err(|e| pyo3::exceptions::PyRuntimeError::new_err(e.to_string()))
}

/// A fault of ours.
pub(crate) fn internal(text: impl Into<String>) -> Error {
    Error::new(ErrorCode::Internal, text)
}
