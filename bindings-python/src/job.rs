//! One call of core under way. A job either blocks its caller, with other Python threads running and
//! Ctrl-C seen, or runs on core's runtime and wakes an event loop when it is done.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mailbearer::{Cancel, Error, ErrorCode, Result, blocking};
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::error::{internal, raise};

/// A call that was prepared; `run` it, or `start` it and take its `result`.
#[pyclass(frozen)]
pub(crate) struct Job {
    work: Mutex<Option<Work>>,
    /// Ends the work at its next step; without one the work is simply dropped.
    cancel: Option<Cancel>,
    task: Mutex<Option<AbortHandle>>,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

/// What a job brings: its value, still to be made a Python object.
type Give = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;
type Outcome = Result<Give>;
type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Job {
    /// `work` whose value `give` makes a Python object. `cancel` is what the work itself listens to.
    pub(crate) fn new<T: Send + 'static>(
        cancel: Option<Cancel>,
        work: impl Future<Output = Result<T>> + Send + 'static,
        give: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Self {
        let work = async move {
            let value = work.await?;
            Ok(Box::new(move |py: Python<'_>| give(py, value)) as Give)
        };
        Self {
            work: Mutex::new(Some(Box::pin(work))),
            cancel,
            task: Mutex::default(),
            outcome: Arc::default(),
        }
    }

    /// A job whose value is `None`.
    pub(crate) fn plain(
        cancel: Option<Cancel>,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Self {
        Self::new(cancel, work, |py, ()| Ok(py.None()))
    }

    fn take(&self, py: Python<'_>) -> PyResult<Work> {
        lock(&self.work).take().ok_or_else(|| raise(py, &internal("this call was made already")))
    }
}

#[pymethods]
impl Job {
    /// Runs it on this thread. `main` says that this is the thread where Python handles signals.
    fn run(&self, py: Python<'_>, main: bool) -> PyResult<Py<PyAny>> {
        let work = self.take(py)?;
        let mut interrupt = None;
        let outcome = py.detach(|| self.block(work, main, &mut interrupt));
        match (interrupt, outcome) {
            (Some(interrupt), _) => Err(interrupt),
            (None, Ok(give)) => give(py),
            (None, Err(error)) => Err(raise(py, &error)),
        }
    }

    /// Starts it on core's runtime; `done` is called once, without arguments, on a thread of ours.
    fn start(&self, py: Python<'_>, done: Py<PyAny>) -> PyResult<()> {
        let work = self.take(py)?;
        let handle = blocking::handle().map_err(|error| raise(py, &error))?;
        let task = handle.spawn(work);
        *lock(&self.task) = Some(task.abort_handle());
        let outcome = self.outcome.clone();
        handle.spawn(async move {
            let ended = match task.await {
                Ok(ended) => ended,
                Err(e) if e.is_cancelled() => Err(Error::new(ErrorCode::Cancelled, "the call was cancelled")),
                Err(_) => Err(internal("a fault ended the call")),
            };
            *lock(&outcome) = Some(ended);
            // Not on a worker: waiting for the interpreter must not hold up sockets.
            tokio::task::spawn_blocking(move || {
                Python::try_attach(move |py| {
                    if let Err(error) = done.call0(py) {
                        error.write_unraisable(py, None);
                    }
                })
            });
        });
        Ok(())
    }

    /// What a started job brought, after `done` was called.
    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match lock(&self.outcome).take() {
            Some(Ok(give)) => give(py),
            Some(Err(error)) => Err(raise(py, &error)),
            None => Err(raise(py, &internal("this call is not done"))),
        }
    }

    /// Ends it early.
    fn cancel(&self) {
        match (&self.cancel, &*lock(&self.task)) {
            (Some(cancel), _) => cancel.cancel(),
            (None, Some(task)) => task.abort(),
            (None, None) => {}
        }
    }
}

impl Job {
    fn block(&self, work: Work, main: bool, interrupt: &mut Option<PyErr>) -> Outcome {
        let _blocked = Blocked::enter();
        let mut since = None::<Instant>;
        let tick = || {
            if ENDING.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorCode::Closed, "the program is ending"));
            }
            if main && let Some(Err(raised)) = Python::try_attach(|py| py.check_signals()) {
                // A second Ctrl-C waits for nothing.
                let again = interrupt.replace(raised).is_some();
                match &self.cancel {
                    Some(cancel) if !again => cancel.cancel(),
                    _ => return Err(interrupted()),
                }
                since = Some(Instant::now());
            }
            match since {
                Some(since) if since.elapsed() > LAST_STEP => Err(interrupted()),
                _ => Ok(()),
            }
        };
        match catch_unwind(AssertUnwindSafe(|| blocking::block_on_with(work, tick))) {
            Ok(Ok(Ok(outcome))) => outcome,
            Ok(Ok(Err(error)) | Err(error)) => Err(error),
            Err(_) => Err(internal("a fault ended the call")),
        }
    }
}

/// Ends the calls that block other threads, and waits until they have noticed: the interpreter exits. They do so
/// with their next tick, and must not be caught by the end of the runtime.
pub(crate) fn end_all() {
    ENDING.store(true, Ordering::Relaxed);
    let until = Instant::now() + NOTICE;
    while BLOCKED.load(Ordering::Relaxed) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A thread that is blocked in a call.
struct Blocked;

impl Blocked {
    fn enter() -> Self {
        BLOCKED.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        BLOCKED.fetch_sub(1, Ordering::Relaxed);
    }
}

fn interrupted() -> Error {
    Error::new(ErrorCode::Cancelled, "the call was interrupted")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The interpreter is about to end. Plain numbers: a fork leaves them as they are.
static ENDING: AtomicBool = AtomicBool::new(false);
static BLOCKED: AtomicUsize = AtomicUsize::new(0);

/// How long a blocked thread may take to notice, on a machine that stalls.
const NOTICE: Duration = Duration::from_secs(5);

/// How long a cancelled call may take to say what became of its message.
const LAST_STEP: Duration = Duration::from_millis(250);
