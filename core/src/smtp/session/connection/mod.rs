//! A connection is a task that owns the socket and drives the pipeline; callers hold a receiver.
//!
//! Dropping the receiver never touches the socket: it abandons the transaction, and the pipeline says
//! what that means for the connection. While there is room behind the messages under way, the connection
//! offers a seat to the pool; while nothing is under way, itself.

mod clock;
mod exchange;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, Sleep, sleep_until};

use self::clock::{FAR, Patience};
use super::sign_on::Opened;
use super::wire::quit;
use crate::config::{Chunking, Pipelining};
use crate::event::{Event, EventSink};
use crate::message::Reading;
use crate::net::stream::Stream;
use crate::smtp::job::{InFlight, Job, JobAnswer};
use crate::smtp::pool::{Place, RouteKey, ServerFacts, Slot};
use crate::smtp::protocol::capabilities::Capabilities;
use crate::smtp::protocol::pipeline::{Decision, Lost, Mode, Phase, Pipeline, Plan, Verdict};

/// The task's state.
pub(crate) struct Connection {
    stream: Stream,
    pipeline: Pipeline,
    capabilities: Capabilities,
    /// For logs.
    number: u64,
    key: Arc<RouteKey>,
    host: Arc<ServerFacts>,
    events: EventSink,
    /// Given back when the socket is closed.
    slot: Slot,
    /// Dropped with the task: tells who waits for the end.
    ended: watch::Sender<()>,
    opened: Instant,
    /// When it was last looked at whether its place is still its own.
    checked: Instant,
    begun: u32,
    refusals_in_a_row: u32,
    needs_flush: bool,
    write_error: Option<io::Error>,
    /// Messages under way, in order.
    flights: VecDeque<InFlight>,
    /// The body that is read as it goes, and its message.
    reading: Option<(u64, Reading)>,
    /// A message that must wait for room, and its lines.
    held: Option<(Plan, InFlight)>,
    /// What the pool's entry of this connection, or a lease of it, gives us.
    offer: Option<oneshot::Receiver<Job>>,
    place: Arc<Place>,
    /// Answers for callers whose next message shall find this connection, or its slot, free.
    untold: Vec<(InFlight, JobAnswer)>,
    patience: Patience,
    timer: Pin<Box<Sleep>>,
}

/// Why a connection is used no more.
enum End {
    /// The connection is in order: say goodbye.
    Quit(&'static str),
    /// The connection is not in order: close it without another octet.
    Close(String),
}

/// What happened.
enum Wake {
    /// Octets moved, one way or the other.
    Moved,
    /// The pool handed over a message.
    Job(Job),
    /// The pool forgot our offer.
    Forgotten,
    /// This caller went away, or cancelled; `None` is the one held.
    Left(Option<u64>),
    /// The server spoke, or closed, while nothing was under way.
    Unsolicited(String),
    /// Some time limit may have passed.
    Timer,
}

impl Connection {
    /// Starts the task; without a first message it waits in the pool.
    pub(crate) fn start(
        opened: Opened,
        key: Arc<RouteKey>,
        host: Arc<ServerFacts>,
        events: EventSink,
        slot: Slot,
        first: Option<Job>,
    ) {
        let now = Instant::now();
        let place = Arc::new(Place::new(now, slot.lease_state()));
        let (stream, heard) = opened.wire.into_parts();
        let mut connection = Self {
            stream,
            pipeline: Pipeline::resume(mode(&opened.capabilities, &key, &host), heard),
            capabilities: opened.capabilities,
            number: opened.number,
            key,
            host,
            events,
            slot,
            ended: watch::Sender::new(()),
            opened: now,
            checked: now,
            begun: 0,
            refusals_in_a_row: 0,
            needs_flush: false,
            write_error: None,
            flights: VecDeque::new(),
            reading: None,
            held: None,
            offer: None,
            place,
            untold: Vec::new(),
            patience: Patience::new(now),
            timer: Box::pin(sleep_until(now + FAR)),
        };
        match first {
            Some(job) => {
                connection.admit(job);
                connection.pipeline.look();
            }
            // Offered before the caller hears of it, so that its next message finds it.
            None => drop(connection.make_offer()),
        }
        tokio::spawn(connection.run());
    }

    async fn run(mut self) {
        // The connection's age and its count of messages bound the turns.
        let end = loop {
            self.stop_if_lost();
            self.learn();
            if self.pipeline.phase() == Phase::Dead {
                break End::Close(self.closing_words());
            }
            self.begin_held();
            if self.write_error.is_some() && self.pipeline.phase() == Phase::Idle {
                break End::Close("it can be written to no more".to_owned());
            }
            if let Some(end) = self.make_offer() {
                break end;
            }
            self.tell();
            match poll_fn(|cx| self.poll_turn(cx)).await {
                Wake::Moved => {}
                Wake::Job(job) => {
                    self.offer = None;
                    self.admit(job);
                }
                Wake::Forgotten => {
                    self.offer = None;
                    if self.place.was_evicted() && self.pipeline.phase() == Phase::Idle {
                        break End::Quit("another connection was needed");
                    }
                }
                Wake::Left(id) => self.give_up(id, Lost::Cancelled),
                Wake::Unsolicited(what) => break End::Close(what),
                Wake::Timer => {
                    if let Some(end) = self.look_at_the_clock() {
                        break end;
                    }
                }
            }
        };
        self.end(end).await;
    }

    async fn end(mut self, end: End) {
        // A message may have been handed over in this moment.
        if let Some(mut jobs) = self.offer.take() {
            self.slot.pool().withdraw(&self.place);
            jobs.close();
            if let Ok(job) = jobs.try_recv() {
                self.hold(job);
            }
        }
        let Self { stream, slot, events, key, ended, untold, held, number, .. } = self;
        let reason = match end {
            End::Quit(reason) => {
                quit(stream).await;
                reason.to_owned()
            }
            End::Close(reason) => {
                drop(stream);
                reason
            }
        };
        events.emit(|| {
            Event::new("smtp.closed")
                .with("host", key.settings.host.as_str())
                .with("port", key.settings.port)
                .with("connection", number)
                .with("reason", reason.as_str())
        });
        // In this order: whoever gets the slot's place must not take this one for still closing.
        drop(ended);
        drop(slot);
        // The next try of each finds the slot free.
        for (flight, answer) in untold {
            flight.answer(answer);
        }
        if let Some((_, flight)) = held {
            let outcome = Decision::NotDelivered(Lost::Connection(reason));
            flight.answer(JobAnswer::Verdict(Verdict { outcome, mail_accepted: false }));
        }
    }

    /// Takes a message on, or tells its caller at once that this server cannot have it.
    fn admit(&mut self, job: Job) {
        self.hold(job);
        self.begin_held();
    }

    fn hold(&mut self, mut job: Job) {
        job.transaction.fit(&self.capabilities);
        job.course.connection.store(self.number, Ordering::Relaxed);
        match Plan::new(&job.transaction, &self.capabilities) {
            Ok(plan) => self.held = Some((plan, InFlight::new(job))),
            Err(error) => self.untold.push((InFlight::new(job), JobAnswer::Failed(error))),
        }
    }

    fn begin_held(&mut self) {
        if let Some((plan, mut flight)) = self.held.take_if(|(plan, _)| self.pipeline.takes(plan)) {
            if self.flights.is_empty() {
                self.patience = Patience::new(Instant::now());
            }
            flight.id = self.pipeline.begin(plan);
            self.begun = self.begun.saturating_add(1);
            self.flights.push_back(flight);
        }
    }

    /// What is committed under a lost lease gets its answer; nothing else goes on.
    fn stop_if_lost(&mut self) {
        if !self.place.is_lost() {
            return;
        }
        let why = || Lost::Connection("another process has this connection's place".to_owned());
        let begun = self.flights.iter().map(|flight| flight.id);
        let uncommitted: Vec<u64> = begun.filter(|id| !self.pipeline.is_committed(*id)).collect();
        for id in uncommitted {
            self.pipeline.abandon(id, why());
        }
        if self.held.is_some() {
            self.give_up(None, why());
        }
    }

    /// Takes over what the pipeline knows by now.
    fn learn(&mut self) {
        while let Some((id, verdict)) = self.pipeline.verdict() {
            match verdict.outcome {
                Decision::Accepted { .. } => self.refusals_in_a_row = 0,
                Decision::Refused { .. } | Decision::NoRecipients { .. } => self.refusals_in_a_row += 1,
                Decision::NotDelivered(_) | Decision::Uncertain(_) => {}
            }
            if let Some(at) = self.flights.iter().position(|flight| flight.id == id)
                && let Some(flight) = self.flights.remove(at)
            {
                self.answer_with(flight, verdict);
            }
        }
        for flight in &self.flights {
            if !flight.course.committed.load(Ordering::Relaxed) && self.pipeline.is_committed(flight.id) {
                flight.course.committed.store(true, Ordering::Release);
            }
        }
        if self.pipeline.is_out_of_step() && self.host.fall_back_to_groups() {
            self.events.emit(|| {
                Event::new("warning").with("code", "pipelining").with("message", format!(
                    "{} cannot follow when commands run ahead of their replies; from now on mailbearer sends to it in groups",
                    self.key.settings.host
                ))
            });
        }
        if self.host.in_groups_only() {
            self.pipeline.demote();
        }
    }

    fn answer_with(&mut self, mut flight: InFlight, verdict: Verdict) {
        if self.reading.as_ref().is_some_and(|(id, _)| *id == flight.id) {
            self.reading = None;
        }
        let answer = match flight.failure.take() {
            Some(error) => JobAnswer::Failed(error),
            None => JobAnswer::Verdict(verdict),
        };
        self.untold.push((flight, answer));
    }

    fn tell(&mut self) {
        for (flight, answer) in self.untold.drain(..) {
            flight.answer(answer);
        }
    }

    /// Keeps the pool's view of this connection true; says why it ends, if it is free and has served its time.
    fn make_offer(&mut self) -> Option<End> {
        let retired = self.retired();
        let idle = self.pipeline.phase() == Phase::Idle && self.held.is_none();
        let room = self.held.is_none() && self.pipeline.has_room();
        let pool = self.slot.pool();
        if (idle || room) && retired.is_none() {
            if self.offer.is_none() {
                let (key, ended) = (self.key.clone(), self.ended.subscribe());
                self.offer = Some(pool.offer(key, ended, self.place.clone(), !idle));
            } else if self.place.is_seat() == idle {
                pool.moved(&self.place, !idle);
            }
            return None;
        }
        // Where somebody was given it already, the message is on its way.
        if self.offer.is_some() && pool.withdraw(&self.place) {
            self.offer = None;
        }
        match (idle, &self.offer, retired) {
            (true, None, Some(reason)) => Some(End::Quit(reason)),
            _ => None,
        }
    }

    fn retired(&self) -> Option<&'static str> {
        let settings = &self.key.settings;
        if self.refusals_in_a_row >= REFUSALS {
            return Some("four refusals in a row");
        }
        if settings.max_messages_per_connection.is_some_and(|max| self.begun >= max) {
            return Some("it has carried its share of messages");
        }
        if self.place.is_lost() {
            return Some("another process has its place");
        }
        if self.place.is_to_go() {
            return Some("another process waits for a connection");
        }
        settings.max_age.is_some_and(|age| self.opened.elapsed() >= age).then_some("it is old")
    }

    fn closing_words(&self) -> String {
        let words = self.untold.iter().rev().find_map(|(_, answer)| match answer {
            JobAnswer::Verdict(verdict) => Some(closing_words(&verdict.outcome)),
            JobAnswer::Failed(_) => None,
        });
        words.unwrap_or_else(|| "a message was given up".to_owned())
    }

    fn give_up(&mut self, id: Option<u64>, why: Lost) {
        match id {
            Some(id) => self.pipeline.abandon(id, why),
            None => {
                if let Some((_, flight)) = self.held.take() {
                    let outcome = Decision::NotDelivered(why);
                    flight.answer(JobAnswer::Verdict(Verdict { outcome, mail_accepted: false }));
                }
            }
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        for at in 0..self.flights.len() {
            if self.flights[at].poll_left(cx).is_ready() {
                let id = self.flights[at].id;
                if self.pipeline.is_committed(id) {
                    // The answer may be there already: then it counts.
                    let _ = self.poll_exchange(cx);
                }
                return Poll::Ready(Wake::Left(Some(id)));
            }
        }
        if let Some((_, flight)) = &mut self.held
            && flight.poll_left(cx).is_ready()
        {
            return Poll::Ready(Wake::Left(None));
        }
        if let Some(jobs) = &mut self.offer
            && let Poll::Ready(job) = Pin::new(jobs).poll(cx)
        {
            return Poll::Ready(job.map_or(Wake::Forgotten, Wake::Job));
        }
        let idle = self.pipeline.phase() == Phase::Idle;
        if idle {
            if let Poll::Ready(what) = self.poll_unsolicited(cx) {
                return Poll::Ready(Wake::Unsolicited(what));
            }
        } else if self.poll_exchange(cx).is_ready() {
            self.patience.moved((self.pipeline.progress(), self.write_error.is_some()));
            return Poll::Ready(Wake::Moved);
        }
        self.poll_timer(cx)
    }
}

fn mode(server: &Capabilities, key: &RouteKey, host: &ServerFacts) -> Mode {
    let (pipelining, chunking) = (key.settings.pipelining, key.settings.chunking);
    let grouped = server.pipelining && pipelining != Pipelining::Off;
    let chunking = if server.chunking { chunking } else { Chunking::Off };
    // Chunks are asked for by those who want to run ahead.
    let wanted = pipelining == Pipelining::Chain || chunking == Chunking::Pipelined;
    Mode { grouped, ahead: grouped && wanted && !host.in_groups_only(), chunking }
}

fn closing_words(outcome: &Decision) -> String {
    match outcome {
        Decision::NotDelivered(why) | Decision::Uncertain(why) => match why {
            Lost::Connection(what) | Lost::Protocol(what) => what.clone(),
            Lost::TimedOut(what) => format!("no {what}"),
            Lost::Deadline => "the call's time was up".to_owned(),
            Lost::Cancelled => "the call was cancelled".to_owned(),
            Lost::ServerClosing(reply) | Lost::OutOfStep(reply) => format!("the server said {reply}"),
        },
        Decision::Refused { reply, .. } => format!("the server said {reply}"),
        Decision::Accepted { .. } | Decision::NoRecipients { .. } => {
            "the server spoke out of turn".to_owned()
        }
    }
}

/// Servers count errors: Postfix says 421 at the tenth, after punishing pauses.
const REFUSALS: u32 = 4;
