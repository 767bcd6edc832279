//! What happened, kept until the caller's own thread or loop takes it: no thread of ours calls Python
//! for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use mailbearer::{Event, EventSink, ForkCell, Level};
use pyo3::prelude::*;
use pyo3::types::PyList;
use serde_json::Value;

use crate::value::to_py;

/// The events of one mailer in one process; a forked child begins with none.
#[derive(Clone)]
pub(crate) struct Events(Arc<ForkCell<Mutex<VecDeque<Event>>>>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Arc::new(ForkCell::new()))
    }

    /// Where core puts them. When nobody takes them the oldest go.
    pub(crate) fn sink(&self) -> EventSink {
        let events = self.clone();
        EventSink::new(move |event| {
            let mut queue = events.queue().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if queue.len() == MOST {
                queue.pop_front();
            }
            queue.push_back(event.clone());
        })
    }

    /// Takes them all, oldest first, as `(name, level, fields)`; `None` where there are none.
    pub(crate) fn drain<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let taken = {
            let mut queue = self.queue().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if queue.is_empty() {
                return Ok(None);
            }
            std::mem::take(&mut *queue)
        };
        let list = PyList::empty(py);
        for event in taken {
            let level = match event.level {
                Level::Debug => 10,
                Level::Info => 20,
                Level::Warning => 30,
            };
            list.append((event.name, level, to_py(py, &Value::Object(event.fields))?))?;
        }
        Ok(Some(list))
    }

    fn queue(&self) -> &Mutex<VecDeque<Event>> {
        self.0.get(|_| Mutex::default())
    }
}

/// Events kept for a caller who does not come.
const MOST: usize = 1000;
