//! What each reply means for the transactions under way: design §5's table, and RFC 2920 §3.1's rule that
//! every reply of a group is looked at.

use super::transaction::{Command, Expected};
use super::{Decision, Lost, Pipeline};
use crate::error::Reply;

impl Pipeline {
    pub(super) fn reply(&mut self, reply: Reply) {
        self.replies += 1;
        let Some(expected) = self.expected.front().copied() else {
            let what = format!("a reply to nothing: {reply}");
            return self.lose(if reply.code == 421 {
                Lost::ServerClosing(reply)
            } else {
                Lost::Protocol(what)
            });
        };
        let Expected { id, command, until } = expected;
        // Each expected reply belongs to an open transaction.
        let Some(at) = self.at(id) else { return self.lose(Lost::Protocol("a reply too many".into())) };
        let early = self.total_written < until;
        let reply = Reply { command: Some(command.name().to_owned()), ..reply };
        if command.ends_the_message() && early {
            return self.early_end(at, reply);
        }
        if reply.code == 421 {
            return self.server_closes(at, command, reply);
        }
        if early {
            return self.lose(Lost::Protocol(format!("a reply before its command: {reply}")));
        }
        self.expected.pop_front();
        let committed = self.open[at].is_committed(self.total_written);
        let one = &mut self.open[at];
        one.outstanding -= 1;
        let class = reply.code / 100;
        match command {
            Command::Mail | Command::Rcpt(_) if class == 3 => return self.unexpected(&reply),
            Command::Mail => one.mail = Some(reply),
            Command::Rcpt(rcpt) => one.recipients[rcpt] = Some(reply),
            Command::Reset if class == 2 => {}
            // The server keeps the old envelope: nothing may be added to it.
            Command::Reset => return self.lose(Lost::ServerClosing(reply)),
            Command::Data => return self.data_answered(at, reply),
            Command::End | Command::Chunk if class == 3 => return self.unexpected(&reply),
            Command::End | Command::Chunk if class == 2 && !committed => {
                return self.lose(Lost::Protocol(format!("a reply before its command: {reply}")));
            }
            Command::End | Command::Chunk if class == 2 => self.ended_well(at, reply),
            // The envelope's own refusal says more than the body's.
            Command::End | Command::Chunk if one.is_refused_by_envelope() => self.decide_envelope(at),
            Command::End | Command::Chunk => self.refuse(at, reply),
            Command::LoneDot => self.decide_envelope(at),
        }
        self.go_on(at);
    }

    pub(super) fn lose(&mut self, why: Lost) {
        self.decide_lone_dot();
        self.out_of_step |= match why {
            // A count that does not fit while replies to commands that ran ahead are due.
            Lost::Protocol(_) => self.expected.iter().any(|expected| self.ran_ahead(expected)),
            // Silence where the end of the message before was answered.
            Lost::TimedOut(_) => self.expected.front().is_some_and(|expected| self.ran_ahead(expected)),
            _ => false,
        };
        for at in 0..self.open.len() {
            let one = &self.open[at];
            let outcome = match one.is_committed(self.total_written) {
                _ if one.is_refused_by_envelope() => one.envelope_outcome(),
                true => Decision::Uncertain(why.clone()),
                false => Decision::NotDelivered(why.clone()),
            };
            self.decide(at, outcome);
        }
        self.dead = true;
    }

    pub(super) fn ran_ahead(&self, expected: &Expected) -> bool {
        let chained = self.at(expected.id).is_some_and(|at| self.open[at].chained);
        chained && !expected.command.ends_the_message() && expected.command != Command::LoneDot
    }

    /// A whole reply of a kind that does not belong here.
    fn unexpected(&mut self, reply: &Reply) {
        let what = reply.command.as_deref().unwrap_or_default();
        self.lose(Lost::Protocol(format!("to {what} the server answered {reply}")));
    }

    fn ended_well(&mut self, at: usize, reply: Reply) {
        let one = &mut self.open[at];
        if one.mail_refused() {
            let what = format!("the server took a message whose sender it had refused: {reply}");
            self.decide(at, Decision::Uncertain(Lost::Protocol(what.clone())));
            return self.lose(Lost::Protocol(what));
        }
        if !one.anyone() {
            return self.decide_envelope(at);
        }
        let recipients = std::mem::take(&mut one.recipients);
        self.decide(at, Decision::Accepted { reply, recipients });
    }

    /// A reply to the body before its end was handed over.
    fn early_end(&mut self, at: usize, reply: Reply) {
        let refusal = matches!(reply.code / 100, 4 | 5);
        if refusal {
            self.refuse(at, reply);
            self.lose(Lost::Connection("closed, because the message before was refused half-way".into()));
        } else {
            self.lose(Lost::Protocol(format!("a reply before its command: {reply}")));
        }
    }

    /// 421: an answer for this message; later ones were not looked at, since commands run in order.
    fn server_closes(&mut self, at: usize, command: Command, reply: Reply) {
        self.decide_lone_dot();
        let one = &self.open[at];
        if one.is_refused_by_envelope() {
            self.decide_envelope(at);
        } else if one.mail.is_some() || command.ends_the_message() {
            self.refuse(at, reply.clone());
        }
        for later in at..self.open.len() {
            self.decide(later, Decision::NotDelivered(Lost::ServerClosing(reply.clone())));
        }
        self.dead = true;
    }

    fn data_answered(&mut self, at: usize, reply: Reply) {
        let one = &self.open[at];
        let go = reply.code == 354;
        if !go && reply.code / 100 < 4 {
            return self.unexpected(&reply);
        }
        if go && (one.mail_refused() || one.decided || self.stopped) {
            // An end would deliver an empty message, or one that nobody waits for.
            self.decide_envelope(at);
            self.lose(Lost::Connection("closed without an end, because the sender was refused".into()));
            return;
        }
        if go && !one.anyone() {
            return self.command(Command::LoneDot, |_, out| out.extend_from_slice(b".\r\n"));
        }
        if go {
            return self.begin_body(at);
        }
        if one.anyone() && !one.mail_refused() {
            self.refuse(at, reply);
        } else {
            self.decide_envelope(at);
        }
        self.go_on(at);
    }

    fn refuse(&mut self, at: usize, reply: Reply) {
        let recipients = self.open[at].recipients.clone();
        self.decide(at, Decision::Refused { reply, recipients });
    }

    /// The lone dot's reply changes nothing: nobody was taken.
    fn decide_lone_dot(&mut self) {
        let Some(expected) = self.expected.front().filter(|e| e.command == Command::LoneDot) else { return };
        if let Some(at) = self.at(expected.id) {
            self.decide_envelope(at);
        }
    }
}
