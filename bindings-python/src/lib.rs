//! The native half of the Python face: it converts and decides nothing. Private: the public face is the
//! typed Python in `python/mailbearer/`.
//!
//! One `async` method of core is one [`job::Job`], which blocks the caller or wakes an event loop.

mod bulk;
mod call;
mod emulator;
mod error;
mod events;
mod host;
mod job;
mod load;
mod login;
mod mailer;
mod message;
mod tokens;
mod value;

use std::ffi::OsString;
use std::time::Duration;

use mailbearer::blocking::{self, block_on_with};
use mailbearer::{Error, ErrorCode};
use pyo3::prelude::*;

/// What stands in `mailbearer._native`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::bulk::Bulk;
    #[pymodule_export]
    use crate::emulator::Emulator;
    #[pymodule_export]
    use crate::host::Reply;
    #[pymodule_export]
    use crate::job::Job;
    #[pymodule_export]
    use crate::login::Login;
    #[pymodule_export]
    use crate::mailer::Mailer;
    #[pymodule_export]
    use crate::message::{Message, envelope_of};
    #[pymodule_export]
    use crate::tokens::{AccessToken, TokenSource};
    #[pymodule_export]
    use crate::{
        explain, is_duration, make_error, prometheus, report_unraisable, run_cli, seconds, shutdown,
    };
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// Runs a command of the command line; its exit code.
#[pyfunction]
fn run_cli(py: Python<'_>, arguments: Vec<OsString>) -> i32 {
    py.detach(|| mailbearer_cli::run(arguments))
}

/// What a server's words mean, as a JSON list.
#[pyfunction]
fn explain(py: Python<'_>, text: &str) -> String {
    let explained = |found: &mailbearer::Explanation| {
        let mut data = serde_json::json!(found);
        data["_text"] = found.to_string().into();
        data
    };
    let all = py.detach(|| mailbearer::explain(text));
    serde_json::Value::from_iter(all.iter().map(explained)).to_string()
}

/// The process's numbers as Prometheus' text.
#[pyfunction]
fn prometheus(py: Python<'_>) -> String {
    py.detach(mailbearer::prometheus)
}

/// A duration as options write it, in seconds.
#[pyfunction]
fn seconds(py: Python<'_>, text: &str, field: &str) -> PyResult<f64> {
    Ok(call::duration(py, Some(text), field)?.unwrap_or_default().as_secs_f64())
}

/// Whether the option of this dotted name is a duration: a bare number means seconds there.
#[pyfunction]
fn is_duration(path: &str) -> bool {
    mailbearer::config::schema::find(path).is_some_and(mailbearer::config::schema::OptionRow::is_duration)
}

/// Waits at an interpreter's exit for what a posted refresh token brings; Ctrl-C ends the waiting. With the `main`
/// interpreter the runtime ends: whatever would come back to Python later is dropped.
///
/// If Python is `finalizing` already, a sub-interpreter was left over. A thread that gives the GIL back then never
/// gets it again, so nothing here may do so; and threads of ours would keep the process alive.
#[pyfunction]
fn shutdown(py: Python<'_>, main: bool, finalizing: bool) -> PyResult<()> {
    if finalizing {
        blocking::shutdown(LAST_WORDS);
        return Ok(());
    }
    let settled = match mailbearer::settled() {
        Some(settled) => py.detach(|| block_on_with(settled, || Python::attach(|py| py.check_signals()))),
        None => Ok(Ok(())),
    };
    if main {
        py.detach(|| {
            job::end_all();
            blocking::shutdown(LAST_WORDS);
        });
    }
    settled.unwrap_or(Ok(()))
}

/// An exception of ours for a mistake that only Python can see, with the hint and number of core's table.
#[pyfunction]
fn make_error(
    py: Python<'_>,
    code: &str,
    field: Option<&str>,
    message: &str,
    hint: Option<&str>,
) -> PyResult<Py<PyAny>> {
    let code = ErrorCode::from_name(code).unwrap_or(ErrorCode::Internal);
    let error = Error::told(code, message, field, hint);
    Ok(error::raise(py, &error).into_value(py).into_any())
}

/// Tells `sys.unraisablehook` about an exception that nobody can catch.
#[pyfunction]
fn report_unraisable(py: Python<'_>, exception: Bound<'_, PyAny>, context: Option<Bound<'_, PyAny>>) {
    PyErr::from_value(exception).write_unraisable(py, context.as_ref());
}

/// How long work in flight may take to end when the interpreter exits.
const LAST_WORDS: Duration = Duration::from_secs(1);
