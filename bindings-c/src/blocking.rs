//! How a blocking call waits: the work runs on the library's threads, the caller's only waits.
//!
//! The future is spawned, not polled here. So sockets are written on threads that block SIGPIPE, every
//! thread that the work starts inherits that mask, and the caller's own thread keeps taking the host's
//! signals while it waits.

use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use mailbearer::{Error, ErrorCode, Result};

use crate::event::Events;
use crate::ffi::SignalsBlocked;

/// Runs `future` to its end; delivers events on this thread meanwhile, the last of them before it returns.
pub(crate) fn run<T: Send + 'static>(
    events: &Arc<Events>,
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // A listener may free the object that the events were borrowed from.
    let events = events.clone();
    {
        // The first call, and the first one in a forked child, start the library's threads.
        let _blocked = SignalsBlocked::new();
        mailbearer::blocking::handle()?.spawn(async move {
            // Nobody waits any more only if this function panicked.
            let _ = sender.send(future.await);
        });
    }
    let result = loop {
        let waited = if events.are_heard() {
            receiver.recv_timeout(TICK)
        } else {
            receiver.recv().map_err(RecvTimeoutError::from)
        };
        match waited {
            Ok(result) => break result,
            Err(RecvTimeoutError::Timeout) => events.deliver(),
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Error::new(ErrorCode::Internal, "the work ended without an answer"));
            }
        }
    };
    events.deliver();
    result
}

/// How long an event waits at most while a call runs.
const TICK: Duration = Duration::from_millis(50);
