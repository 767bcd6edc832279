//! Messages.

use bytes::Bytes;
use mailbearer::config::Spelling;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use serde_json::json;

use crate::convert::{from_py, to_py};
use crate::error::raise;

/// A message of core's.
#[pyclass(frozen)]
pub(crate) struct Message(pub(crate) mailbearer::Message);

#[pymethods]
impl Message {
    /// From fields; attachments refer to `blobs` by index.
    #[new]
    fn new(py: Python<'_>, fields: &Bound<'_, PyAny>, blobs: Vec<PyBackedBytes>) -> PyResult<Self> {
        make(py, from_py(fields)?, owned(&blobs))
    }

    /// The same message with another envelope.
    fn with_envelope(&self, py: Python<'_>, mail_from: &str, rcpt_to: Vec<String>) -> PyResult<Self> {
        let (mut fields, blobs) = self.0.to_json(Spelling::Snake);
        fields["envelope"] = json!({"mail_from": mail_from, "rcpt_to": rcpt_to});
        make(py, fields, blobs)
    }

    #[getter]
    fn message_id(&self) -> &str {
        self.0.message_id()
    }

    #[getter]
    fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// What [`Message::new`] makes the same message of.
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Vec<Bound<'py, PyBytes>>)> {
        let (fields, blobs) = self.0.to_json(Spelling::Snake);
        Ok((to_py(py, &fields)?, blobs.iter().map(|blob| PyBytes::new(py, blob)).collect()))
    }

    /// The octets, without a mailer's defaults. Reads attached files.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.0.to_bytes(Spelling::Snake)).map_err(|error| raise(py, &error))?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// Copies: Python may free or change its own while we send.
pub(crate) fn owned(blobs: &[PyBackedBytes]) -> Vec<Bytes> {
    blobs.iter().map(|blob| Bytes::copy_from_slice(blob)).collect()
}

fn make(py: Python<'_>, fields: serde_json::Value, blobs: Vec<Bytes>) -> PyResult<Message> {
    let made = py.detach(|| mailbearer::Message::from_json(fields, blobs, Spelling::Snake));
    made.map(Message).map_err(|error| raise(py, &error))
}
