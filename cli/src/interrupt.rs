//! Ctrl-C and SIGTERM: they cancel the work, and the work then says how it ended.

use std::future::Future;

use mailbearer::{Cancel, blocking};

use crate::failure::Result;

/// Runs `work` to its end on this thread; a signal meanwhile cancels `cancel`.
pub(crate) fn block_on<F: Future>(cancel: &Cancel, work: F) -> Result<F::Output> {
    let cancel = cancel.clone();
    Ok(blocking::block_on(async move {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            output = &mut work => return output,
            () = signalled() => cancel.cancel(),
        }
        work.await
    })?)
}

/// Waits for the first signal that asks the program to end. Where none can be caught, for ever: the
/// system's own way of ending us stays in force.
pub(crate) async fn signalled() {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending::<()>().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending::<()>().await;
}
