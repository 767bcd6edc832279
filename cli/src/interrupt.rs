//! Ctrl-C and SIGTERM: they cancel the work, and the work then says how it ended.

use std::future::Future;
#[cfg(unix)]
use std::task::Poll;
use std::time::Duration;

use mailbearer::{Cancel, Mailer, blocking};

use crate::failure::Result;
use crate::output::Output;

/// Runs `work` to its end on this thread; a signal meanwhile cancels `cancel`.
pub(crate) fn block_on<F: Future>(cancel: &Cancel, work: F) -> Result<F::Output> {
    let cancel = cancel.clone();
    Ok(blocking::block_on(async move {
        let mut signals = Signals::listen();
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            output = &mut work => return output,
            () = signals.next() => cancel.cancel(),
        }
        work.await
    })?)
}

/// Says QUIT to the servers; a program that is over does not wait long for the answer.
pub(crate) fn close(mailer: &Mailer, output: &Output) -> Result<()> {
    run_last(output, mailer.close(Duration::from_secs(2)))
}

/// Waits for what a refresh token that was posted brings: a process that ends meanwhile may sign its account out.
pub(crate) fn wait_for_posted_tokens(output: &Output) {
    if let Some(settled) = mailbearer::settled() {
        // Without the runtime nothing is on its way.
        let _ = run_last(output, settled);
    }
}

/// Runs the last work, which a signal ends; says what it waits for if that takes long.
fn run_last(output: &Output, work: impl Future<Output = ()>) -> Result<()> {
    Ok(blocking::block_on(async move {
        let mut signals = Signals::listen();
        let mut work = std::pin::pin!(work);
        tokio::select! {
            () = &mut work => return,
            () = signals.next() => return,
            () = tokio::time::sleep(SILENCE) => {}
        }
        if mailbearer::settled().is_some() && !output.json {
            output.note(
                "mailbearer: waiting for the sign-in service, whose answer must be kept; Ctrl-C ends it",
            );
        }
        tokio::select! {
            () = work => {}
            () = signals.next() => {}
        }
    })?)
}

/// So long nobody wonders.
const SILENCE: Duration = Duration::from_secs(1);

/// The signals that ask the program to end, caught from the moment this is made. Where one cannot be
/// caught, the system's own way of ending us stays in force.
pub(crate) struct Signals {
    #[cfg(unix)]
    caught: Vec<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Begins to catch them. To be called within the runtime.
    #[cfg(unix)]
    pub(crate) fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate()];
        Self { caught: kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect() }
    }

    /// Waits for the next one. May be dropped and called again.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let came = self.caught.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Begins to catch Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> Self {
        Self {}
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
