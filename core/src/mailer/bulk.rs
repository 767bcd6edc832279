//! Many messages: pulled by the caller, sent side by side, one result each.

use std::collections::VecDeque;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Mailer;
use crate::call::Call;
use crate::error::{Error, ErrorCode, Result};
use crate::message::Message;
use crate::receipt::{Outcome, SendResult};
use crate::retry;

/// A bulk send under way. The caller pulls messages from its own source, on its own thread:
///
/// 1. while [`has_room`](Self::has_room), [`push`](Self::push) the next message, or
///    [`finish`](Self::finish) at the source's end;
/// 2. [`next`](Self::next) gives one result; go to 1.
///
/// At most as many messages are held as connections are allowed, and go ahead on each, so memory stays flat. Each pushed
/// message gives exactly one result. An error that would fail every message ends the pulling; what was
/// pulled is reported `not_sent`, and the error is given once, last. Dropping it stops nothing that was
/// started.
pub struct Bulk {
    mailer: Mailer,
    call: Call,
    runtime: Handle,
    tasks: JoinSet<SendResult>,
    ready: VecDeque<SendResult>,
    counts: Counts,
    pushed: u64,
    room: usize,
    pulling: bool,
    fatal: Option<Error>,
    /// The process that its tasks run in.
    pid: u32,
}

/// The progress of a bulk send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Accepted for at least one recipient.
    pub sent: u64,
    /// Refused, or not delivered.
    pub failed: u64,
    /// Handed over, unanswered.
    pub uncertain: u64,
    /// Pulled but never started.
    pub not_sent: u64,
    /// Started and not yet reported.
    pub in_flight: u64,
}

impl Bulk {
    pub(super) fn new(mailer: Mailer, call: Call, runtime: Handle) -> Self {
        let smtp = &mailer.settings().smtp;
        let room = smtp.max_connections.unwrap_or(UNLIMITED).saturating_mul(smtp.messages_at_once());
        Self {
            mailer,
            call,
            runtime,
            tasks: JoinSet::new(),
            ready: VecDeque::new(),
            counts: Counts::default(),
            pushed: 0,
            room,
            pulling: true,
            fatal: None,
            pid: std::process::id(),
        }
    }

    /// Whether another message should be pulled now.
    pub fn has_room(&self) -> bool {
        self.pulling && self.is_at_home() && self.ready.is_empty() && self.tasks.len() < self.room
    }

    /// Starts a message; one that could not be built gives its error as its result.
    pub fn push(&mut self, message: Result<Message>) {
        let index = self.pushed;
        self.pushed += 1;
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                let error = self.mailer.refuse(error);
                return self.ready.push_back(SendResult {
                    index,
                    tag: error.tag().map(str::to_owned),
                    message_id: error.message_id().unwrap_or_default().to_owned(),
                    result: Err(error),
                    started: true,
                });
            }
        };
        self.counts.in_flight += 1;
        let (mailer, call) = (self.mailer.clone(), self.call.clone());
        let send = async move {
            SendResult {
                index,
                tag: message.tag().map(str::to_owned),
                message_id: message.message_id().to_owned(),
                result: mailer.send(&message, call).await,
                started: true,
            }
        };
        self.tasks.spawn_on(send, &self.runtime);
    }

    /// The source has no more.
    pub fn finish(&mut self) {
        self.pulling = false;
    }

    /// Stops the pulling; what was started goes on to its end and is reported.
    pub fn cancel(&mut self) {
        self.pulling = false;
    }

    /// The progress.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// One result, as it comes; `None` when there is nothing to wait for: push more, or it is over.
    ///
    /// # Errors
    /// Once, after all results: what would have failed every message.
    pub async fn next(&mut self) -> Option<Result<SendResult>> {
        if !self.is_at_home() {
            // The parent's tasks have not come along: there is nothing to wait for.
            let told = std::mem::replace(&mut self.pulling, false);
            let text = "this stream of messages was begun in another process";
            return told.then(|| Err(Error::new(ErrorCode::Closed, text)));
        }
        let result = match self.ready.pop_front() {
            Some(result) => result,
            None => match self.tasks.join_next().await {
                Some(joined) => match self.landed(joined) {
                    Ok(result) => result,
                    Err(error) => return Some(Err(error)),
                },
                None => return self.fatal.take().map(Err),
            },
        };
        Some(Ok(self.count(result)))
    }

    /// A result that is there already, as [`next`](Self::next) would give it; never waits.
    pub fn ready(&mut self) -> Option<SendResult> {
        if !self.is_at_home() {
            return None;
        }
        let result = match self.ready.pop_front() {
            Some(result) => result,
            None => {
                let joined = self.tasks.try_join_next()?;
                // What broke is told last, like all that concerns more than one message.
                self.landed(joined).map_err(|error| self.fatal.get_or_insert(error)).ok()?
            }
        };
        Some(self.count(result))
    }

    fn landed(&mut self, joined: Result<SendResult, tokio::task::JoinError>) -> Result<SendResult> {
        self.counts.in_flight -= 1;
        joined.map_err(|e| Error::new(ErrorCode::Internal, format!("a send ended: {e}")))
    }

    fn count(&mut self, mut result: SendResult) -> SendResult {
        if let Err(error) = &result.result
            && retry::is_fatal_for_all(error)
        {
            result.started = false;
            self.pulling = false;
            self.fatal.get_or_insert_with(|| error.clone());
        }
        match result.outcome() {
            Outcome::Sent => self.counts.sent += 1,
            Outcome::Failed => self.counts.failed += 1,
            Outcome::Uncertain => self.counts.uncertain += 1,
            Outcome::NotSent => self.counts.not_sent += 1,
        }
        result
    }
}

impl Bulk {
    fn is_at_home(&self) -> bool {
        self.pid == std::process::id()
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        if !self.is_at_home() {
            // The parent's runtime is not ours to touch.
            return std::mem::forget(std::mem::take(&mut self.tasks));
        }
        // Leaving the loop lets the started ones end.
        self.tasks.detach_all();
    }
}

/// Sends side by side where the provider sets no limit.
const UNLIMITED: usize = 8;
