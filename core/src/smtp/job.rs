//! One message on its way to a connection, and the caller who waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::protocol::pipeline::Verdict;
use super::protocol::submission::Transaction;
use crate::call::{Cancel, Cancelled};
use crate::error::Error;
use crate::message::Content;

/// One message for a connection.
pub(crate) struct Job {
    pub(crate) transaction: Transaction,
    /// Holds until the terminator is handed over.
    pub(crate) deadline: Instant,
    pub(crate) cancel: Cancel,
    pub(crate) answer: oneshot::Sender<JobAnswer>,
    pub(crate) course: Arc<Course>,
}

/// How far a job is, for its caller.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Set once the terminator is handed over: if the task dies, its caller can still tell.
    pub(crate) committed: AtomicBool,
    /// The number of the connection that took it.
    pub(crate) connection: AtomicU64,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) enum JobAnswer {
    /// Nothing was delivered: this server cannot take the message, or its octets cannot be had.
    Failed(Error),
    /// What the pipeline said.
    Verdict(Verdict),
}

/// A job on a connection, without its message.
pub(crate) struct InFlight {
    /// The pipeline's number for it, once it was begun.
    pub(crate) id: u64,
    pub(crate) deadline: Instant,
    pub(crate) course: Arc<Course>,
    /// Octets that are read as they go, until they are.
    pub(crate) body: Option<Content>,
    /// How many of them were.
    pub(crate) fed: u64,
    /// Why they cannot be had.
    pub(crate) failure: Option<Error>,
    cancelled: Pin<Box<Cancelled>>,
    answer: oneshot::Sender<JobAnswer>,
    /// The pipeline was told that its caller left.
    left: bool,
}

impl InFlight {
    pub(crate) fn new(job: Job) -> Self {
        Self {
            id: u64::MAX,
            deadline: job.deadline,
            course: job.course,
            body: Some(job.transaction.body).filter(|body| body.in_memory().is_none()),
            fed: 0,
            failure: None,
            cancelled: Box::pin(job.cancel.into_cancelled()),
            answer: job.answer,
            left: false,
        }
    }

    /// A caller that went away needs no answer.
    pub(crate) fn answer(self, answer: JobAnswer) {
        let _ = self.answer.send(answer);
    }

    /// Ready, once, when the caller cancelled or went away.
    pub(crate) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.left {
            return Poll::Pending;
        }
        let gone = self.cancelled.as_mut().poll(cx).is_ready() || self.answer.poll_closed(cx).is_ready();
        self.left = gone;
        if gone { Poll::Ready(()) } else { Poll::Pending }
    }
}
