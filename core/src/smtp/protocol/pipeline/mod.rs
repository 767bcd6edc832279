//! What goes over an authenticated connection, and what became of it: pure, without clock or socket.
//!
//! Transactions, "n octets were handed over", reply octets and "closed" go in; octets to write and
//! verdicts come out (RFC 5321 §3.3, RFC 2920 §3.1, RFC 3030). It never retries and never reads the time.

mod plan;
#[cfg(test)]
mod random_tests;
mod replies;
#[cfg(test)]
mod table_tests;
mod transaction;
mod verdict;
mod writing;

use std::collections::VecDeque;

pub(crate) use self::plan::{Plan, too_large};
pub(crate) use self::transaction::Mode;
pub(crate) use self::verdict::{Decision, Lost, Verdict};

use self::transaction::{BodyProgress, Carriage, Command, Expected, OpenTransaction, WINDOW_OCTETS};
use super::reply::ReplyParser;
use crate::error::Reply;
use crate::message::Piece;

/// One connection's transactions, in order. Those under way are few: one, two, or a window of them.
#[derive(Debug)]
pub(crate) struct Pipeline {
    mode: Mode,
    out: Vec<u8>,
    /// Octets of `out` handed over.
    written: usize,
    /// Octets handed over since the beginning, and queued since the beginning.
    total_written: u64,
    total_queued: u64,
    parser: ReplyParser,
    replies: u64,
    /// Commands without a reply, in order.
    expected: VecDeque<Expected>,
    /// Transactions whose replies are not all in, in order.
    open: VecDeque<OpenTransaction>,
    next_id: u64,
    verdicts: VecDeque<(u64, Verdict)>,
    /// A transaction was left open: RSET goes before the next MAIL.
    needs_reset: bool,
    /// Nothing more is written; what was committed waits for its reply.
    stopped: bool,
    /// The server cannot follow when commands run ahead.
    out_of_step: bool,
    dead: bool,
}

/// What the connection is waiting for, to be timed by its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing under way: ready for [`Pipeline::begin`].
    Idle,
    /// Commands are being written, or a reply to one is due.
    Commands,
    /// A body is going out.
    Body,
    /// A terminator was handed over: its reply decides.
    Committed,
    /// Of no use any more: close, without another octet.
    Dead,
}

impl Pipeline {
    /// Goes on where the sign-in ended; `heard` is what the server has said since.
    pub(crate) fn resume(mode: Mode, heard: ReplyParser) -> Self {
        Self { parser: heard, ..Self::new(mode) }
    }

    /// For a connection on which nothing is under way.
    pub(crate) fn new(mode: Mode) -> Self {
        Self {
            mode,
            out: Vec::new(),
            written: 0,
            total_written: 0,
            total_queued: 0,
            parser: ReplyParser::default(),
            replies: 0,
            expected: VecDeque::new(),
            open: VecDeque::new(),
            next_id: 0,
            verdicts: VecDeque::new(),
            needs_reset: false,
            stopped: false,
            out_of_step: false,
            dead: false,
        }
    }

    /// From now on nothing runs ahead.
    pub(crate) fn demote(&mut self) {
        self.mode.ahead = false;
    }

    /// Whether some transaction could be begun now.
    pub(crate) fn has_room(&self) -> bool {
        if self.dead || self.stopped {
            return false;
        }
        let Some(last) = self.open.back() else { return true };
        self.mode.ahead
            && last.is_queued()
            && !last.decided
            && self.open.len() < self.mode.depth()
            && self.unanswered_octets() < WINDOW_OCTETS
    }

    /// Whether this one could be.
    pub(crate) fn takes(&self, plan: &Plan) -> bool {
        self.has_room()
            && (self.open.is_empty()
                || self.mode.carriage(plan) != Carriage::Window
                || self.unanswered_octets() + plan.octets_in_memory() <= WINDOW_OCTETS)
    }

    /// Starts a transaction that is [taken](Self::takes); the number comes back with its verdict.
    pub(crate) fn begin(&mut self, plan: Plan) -> u64 {
        debug_assert!(self.takes(&plan));
        let id = self.next_id;
        self.next_id += 1;
        let chained = !self.open.is_empty();
        // A server that keeps the envelope of a failed message would send this one under its sender.
        let reset_first = std::mem::take(&mut self.needs_reset) || chained;
        self.open.push_back(OpenTransaction {
            id,
            carriage: self.mode.carriage(&plan),
            begun_at: self.total_queued,
            reset_first,
            chained,
            recipients: vec![None; plan.envelope.rcpt_to.len()],
            plan,
            next_rcpt: 0,
            data_sent: false,
            mail: None,
            outstanding: 0,
            decided: false,
            body: BodyProgress::NotBegun,
        });
        if reset_first {
            self.command(Command::Reset, |_, out| out.extend_from_slice(b"RSET\r\n"));
            if !self.mode.grouped {
                return id;
            }
        }
        self.send_mail();
        id
    }

    /// The octets to be written next; empty if there are none now.
    pub(crate) fn output(&mut self) -> &[u8] {
        if self.dead || self.stopped {
            return &[];
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
            self.fill();
        }
        match self.out.is_empty() {
            true => self.plain_rest(),
            false => &self.out[self.written..],
        }
    }

    /// Octets of a body that need no looking at, straight from where they were read.
    fn plain_rest(&self) -> &[u8] {
        match self.open.back().filter(|last| !last.decided).map(|last| &last.body) {
            Some(BodyProgress::Going(stuffing)) => stuffing.plain_rest(),
            _ => &[],
        }
    }

    /// The transaction whose body is to be [fed](Self::feed) before there can be more output.
    pub(crate) fn hungry(&self) -> Option<u64> {
        let last = self.open.back().filter(|last| !last.decided && !self.dead && !self.stopped)?;
        let wants = matches!(&last.body, BodyProgress::Going(stuffing) if stuffing.wants_more());
        (wants && self.written == self.out.len()).then_some(last.id)
    }

    /// The next octets of the [hungry](Self::hungry) one's body, `None` at its end. CRLF line ends, not
    /// dot-stuffed.
    pub(crate) fn feed(&mut self, piece: Option<Piece>) {
        let Some(last) = self.open.back_mut() else { return };
        if let BodyProgress::Going(stuffing) = &mut last.body {
            match piece {
                Some(Piece { octets, plain: true }) => stuffing.push_plain(octets),
                Some(Piece { octets, plain: false }) => stuffing.push(octets),
                None => stuffing.end(),
            }
        }
    }

    /// The first `n` octets of [`Pipeline::output`] were handed to TLS.
    pub(crate) fn handed_over(&mut self, n: usize) {
        self.total_written += n as u64;
        if !self.out.is_empty() {
            self.written += n;
        } else if let Some(BodyProgress::Going(stuffing)) = self.open.back_mut().map(|last| &mut last.body) {
            stuffing.plain_went(n);
            self.total_queued += n as u64;
        }
    }

    /// The server sent these octets.
    pub(crate) fn received(&mut self, octets: &[u8]) {
        if self.dead {
            return;
        }
        self.parser.push(octets);
        self.look();
        if !self.dead && self.open.is_empty() && !self.parser.is_empty() {
            // Half a reply to nothing: what follows would be shifted against our commands.
            self.dead = true;
        }
    }

    /// Takes the replies that are there.
    pub(crate) fn look(&mut self) {
        while !self.dead {
            match self.parser.next() {
                Ok(Some(reply)) => self.reply(reply),
                Ok(None) => break,
                Err(malformed) => self.lose(Lost::Protocol(malformed.0)),
            }
        }
    }

    /// The connection is over: end of file, an error, or the driver's patience.
    pub(crate) fn closed(&mut self, why: Lost) {
        self.lose(why);
    }

    /// The caller wants no more of a transaction. The verdict is there at once; the connection lives on
    /// if it can be brought back to a clean state, and as long as an earlier message is unanswered.
    pub(crate) fn abandon(&mut self, id: u64, why: Lost) {
        let Some(at) = self.at(id) else { return };
        let one = &self.open[at];
        if one.decided {
            return;
        }
        if one.is_committed(self.total_written) {
            return self.decide(at, Decision::Uncertain(why));
        }
        if self.total_written <= one.begun_at {
            return self.take_back(at, why);
        }
        let begun = !matches!(one.body, BodyProgress::NotBegun);
        self.decide(at, Decision::NotDelivered(why));
        if begun {
            // Nothing but closing without the end stops a body that has begun (RFC 5321 §4.1.1.4).
            self.stop(at);
        } else {
            self.go_on(at);
        }
    }

    /// A verdict, once, as soon as it is known, and the number of its transaction.
    pub(crate) fn verdict(&mut self) -> Option<(u64, Verdict)> {
        self.verdicts.pop_front()
    }

    /// Whether the last octet of this transaction was handed over.
    pub(crate) fn is_committed(&self, id: u64) -> bool {
        self.at(id).is_some_and(|at| self.open[at].is_committed(self.total_written))
    }

    /// What is being waited for.
    pub(crate) fn phase(&self) -> Phase {
        let writing = self.written < self.out.len();
        let (Some(first), Some(last)) = (self.open.front(), self.open.back()) else {
            return match (self.dead || self.stopped, writing) {
                (true, _) => Phase::Dead,
                // The rest of a chunk that was refused already.
                (false, true) => Phase::Body,
                (false, false) => Phase::Idle,
            };
        };
        if self.dead {
            return Phase::Dead;
        }
        let going = matches!(last.body, BodyProgress::Going(_)) && !last.decided;
        if going || (writing && last.is_queued()) {
            Phase::Body
        } else if !writing && first.is_committed(self.total_written) && self.the_end_is_due() {
            Phase::Committed
        } else {
            Phase::Commands
        }
    }

    /// Changes whenever octets were handed over or a reply was read: what a time limit is measured by.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.total_written, self.replies)
    }

    /// The command whose reply is due next.
    pub(crate) fn due(&self) -> Option<&'static str> {
        self.expected.front().map(|expected| expected.command.name())
    }

    /// Whether the reply that is due is to an RSET that went together with the end of the message before, which was
    /// answered. It follows at once, or never: some servers drop what comes in one piece with the final dot.
    pub(crate) fn awaits_chained_reset(&self) -> bool {
        self.expected.front().is_some_and(|due| due.command == Command::Reset && self.ran_ahead(due))
    }

    /// Whether the server turned out not to follow when commands run ahead.
    pub(crate) fn is_out_of_step(&self) -> bool {
        self.out_of_step
    }

    fn at(&self, id: u64) -> Option<usize> {
        // Numbers may be missing between: some transactions were taken back.
        self.open.iter().position(|one| one.id == id)
    }

    fn the_end_is_due(&self) -> bool {
        self.expected.front().is_some_and(|expected| expected.command.ends_the_message())
    }

    fn unanswered_octets(&self) -> u64 {
        self.open.front().map_or(0, |first| self.total_queued - first.begun_at)
    }

    /// Goes on with the `at`th when nothing of it is outstanding, or makes way for the next.
    fn go_on(&mut self, at: usize) {
        if self.dead || self.open[at].outstanding > 0 {
            return;
        }
        let one = &self.open[at];
        if !one.decided && !self.stopped {
            match &one.mail {
                None => return self.send_mail(),
                Some(_) if one.mail_refused() => self.decide_envelope(at),
                Some(_) if one.next_rcpt < one.plan.envelope.rcpt_to.len() => return self.send_recipients(),
                Some(_) if !one.anyone() || one.refuses_partial() => self.decide_envelope(at),
                Some(_) => return self.send_body(),
            }
        }
        debug_assert!(self.open[at].decided);
        // Replies come in order, so that those before it are gone already.
        self.open.remove(at);
        if self.stopped && self.open.iter().all(|one| one.decided) {
            self.dead = true;
        }
    }

    /// Nothing of this transaction has left us: it is as if it had never begun.
    fn take_back(&mut self, at: usize, why: Lost) {
        self.decide(at, Decision::NotDelivered(why));
        let end = self.open.get(at + 1).map_or(self.total_queued, |next| next.begun_at);
        let Some(one) = self.open.remove(at) else { return };
        let octets = end - one.begun_at;
        // It lies in `out` whole, since nothing of it was handed over.
        let base = self.total_queued - self.out.len() as u64;
        let start = (one.begun_at - base) as usize;
        self.out.drain(start..start + octets as usize);
        self.total_queued -= octets;
        self.expected.retain(|expected| expected.id != one.id);
        for later in self.open.range_mut(at..) {
            later.begun_at -= octets;
            if let BodyProgress::Queued { end } = &mut later.body {
                *end -= octets;
            }
        }
        for expected in self.expected.iter_mut().filter(|expected| expected.id > one.id) {
            expected.until = expected.until.saturating_sub(octets);
        }
        if at == self.open.len() {
            self.needs_reset = one.reset_first;
        }
    }

    /// Writes nothing more. The transactions behind the `at`th are lost; those before it, of which all is
    /// handed over, wait for their replies.
    fn stop(&mut self, at: usize) {
        self.stopped = true;
        self.out.clear();
        self.written = 0;
        self.total_queued = self.total_written;
        let behind = "closed, because an earlier message was given up";
        for later in at + 1..self.open.len() {
            self.decide(later, Decision::NotDelivered(Lost::Connection(behind.to_owned())));
        }
        let written = self.total_written;
        let open = &mut self.open;
        self.expected.retain(|expected| {
            let Some(one) = open.iter_mut().find(|one| one.id == expected.id) else { return false };
            let cut = expected.command.ends_the_message() && !one.is_committed(written);
            let due = expected.until <= written && !cut;
            if !due {
                one.outstanding -= 1;
            }
            due
        });
        while self.open.back().is_some_and(|last| last.decided && last.outstanding == 0) {
            self.open.pop_back();
        }
        if self.open.iter().all(|one| one.decided) {
            self.dead = true;
        }
    }

    /// MAIL or the recipients decided.
    fn decide_envelope(&mut self, at: usize) {
        let outcome = self.open[at].envelope_outcome();
        self.decide(at, outcome);
    }

    fn decide(&mut self, at: usize, outcome: Decision) {
        let one = &mut self.open[at];
        if std::mem::replace(&mut one.decided, true) {
            return;
        }
        let mail_accepted = one.mail.as_ref().is_some_and(Reply::is_positive);
        self.out_of_step |= matches!(outcome, Decision::NotDelivered(Lost::OutOfStep(_)));
        // Those behind it, if any, brought their own RSET.
        if at + 1 == self.open.len() {
            self.needs_reset = !matches!(outcome, Decision::Accepted { .. });
        }
        let id = self.open[at].id;
        self.verdicts.push_back((id, Verdict { outcome, mail_accepted }));
    }
}

/// A group stays far below any TCP window, so that neither side can block on the other (RFC 2920 §3.1).
pub(super) const GROUP: usize = 100;
pub(super) const GROUP_OCTETS: usize = 32 * 1024;
/// Body octets encoded at once: four TLS records.
const CHUNK: usize = 64 * 1024;
