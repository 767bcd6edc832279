//! What goes over an authenticated connection, and what became of it: pure, without clock or socket.
//!
//! Transactions, "n octets were handed over", reply octets and "closed" go in; octets to write and
//! verdicts come out (RFC 5321 §3.3, RFC 2920 §3.1). It never retries and never reads the time.

mod plan;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod table_tests;
mod verdict;

use std::collections::VecDeque;

pub(crate) use plan::Plan;
pub(crate) use verdict::{Lost, Outcome, Verdict};

use super::reply::ReplyParser;
use crate::config::Partial;
use crate::receipt::Reply;

/// One connection's transactions, one after the other.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// PIPELINING is offered and wanted; else one command at a time.
    grouped: bool,
    out: Vec<u8>,
    /// Octets of `out` handed over.
    written: usize,
    /// Octets handed over since the beginning, and queued since the beginning.
    total_written: u64,
    total_queued: u64,
    parser: ReplyParser,
    /// Commands without a reply, in order.
    expected: VecDeque<Expected>,
    current: Option<Current>,
    verdict: Option<Verdict>,
    /// A transaction was left open: RSET goes before the next MAIL.
    needs_reset: bool,
    dead: bool,
}

/// What the connection is waiting for, to be timed by its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing under way: ready for [`Pipeline::begin`].
    Idle,
    /// Commands are being written, or a reply to one is due.
    Commands,
    /// The body is going out.
    Body,
    /// The terminator was handed over: its reply decides.
    Committed,
    /// Of no use any more: close, without another octet.
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The end of the body; expected from its first octet on, since a refusal may come early.
    End,
    /// The end of an empty body that must not be delivered.
    LoneDot,
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    command: Command,
    /// `total_queued` behind the command: a reply before that was handed over answers nothing.
    until: u64,
}

#[derive(Debug)]
struct Current {
    plan: Plan,
    /// `total_written` at its begin: until it moves, nothing of this transaction left us.
    begun_at: u64,
    reset_first: bool,
    /// The next recipient to be sent.
    next_rcpt: usize,
    data_sent: bool,
    mail: Option<Reply>,
    recipients: Vec<Option<Reply>>,
    /// The verdict was given; what is left are replies to commands sent before.
    decided: bool,
    body: BodyState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    NotBegun,
    Going,
    Committed,
}

impl Pipeline {
    /// For a connection on which nothing is under way.
    pub(crate) fn new(grouped: bool) -> Self {
        Self {
            grouped,
            out: Vec::new(),
            written: 0,
            total_written: 0,
            total_queued: 0,
            parser: ReplyParser::default(),
            expected: VecDeque::new(),
            current: None,
            verdict: None,
            needs_reset: false,
            dead: false,
        }
    }

    /// Starts a transaction. Only while the phase is [`Phase::Idle`].
    pub(crate) fn begin(&mut self, plan: Plan) {
        debug_assert_eq!(self.phase(), Phase::Idle);
        let reset_first = std::mem::take(&mut self.needs_reset);
        self.current = Some(Current {
            begun_at: self.total_written,
            reset_first,
            recipients: vec![None; plan.recipients.len()],
            plan,
            next_rcpt: 0,
            data_sent: false,
            mail: None,
            decided: false,
            body: BodyState::NotBegun,
        });
        if reset_first {
            self.command(Command::Reset, b"RSET\r\n");
            if !self.grouped {
                return;
            }
        }
        self.send_mail();
    }

    /// The octets to be written next; empty if there are none now.
    pub(crate) fn output(&mut self) -> &[u8] {
        if self.dead {
            return &[];
        }
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
            if let Some(current) = &mut self.current
                && current.body == BodyState::Going
                && !current.decided
            {
                current.plan.body.fill(&mut self.out, CHUNK);
                self.total_queued += self.out.len() as u64;
            }
        }
        &self.out[self.written..]
    }

    /// The first `n` octets of [`Pipeline::output`] were handed to TLS.
    pub(crate) fn handed_over(&mut self, n: usize) {
        self.written += n;
        self.total_written += n as u64;
        if self.written == self.out.len()
            && let Some(current) = &mut self.current
            && current.body == BodyState::Going
            && current.plan.body.is_finished()
        {
            current.body = BodyState::Committed;
        }
    }

    /// The server sent these octets.
    pub(crate) fn received(&mut self, octets: &[u8]) {
        if self.dead {
            return;
        }
        self.parser.push(octets);
        while !self.dead {
            match self.parser.next() {
                Ok(Some(reply)) => self.reply(reply),
                Ok(None) => break,
                Err(malformed) => self.lose(Lost::Protocol(malformed.0)),
            }
        }
        if !self.dead && self.current.is_none() && !self.parser.is_empty() {
            // Half a reply to nothing: what follows would be shifted against our commands.
            self.dead = true;
        }
    }

    /// The connection is over: end of file, an error, or the driver's patience.
    pub(crate) fn closed(&mut self, why: Lost) {
        self.lose(why);
    }

    /// The caller wants no more of this transaction. The verdict is there at once; the connection
    /// lives on if it can be brought back to a clean state.
    pub(crate) fn abandon(&mut self, why: Lost) {
        let Some(current) = &self.current else { return };
        if current.decided {
            return;
        }
        match current.body {
            BodyState::Committed => self.decide(Outcome::Uncertain(why)),
            // Nothing but closing without the dot ends a body that has begun (RFC 5321 §4.1.1.4).
            BodyState::Going => self.lose(why),
            BodyState::NotBegun if self.total_written == current.begun_at => {
                let reset_first = current.reset_first;
                self.decide(Outcome::NotDelivered(why));
                self.out.clear();
                self.written = 0;
                self.total_queued = self.total_written;
                self.expected.clear();
                self.current = None;
                self.needs_reset = reset_first;
            }
            BodyState::NotBegun => {
                self.decide(Outcome::NotDelivered(why));
                self.settle();
            }
        }
    }

    /// The verdict, once, as soon as it is known.
    pub(crate) fn verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    /// What is being waited for.
    pub(crate) fn phase(&self) -> Phase {
        match &self.current {
            _ if self.dead => Phase::Dead,
            None => Phase::Idle,
            Some(current) => match current.body {
                BodyState::NotBegun => Phase::Commands,
                BodyState::Going => Phase::Body,
                BodyState::Committed => Phase::Committed,
            },
        }
    }

    /// Changes whenever octets were handed over or a reply was read: what a time limit is measured by.
    pub(crate) fn progress(&self) -> (u64, usize) {
        (self.total_written, self.expected.len())
    }

    fn reply(&mut self, reply: Reply) {
        let Some(expected) = self.expected.front().copied() else {
            let what = format!("a reply to nothing: {reply}");
            return self.lose(if reply.code == 421 {
                Lost::ServerClosing(reply)
            } else {
                Lost::Protocol(what)
            });
        };
        let committed = self.current.as_ref().is_some_and(|c| c.body == BodyState::Committed);
        let early = self.total_written < expected.until && !committed;
        let reply = Reply { command: Some(expected.command.name().to_owned()), ..reply };
        if expected.command == Command::End && early {
            return self.early_end(reply);
        }
        if reply.code == 421 {
            return self.server_closes(expected.command, reply);
        }
        if early {
            return self.lose(Lost::Protocol(format!("a reply before its command: {reply}")));
        }
        self.expected.pop_front();
        let class = reply.code / 100;
        let Some(current) = &mut self.current else { return };
        match expected.command {
            Command::Mail | Command::Rcpt(_) if class == 3 => return self.unexpected(&reply),
            Command::Mail => current.mail = Some(reply),
            Command::Rcpt(at) => current.recipients[at] = Some(reply),
            Command::Reset if class == 2 => {}
            // The server keeps the old envelope: nothing may be added to it.
            Command::Reset => return self.lose(Lost::ServerClosing(reply)),
            Command::Data => return self.data_answered(reply),
            Command::End if class == 2 => {
                let recipients = std::mem::take(&mut current.recipients);
                self.decide(Outcome::Accepted { reply, recipients });
            }
            Command::End if class == 3 => return self.unexpected(&reply),
            Command::End => {
                self.refuse(reply);
            }
            Command::LoneDot => self.decide_envelope(),
        }
        self.settle();
    }

    /// A reply to the body before its end was handed over.
    fn early_end(&mut self, reply: Reply) {
        if matches!(reply.code / 100, 4 | 5) {
            self.refuse(reply);
        } else {
            self.decide(Outcome::NotDelivered(Lost::Protocol(format!(
                "a reply before its command: {reply}"
            ))));
        }
        self.dead = true;
    }

    fn server_closes(&mut self, command: Command, reply: Reply) {
        self.decide_lone_dot();
        let accepted_mail = self.current.as_ref().is_some_and(|c| c.mail.is_some());
        if accepted_mail || command == Command::End {
            self.refuse(reply);
        } else {
            self.decide(Outcome::NotDelivered(Lost::ServerClosing(reply)));
        }
        self.dead = true;
    }

    fn data_answered(&mut self, reply: Reply) {
        let Some(current) = &mut self.current else { return };
        let go = reply.code == 354;
        if !go && reply.code / 100 < 4 {
            return self.unexpected(&reply);
        }
        let mail_refused = current.mail.as_ref().is_some_and(|mail| !mail.is_positive());
        if go && (mail_refused || current.decided) {
            // An end would deliver an empty message, or one that nobody waits for.
            self.decide_envelope();
            self.dead = true;
            return;
        }
        if go && !current.anyone() {
            return self.command(Command::LoneDot, b".\r\n");
        }
        if go {
            current.body = BodyState::Going;
            // The terminator's place is not known yet: every reply before it is early.
            self.expected.push_back(Expected { command: Command::End, until: u64::MAX });
            return;
        }
        if current.anyone() && !mail_refused {
            self.refuse(reply);
        } else {
            self.decide_envelope();
        }
        self.settle();
    }

    /// Goes on when nothing is outstanding, or frees the connection for the next transaction.
    fn settle(&mut self) {
        if self.dead {
            return;
        }
        if self.written < self.out.len() || !self.expected.is_empty() {
            return;
        }
        let Some(current) = &self.current else { return };
        if current.decided {
            self.current = None;
            return;
        }
        match &current.mail {
            None => return self.send_mail(),
            Some(mail) if !mail.is_positive() => self.decide_envelope(),
            Some(_) if current.next_rcpt < current.plan.recipients.len() => return self.send_recipients(),
            Some(_) if !current.anyone() || current.refuses_partial() => self.decide_envelope(),
            Some(_) => return self.send_data(),
        }
        self.current = None;
    }

    fn send_mail(&mut self) {
        let Some(current) = &mut self.current else { return };
        let line = std::mem::take(&mut current.plan.mail);
        self.command(Command::Mail, line.as_bytes());
        if self.grouped {
            self.send_recipients();
        }
    }

    /// One group, or one command; with DATA behind the last if nothing forbids it.
    fn send_recipients(&mut self) {
        let begin = self.out.len();
        for sent in 0.. {
            let Some(current) = &mut self.current else { return };
            let at = current.next_rcpt;
            let Some(line) = current.plan.recipients.get_mut(at).map(std::mem::take) else { break };
            if sent == GROUP || self.out.len() - begin > GROUP_OCTETS || (!self.grouped && sent == 1) {
                current.plan.recipients[at] = line;
                return;
            }
            current.next_rcpt += 1;
            self.command(Command::Rcpt(at), line.as_bytes());
        }
        let held = self.current.as_ref().is_some_and(|c| c.plan.partial == Partial::Refuse);
        if self.grouped && !held {
            self.send_data();
        }
    }

    fn send_data(&mut self) {
        if let Some(current) = &mut self.current
            && !std::mem::replace(&mut current.data_sent, true)
        {
            self.command(Command::Data, b"DATA\r\n");
        }
    }

    fn command(&mut self, command: Command, line: &[u8]) {
        self.out.extend_from_slice(line);
        self.total_queued += line.len() as u64;
        self.expected.push_back(Expected { command, until: self.total_queued });
    }

    fn refuse(&mut self, reply: Reply) {
        let recipients = self.current.as_ref().map(|c| c.recipients.clone()).unwrap_or_default();
        self.decide(Outcome::Refused { reply, recipients });
    }

    /// MAIL or the recipients decided.
    fn decide_envelope(&mut self) {
        let Some(current) = &self.current else { return };
        match &current.mail {
            Some(mail) if !mail.is_positive() => {
                let reply = mail.clone();
                self.decide(Outcome::Refused { reply, recipients: Vec::new() });
            }
            _ => {
                let recipients = current.recipients.clone();
                self.decide(Outcome::NoRecipients { recipients });
            }
        }
    }

    /// A whole reply of a kind that does not belong here.
    fn unexpected(&mut self, reply: &Reply) {
        let what = reply.command.as_deref().unwrap_or_default();
        self.lose(Lost::Protocol(format!("to {what} the server answered {reply}")));
    }

    /// The lone dot's reply changes nothing: nobody was taken.
    fn decide_lone_dot(&mut self) {
        if self.expected.front().is_some_and(|expected| expected.command == Command::LoneDot) {
            self.decide_envelope();
        }
    }

    fn lose(&mut self, why: Lost) {
        self.decide_lone_dot();
        if let Some(current) = &self.current {
            let committed = current.body == BodyState::Committed;
            self.decide(if committed { Outcome::Uncertain(why) } else { Outcome::NotDelivered(why) });
        }
        self.dead = true;
    }

    fn decide(&mut self, outcome: Outcome) {
        let Some(current) = &mut self.current else { return };
        if std::mem::replace(&mut current.decided, true) {
            return;
        }
        let mail_accepted = current.mail.as_ref().is_some_and(Reply::is_positive);
        self.needs_reset = !matches!(outcome, Outcome::Accepted { .. });
        self.verdict = Some(Verdict { outcome, mail_accepted });
    }
}

impl Current {
    fn anyone(&self) -> bool {
        self.recipients.iter().flatten().any(Reply::is_positive)
    }

    fn refuses_partial(&self) -> bool {
        self.plan.partial == Partial::Refuse && self.recipients.iter().flatten().any(|r| !r.is_positive())
    }
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "RSET",
            Self::Mail => "MAIL FROM",
            Self::Rcpt(_) => "RCPT TO",
            Self::Data => "DATA",
            Self::End | Self::LoneDot => "end of data",
        }
    }
}

/// A group stays far below any TCP window, so that neither side can block on the other (RFC 2920 §3.1).
const GROUP: usize = 100;
const GROUP_OCTETS: usize = 32 * 1024;
/// Body octets encoded at once: four TLS records.
const CHUNK: usize = 64 * 1024;
