//! The mailer: each call becomes a [`Job`].

use mailbearer::config::MailboxOption;
use mailbearer::{Error, VerifyRequest, blocking};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use serde_json::Value;

use crate::bulk::Bulk;
use crate::call::{call, duration};
use crate::error::{json, raise, report, retold};
use crate::events::Events;
use crate::host::host;
use crate::job::Job;
use crate::load::{Places, load};
use crate::message::{Message, owned};
use crate::tokens::TokenSource;
use crate::value::{from_py, to_py};

/// A mailer of core's, and the events that nobody took yet.
#[pyclass(frozen)]
pub(crate) struct Mailer {
    core: mailbearer::Mailer,
    events: Events,
}

#[pymethods]
impl Mailer {
    #[new]
    fn new(py: Python<'_>, options: &Bound<'_, PyAny>, functions: &Bound<'_, PyAny>) -> PyResult<Self> {
        let events = Events::new();
        let (options, host) = (from_py(options)?, host(functions, &events)?);
        let core = py.detach(|| mailbearer::Mailer::from_json(options, host));
        Ok(Self { core: core.map_err(|error| raise(py, &error))?, events })
    }

    /// From a file, the environment and the caller's own options: `places` as [`load`] takes them.
    #[staticmethod]
    fn load(
        py: Python<'_>,
        places: Places,
        overrides: &Bound<'_, PyAny>,
        functions: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let events = Events::new();
        let (load, host) = (load(places, from_py(overrides)?), host(functions, &events)?);
        let core = py.detach(|| mailbearer::Mailer::load(load, host));
        Ok(Self { core: core.map_err(|error| raise(py, &error))?, events })
    }

    /// A message of fields for this mailer; attachments refer to `blobs` by index.
    fn message(
        &self,
        py: Python<'_>,
        fields: &Bound<'_, PyAny>,
        blobs: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<Message> {
        let (fields, blobs) = (from_py(fields)?, owned(blobs)?);
        let made = py.detach(|| self.core.message(fields, blobs));
        made.map(Message).map_err(|error| raise(py, &error))
    }

    fn send(
        &self,
        py: Python<'_>,
        message: &Message,
        timeout: Option<&str>,
        partial: Option<&str>,
    ) -> PyResult<Job> {
        let call = call(py, timeout, partial)?;
        let (core, message) = (self.core.clone(), message.0.clone());
        Ok(Job::new(
            Some(call.cancel.clone()),
            async move { core.send(&message, call).await },
            |py, receipt| Ok(to_py(py, &json(&receipt)?)?.unbind()),
        ))
    }

    fn render(&self, message: &Message) -> Job {
        let (core, message) = (self.core.clone(), message.0.clone());
        Job::new(None, async move { core.render(&message).await }, |py, bytes| {
            Ok(PyBytes::new(py, &bytes).into_any().unbind())
        })
    }

    fn bulk(&self, py: Python<'_>, timeout: Option<&str>, partial: Option<&str>) -> PyResult<Bulk> {
        let call = call(py, timeout, partial)?;
        let bulk = blocking::handle().and_then(|runtime| self.core.shared_bulk(call, runtime));
        bulk.map(Bulk).map_err(|error| raise(py, &error))
    }

    fn warm(&self, py: Python<'_>, timeout: Option<&str>) -> PyResult<Job> {
        let call = call(py, timeout, None)?;
        let core = self.core.clone();
        Ok(Job::plain(Some(call.cancel.clone()), async move { core.warm(call).await }))
    }

    fn export_metrics(
        &self,
        py: Python<'_>,
        endpoint: Option<String>,
        timeout: Option<&str>,
    ) -> PyResult<Job> {
        let call = call(py, timeout, None)?;
        let core = self.core.clone();
        let cancel = call.cancel.clone();
        Ok(Job::plain(Some(cancel), async move { core.export_metrics(endpoint.as_deref(), call).await }))
    }

    fn verify(
        &self,
        py: Python<'_>,
        send_to: Option<String>,
        always_report: bool,
        timeout: Option<&str>,
    ) -> PyResult<Job> {
        let call = call(py, timeout, None)?;
        let core = self.core.clone();
        let cancel = call.cancel.clone();
        let request = VerifyRequest { send_to, always_report, call };
        Ok(Job::new(Some(cancel), async move { core.verify(request).await }, |py, found| {
            Ok(to_py(py, &report(&found)?)?.unbind())
        }))
    }

    /// A sibling; `sender` is its default From.
    fn for_mailbox(&self, py: Python<'_>, username: &str, sender: &Bound<'_, PyAny>) -> PyResult<Self> {
        let sender = match from_py(sender)? {
            Value::Null => Ok(None),
            given => MailboxOption::read(given, "from").map(Some),
        };
        let made = sender.and_then(|sender| self.core.for_mailbox(username, sender));
        Ok(Self { core: made.map_err(|error| raise(py, &error))?, events: self.events.clone() })
    }

    /// Counts and tells a message that was to be sent and could not be built.
    fn refuse(&self, error: &Bound<'_, PyAny>, tag: Option<&str>) -> PyResult<()> {
        self.core.refuse(retold(error, tag)?);
        Ok(())
    }

    fn tokens(&self, py: Python<'_>) -> PyResult<TokenSource> {
        let core = self.core.tokens().map_err(|error| raise(py, &error))?.clone();
        Ok(TokenSource::sharing(core, self.events.clone()))
    }

    /// `(message_id, tag, mail_from, rcpt_to, raw)` each, oldest first.
    fn outbox<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for kept in self.core.outbox() {
            let raw = PyBytes::new(py, &kept.bytes);
            list.append((kept.message_id, kept.tag, kept.envelope.mail_from, kept.envelope.rcpt_to, raw))?;
        }
        Ok(list)
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_py(py, &self.core.metrics())
    }

    fn close(&self, py: Python<'_>, timeout: Option<&str>) -> PyResult<Job> {
        let timeout = duration(py, timeout, "timeout")?;
        let core = self.core.clone();
        Ok(Job::plain(None, async move {
            core.close(timeout).await;
            Ok::<_, Error>(())
        }))
    }

    fn drain_events<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.events.drain(py)
    }

    #[getter]
    fn provider(&self) -> &str {
        self.core.settings().preset.name
    }

    #[getter]
    fn username(&self) -> Option<&str> {
        self.core.settings().username.as_deref()
    }
}
