//! One process-wide runtime for callers without one: Python, C and the command line.
//!
//! It is made on first use, made anew in a forked child, and can be shut down at the interpreter's
//! exit. Rust programs with a runtime of their own, and Node, never start it.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, ErrorCode, Result};
use crate::fork::ForkCell;
use crate::sync::lock;

/// The runtime's handle.
///
/// # Errors
/// `internal` if the operating system gives no threads; `closed` after [`shutdown`].
pub fn handle() -> Result<Handle> {
    let slot = slot();
    let mut guard = lock(slot);
    match &*guard {
        RuntimeState::Running(runtime) => Ok(runtime.handle().clone()),
        RuntimeState::Ended => Err(Error::new(ErrorCode::Closed, "the program is ending")),
        RuntimeState::Unborn => {
            let runtime = Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("mailbearer")
                .enable_all()
                .build()
                .map_err(|e| Error::new(ErrorCode::Internal, format!("cannot start threads: {e}")))?;
            let handle = runtime.handle().clone();
            *guard = RuntimeState::Running(runtime);
            Ok(handle)
        }
    }
}

/// Runs `future` to its end on this thread; its tasks run on the runtime's own.
///
/// # Errors
/// Those of [`handle`].
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    Ok(handle()?.block_on(future))
}

/// Like [`block_on`], but calls `tick` on this thread every 50 ms; an `Err` of it drops the future.
/// Python looks for signals there.
///
/// # Errors
/// Those of [`handle`]; the inner one is `tick`'s.
pub fn block_on_with<F: Future, E>(
    future: F,
    mut tick: impl FnMut() -> Result<(), E>,
) -> Result<Result<F::Output, E>> {
    block_on(async move {
        let mut future = std::pin::pin!(future);
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        loop {
            tokio::select! {
                biased;
                output = &mut future => return Ok(output),
                _ = interval.tick() => tick()?,
            }
        }
    })
}

/// Ends the runtime, waiting at most `timeout` for what runs; afterwards [`handle`] says `closed`.
/// For interpreters that are about to end.
pub fn shutdown(timeout: Duration) {
    let Some(slot) = SLOT.peek() else { return };
    let state = {
        let mut guard = lock(slot);
        std::mem::replace(&mut *guard, RuntimeState::Ended)
    };
    if let RuntimeState::Running(runtime) = state {
        runtime.shutdown_timeout(timeout);
    }
}

enum RuntimeState {
    Unborn,
    Running(Runtime),
    Ended,
}

static SLOT: ForkCell<Mutex<RuntimeState>> = ForkCell::new();

fn slot() -> &'static Mutex<RuntimeState> {
    SLOT.get(|_| Mutex::new(RuntimeState::Unborn))
}
