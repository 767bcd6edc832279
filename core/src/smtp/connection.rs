//! A connection is a task that owns the socket and drives the pipeline; callers hold a receiver.
//!
//! Dropping the receiver never touches the socket: it abandons the transaction, and the pipeline says
//! what that means for the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::Transaction;
use super::capabilities::Capabilities;
use super::opening::Opened;
use super::pipeline::{Lost, Outcome, Phase, Pipeline, Plan, Verdict};
use super::pool::{Key, Slot};
use super::reply::ReplyParser;
use super::wire::quit;
use crate::call::Cancel;
use crate::config::Pipelining;
use crate::error::Error;
use crate::event::{Event, EventSink};
use crate::net::stream::Stream;

/// One message for a connection.
pub(crate) struct Job {
    pub(crate) transaction: Transaction,
    /// Holds until the terminator is handed over.
    pub(crate) deadline: Instant,
    pub(crate) cancel: Cancel,
    pub(crate) answer: oneshot::Sender<Answer>,
    /// Set once the terminator is handed over: if the task dies, its caller can still tell.
    pub(crate) committed: Arc<AtomicBool>,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) enum Answer {
    /// This server cannot take this message: nothing was sent.
    NotBegun(Error),
    /// What the pipeline said.
    Verdict(Verdict),
}

/// The task's state.
pub(crate) struct Connection {
    stream: Stream,
    pipeline: Pipeline,
    capabilities: Capabilities,
    key: Arc<Key>,
    events: EventSink,
    /// Given back when the socket is closed.
    slot: Slot,
    /// Dropped with the task: tells who waits for the end.
    ended: watch::Sender<()>,
    opened: Instant,
    messages: u32,
    refusals_in_a_row: u32,
    needs_flush: bool,
    write_error: Option<io::Error>,
}

/// Why a connection is used no more.
enum End {
    /// It is in order: say goodbye.
    Quit(&'static str),
    /// It is not: close, without another octet; then answer the caller, whose next try finds the slot free.
    Close(String, Option<(oneshot::Sender<Answer>, Verdict)>),
}

/// The pool's end of the line, or why the connection is not offered again.
type Parked = Result<oneshot::Receiver<Job>, &'static str>;

enum Next {
    Job(Job),
    End(End),
}

impl Connection {
    /// Starts the task; without a first message it waits in the pool.
    pub(crate) fn start(opened: Opened, key: Arc<Key>, events: EventSink, slot: Slot, first: Option<Job>) {
        let grouped = opened.capabilities.pipelining && key.settings.pipelining != Pipelining::Off;
        let connection = Self {
            stream: opened.wire.stream,
            pipeline: Pipeline::new(grouped),
            capabilities: opened.capabilities,
            key,
            events,
            slot,
            ended: watch::Sender::new(()),
            opened: Instant::now(),
            messages: 0,
            refusals_in_a_row: 0,
            needs_flush: false,
            write_error: None,
        };
        let first = first.ok_or_else(|| connection.park());
        tokio::spawn(connection.run(first));
    }

    async fn run(mut self, first: Result<Job, Parked>) {
        let mut next = match first {
            Ok(job) => Next::Job(job),
            Err(parked) => self.next(parked).await,
        };
        // Each turn is one message; the connection's age and count bound them.
        loop {
            next = match next {
                Next::Job(job) => self.transact(job).await,
                Next::End(end) => return self.end(end).await,
            };
        }
    }

    async fn end(self, end: End) {
        let Self { stream, slot, events, key, ended, .. } = self;
        let (reason, answer) = match end {
            End::Quit(reason) => {
                quit(stream).await;
                (reason.to_owned(), None)
            }
            End::Close(reason, answer) => {
                drop(stream);
                (reason, answer)
            }
        };
        events.emit(|| {
            Event::new("smtp.closed")
                .with("host", key.settings.host.as_str())
                .with("port", key.settings.port)
                .with("reason", reason)
        });
        drop(slot);
        drop(ended);
        if let Some((caller, verdict)) = answer {
            let _ = caller.send(Answer::Verdict(verdict));
        }
    }

    /// One message, and the wait for the next.
    async fn transact(&mut self, job: Job) -> Next {
        let Job { transaction, deadline, cancel, mut answer, committed } = job;
        match Plan::new(&transaction, &self.capabilities) {
            Ok(plan) => self.pipeline.begin(plan),
            Err(error) => {
                let parked = self.park();
                // A caller that went away needs no answer; here and below.
                let _ = answer.send(Answer::NotBegun(error));
                return self.next(parked).await;
            }
        }
        drop(transaction);
        let verdict = self.until_verdict(deadline, &cancel, &mut answer, &committed).await;
        self.count(&verdict);
        if self.pipeline.phase() == Phase::Idle {
            // Offered before the caller hears of it, so that its next message finds it.
            let parked = self.park();
            let _ = answer.send(Answer::Verdict(verdict));
            return self.next(parked).await;
        }
        if self.pipeline.phase() == Phase::Dead {
            return Next::End(End::Close(closing_words(&verdict), Some((answer, verdict))));
        }
        let _ = answer.send(Answer::Verdict(verdict));
        self.drain().await;
        match self.pipeline.phase() {
            Phase::Idle => {
                let parked = self.park();
                self.next(parked).await
            }
            _ => Next::End(End::Close("a message was given up".into(), None)),
        }
    }

    /// Drives the pipeline until it knows what became of the message.
    async fn until_verdict(
        &mut self,
        deadline: Instant,
        cancel: &Cancel,
        answer: &mut oneshot::Sender<Answer>,
        committed: &AtomicBool,
    ) -> Verdict {
        let mut patience = Patience::new(self);
        // Each turn moves octets, or ends the transaction.
        loop {
            if let Some(verdict) = self.pipeline.verdict() {
                return verdict;
            }
            let phase = self.pipeline.phase();
            if phase == Phase::Committed {
                committed.store(true, Ordering::Release);
            }
            let until = patience.until(self);
            tokio::select! {
                biased;
                () = cancel.cancelled() => self.pipeline.abandon(Lost::Cancelled),
                () = answer.closed() => self.pipeline.abandon(Lost::Cancelled),
                // From the terminator on only the server's answer counts.
                () = sleep_until(deadline), if phase != Phase::Committed => {
                    self.pipeline.abandon(Lost::Deadline);
                }
                () = self.exchange() => patience.moved(self),
                () = sleep_until(until) => self.out_of_patience(phase),
            }
        }
    }

    /// Reads the replies to what was sent before a message was given up.
    async fn drain(&mut self) {
        let mut patience = Patience::new(self);
        while !matches!(self.pipeline.phase(), Phase::Idle | Phase::Dead) {
            let until = patience.until(self);
            tokio::select! {
                biased;
                () = self.exchange() => patience.moved(self),
                () = sleep_until(until) => self.out_of_patience(self.pipeline.phase()),
            }
        }
    }

    fn out_of_patience(&mut self, phase: Phase) {
        let why = match (self.write_error.take(), phase) {
            (Some(error), _) => Lost::Connection(error.to_string()),
            (None, Phase::Body) => Lost::TimedOut("progress with the message"),
            (None, Phase::Committed) => Lost::TimedOut("answer to the end of the message"),
            (None, _) => Lost::TimedOut("reply"),
        };
        self.pipeline.closed(why);
    }

    /// Moves some octets, one way or the other.
    async fn exchange(&mut self) {
        std::future::poll_fn(|cx| self.poll_exchange(cx)).await;
    }

    /// Reads first: a refusal that is there saves the rest of the body. A write error is not the end:
    /// what the server said before it closed is still to be read.
    fn poll_exchange(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut octets = [0; 8192];
        let mut buffer = ReadBuf::new(&mut octets);
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            match (read, buffer.filled()) {
                (Ok(()), []) => {
                    let why = self.write_error.take().map(|error| error.to_string());
                    let why = why.unwrap_or_else(|| "closed by the server".to_owned());
                    self.pipeline.closed(Lost::Connection(why));
                }
                (Ok(()), filled) => {
                    self.pipeline.received(filled);
                    self.stream.acknowledge_quickly();
                }
                (Err(error), _) => self.pipeline.closed(Lost::Connection(error.to_string())),
            }
            return Poll::Ready(());
        }
        if self.write_error.is_some() {
            return Poll::Pending;
        }
        let output = self.pipeline.output();
        if !output.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, output)) {
                Ok(0) => self.write_error = Some(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.pipeline.handed_over(n);
                    self.needs_flush = true;
                }
                Err(error) => self.write_error = Some(error),
            }
            return Poll::Ready(());
        }
        if self.needs_flush {
            match ready!(Pin::new(&mut self.stream).poll_flush(cx)) {
                Ok(()) => self.needs_flush = false,
                Err(error) => {
                    self.write_error = Some(error);
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }

    fn mark(&self) -> Mark {
        (self.pipeline.progress(), self.write_error.is_some())
    }

    fn count(&mut self, verdict: &Verdict) {
        self.messages = self.messages.saturating_add(1);
        match verdict.outcome {
            Outcome::Accepted { .. } => self.refusals_in_a_row = 0,
            _ => self.refusals_in_a_row += 1,
        }
    }

    /// Offers the connection for reuse, unless it has served its time.
    fn park(&self) -> Parked {
        let settings = &self.key.settings;
        if self.refusals_in_a_row >= REFUSALS {
            return Err("four refusals in a row");
        }
        if settings.max_messages_per_connection.is_some_and(|max| self.messages >= max) {
            return Err("it has carried its share of messages");
        }
        if settings.max_age.is_some_and(|age| self.opened.elapsed() >= age) {
            return Err("it is old");
        }
        Ok(self.slot.mailbox().park(self.key.clone(), self.ended.subscribe()))
    }

    /// Waits for a message; meanwhile notices what the server does.
    async fn next(&mut self, parked: Parked) -> Next {
        let mut jobs = match parked {
            Ok(jobs) => jobs,
            Err(reason) => return Next::End(End::Quit(reason)),
        };
        let settings = &self.key.settings;
        let far = Instant::now() + FAR;
        let idle = settings.idle_timeout.map_or(far, |limit| Instant::now() + limit);
        let old = settings.max_age.map_or(far, |age| self.opened + age);
        let end = tokio::select! {
            biased;
            closed = unsolicited(&mut self.stream) => End::Close(closed, None),
            job = &mut jobs => match job {
                Ok(job) => return Next::Job(job),
                Err(_) => End::Quit("another connection was needed"),
            },
            () = sleep_until(idle.min(old)) => End::Quit("it was idle"),
        };
        // A message may have been handed over in this moment.
        jobs.close();
        match (jobs.try_recv(), end) {
            (Ok(job), End::Quit(_)) => Next::Job(job),
            (Ok(job), End::Close(why, _)) => {
                let outcome = Outcome::NotDelivered(Lost::Connection(why.clone()));
                let verdict = Verdict { outcome, mail_accepted: false };
                Next::End(End::Close(why, Some((job.answer, verdict))))
            }
            (Err(_), end) => Next::End(end),
        }
    }
}

/// How long to wait without progress.
struct Patience {
    since: Instant,
    mark: Mark,
}

/// Octets handed over, replies due, and whether writing failed: from then on we wait for last words.
type Mark = ((u64, usize), bool);

impl Patience {
    fn new(connection: &Connection) -> Self {
        Self { since: Instant::now(), mark: connection.mark() }
    }

    /// Octets of a reply that does not end are no progress.
    fn moved(&mut self, connection: &Connection) {
        let mark = connection.mark();
        if mark != self.mark {
            *self = Self { since: Instant::now(), mark };
        }
    }

    fn until(&self, connection: &Connection) -> Instant {
        let times = &connection.key.settings.timeouts;
        let limit = match connection.pipeline.phase() {
            _ if connection.write_error.is_some() => times.command.min(LAST_WORDS),
            Phase::Body => times.progress,
            Phase::Committed => times.final_reply,
            _ => times.command,
        };
        self.since + limit
    }
}

/// Ends when the server closes or speaks on an idle connection, with the reason.
async fn unsolicited(stream: &mut Stream) -> String {
    let mut octets = [0; 512];
    let mut buffer = ReadBuf::new(&mut octets);
    match std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut buffer)).await {
        Err(error) => error.to_string(),
        Ok(()) if buffer.filled().is_empty() => "closed by the server".to_owned(),
        Ok(()) => {
            let mut parser = ReplyParser::default();
            parser.push(buffer.filled());
            match parser.next() {
                Ok(Some(reply)) => format!("the server said {reply}"),
                _ => "the server spoke out of turn".to_owned(),
            }
        }
    }
}

fn closing_words(verdict: &Verdict) -> String {
    match &verdict.outcome {
        Outcome::NotDelivered(why) | Outcome::Uncertain(why) => match why {
            Lost::Connection(what) | Lost::Protocol(what) => what.clone(),
            Lost::TimedOut(what) => format!("no {what}"),
            Lost::Deadline => "the call's time was up".to_owned(),
            Lost::Cancelled => "the call was cancelled".to_owned(),
            Lost::ServerClosing(reply) => format!("the server said {reply}"),
        },
        Outcome::Refused { reply, .. } => format!("the server said {reply}"),
        Outcome::Accepted { .. } | Outcome::NoRecipients { .. } => "the server spoke out of turn".to_owned(),
    }
}

/// Servers count errors: Postfix says 421 at the tenth, after punishing pauses.
const REFUSALS: u32 = 4;
/// After a write error, for what the server said before it closed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// For limits that are none.
const FAR: Duration = Duration::from_secs(86_400 * 365);
