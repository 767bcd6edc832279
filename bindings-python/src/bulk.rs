//! Many messages: Python pulls them from its own source, on the caller's thread or loop.

use mailbearer::SharedBulk;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::error::{data, json, retold};
use crate::job::Job;
use crate::message::Message;
use crate::value::to_py;

/// A bulk send under way. May be pushed to while somebody waits for a result.
#[pyclass(frozen)]
pub(crate) struct Bulk(pub(crate) SharedBulk);

#[pymethods]
impl Bulk {
    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    fn push(&self, message: &Message) {
        self.0.push(Ok(message.0.clone()));
    }

    /// A message that could not even be built; `error` is its exception's `to_dict()`.
    fn push_invalid(&self, error: &Bound<'_, PyAny>, tag: Option<&str>) -> PyResult<()> {
        self.0.push(Err(retold(error, tag)?));
        Ok(())
    }

    fn finish(&self) {
        self.0.finish();
    }

    /// The next result, and what else is there by now, as dicts; `None` where there is nothing to wait for.
    fn next(&self) -> Job {
        let bulk = self.0.clone();
        Job::new(None, async move { bulk.gather().await }, |py, results| {
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
        })
    }

    /// `(sent, failed, uncertain, not_sent, in_flight)`.
    fn counts(&self) -> (u64, u64, u64, u64, u64) {
        let counts = self.0.counts();
        (counts.sent, counts.failed, counts.uncertain, counts.not_sent, counts.in_flight)
    }
}
