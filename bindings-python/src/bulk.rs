//! Many messages: Python pulls them from its own source, on the caller's thread or loop.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};

use mailbearer::Error;
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::Value;

use crate::error::{data, json};
use crate::job::Job;
use crate::message::Message;
use crate::value::{from_py, to_py};

/// A bulk send under way. May be pushed to while somebody waits for a result.
#[pyclass(frozen)]
pub(crate) struct Bulk(Arc<Mutex<mailbearer::Bulk>>);

impl Bulk {
    pub(crate) fn new(core: mailbearer::Bulk) -> Self {
        Self(Arc::new(Mutex::new(core)))
    }

    fn lock(&self) -> MutexGuard<'_, mailbearer::Bulk> {
        lock(&self.0)
    }
}

#[pymethods]
impl Bulk {
    fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    fn push(&self, message: &Message) {
        self.lock().push(Ok(message.0.clone()));
    }

    /// A message that could not even be built; `error` is its exception's `to_dict()`.
    fn push_invalid(&self, error: &Bound<'_, PyAny>, tag: Option<&str>) -> PyResult<()> {
        let told = from_py(error)?;
        let text = |name: &str| told.get(name).and_then(Value::as_str);
        let code = text("code").and_then(mailbearer::ErrorCode::from_name);
        let code = code.unwrap_or(mailbearer::ErrorCode::MessageInvalid);
        let message = text("message").unwrap_or_default();
        let mut error = Error::told(code, message, text("field"), text("hint"));
        if tag.is_some() {
            error = error.with_message("", tag);
        }
        self.lock().push(Err(error));
        Ok(())
    }

    fn finish(&self) {
        self.lock().finish();
    }

    /// The next result, and what else is there by now, as dicts; `None` where there is nothing to wait for.
    fn next(&self) -> Job {
        let bulk = self.0.clone();
        Job::new(
            None,
            async move {
                // Locked for each poll alone, so that pushing goes on meanwhile: `next` keeps nothing
                // between two polls.
                let next = poll_fn(|context| pin!(lock(&bulk).next()).poll(context));
                let Some(first) = next.await.transpose()? else { return Ok(None) };
                let mut all = vec![first];
                let mut bulk = lock(&bulk);
                while let Some(result) = bulk.ready() {
                    all.push(result);
                }
                Ok(Some(all))
            },
            |py, results| {
                let Some(results) = results else { return Ok(py.None()) };
                let list = PyList::empty(py);
                for result in &results {
                    let mut shape = json(result)?;
                    if let Err(error) = &result.result {
                        shape["error"] = data(error)?;
                    }
                    list.append(to_py(py, &shape)?)?;
                }
                Ok(list.into_any().unbind())
            },
        )
    }

    /// `(sent, failed, uncertain, not_sent, in_flight)`.
    fn counts(&self) -> (u64, u64, u64, u64, u64) {
        let counts = self.lock().counts();
        (counts.sent, counts.failed, counts.uncertain, counts.not_sent, counts.in_flight)
    }
}

fn lock(bulk: &Mutex<mailbearer::Bulk>) -> MutexGuard<'_, mailbearer::Bulk> {
    bulk.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
