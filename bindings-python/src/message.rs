//! Messages.

use std::io;

use bytes::Bytes;
use mailbearer::config::Spelling;
use mailbearer::{Blob, ByteStream, Envelope, Error};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use serde_json::json;

use crate::error::raise;
use crate::value::{from_py, to_py};

/// A message of core's.
#[pyclass(frozen)]
pub(crate) struct Message(pub(crate) mailbearer::Message);

#[pymethods]
impl Message {
    /// From fields; attachments refer to `blobs` by index.
    #[new]
    fn new(py: Python<'_>, fields: &Bound<'_, PyAny>, blobs: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        make(py, from_py(fields)?, owned(blobs)?)
    }

    /// The same message with another envelope.
    fn with_envelope(&self, py: Python<'_>, mail_from: &str, rcpt_to: Vec<String>) -> PyResult<Self> {
        let (mut fields, blobs) = self.0.to_json(Spelling::Snake);
        fields["envelope"] = json!({"mail_from": mail_from, "rcpt_to": rcpt_to});
        make(py, fields, blobs)
    }

    /// `(mail_from, rcpt_to)` of finished MIME: what was given, else what its headers name.
    fn envelope(&self) -> Option<(String, Vec<String>)> {
        let Envelope { mail_from, rcpt_to } = self.0.envelope()?.clone();
        Some((mail_from, rcpt_to))
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
        let octets = |blob: &Blob| match blob {
            Blob::Octets(octets) => Ok(PyBytes::new(py, octets)),
            Blob::Stream(_) => {
                let text = "a message with an open file in its attachments is no data: it can only be sent";
                let error = Error::invalid_message("attachments", text);
                Err(raise(py, &error.with_hint("Attach the path, or the bytes.")))
            }
        };
        Ok((to_py(py, &fields)?, blobs.iter().map(octets).collect::<PyResult<_>>()?))
    }

    /// The octets, without a mailer's defaults. Reads attached files.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.0.to_bytes(Spelling::Snake)).map_err(|error| raise(py, &error))?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// Bytes, which are copied, since Python may free its own while we send; all else is a file to be read.
pub(crate) fn owned(blobs: Vec<Bound<'_, PyAny>>) -> PyResult<Vec<Blob>> {
    let blob = |given: Bound<'_, PyAny>| match given.extract::<PyBackedBytes>() {
        Ok(octets) => Ok(Bytes::copy_from_slice(&octets).into()),
        Err(_) => Ok(file(given.unbind()).into()),
    };
    blobs.into_iter().map(blob).collect()
}

/// An open file of Python's, or whatever has its `read`.
fn file(file: Py<PyAny>) -> ByteStream {
    ByteStream::blocking(move || {
        let read = Python::try_attach(|py| {
            let piece = file.bind(py).call_method1("read", (PIECE,))?;
            piece
                .extract::<PyBackedBytes>()
                .map(|octets| Bytes::copy_from_slice(&octets))
                .map_err(PyErr::from)
        });
        match read {
            Some(Ok(piece)) => Ok(piece),
            Some(Err(error)) => Err(io::Error::other(Python::attach(|py| {
                format!("{}: {}", error.get_type(py), error.value(py))
            }))),
            None => Err(io::Error::other("the program is ending")),
        }
    })
}

/// Octets asked for at once.
const PIECE: usize = 256 * 1024;

fn make(py: Python<'_>, fields: serde_json::Value, blobs: Vec<Blob>) -> PyResult<Message> {
    let made = py.detach(|| mailbearer::Message::from_json(fields, blobs, Spelling::Snake));
    made.map(Message).map_err(|error| raise(py, &error))
}

/// `(mail_from, rcpt_to)` from mailboxes as other mail libraries write them.
#[pyfunction]
pub(crate) fn envelope_of(
    py: Python<'_>,
    mail_from: &str,
    rcpt_to: Vec<String>,
) -> PyResult<(String, Vec<String>)> {
    let made = Envelope::of_mailboxes(mail_from, &rcpt_to, Spelling::Snake);
    made.map(|made| (made.mail_from, made.rcpt_to)).map_err(|error| raise(py, &error))
}
