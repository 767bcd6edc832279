//! What goes out for a transaction, and when: commands in groups, and the body behind them.

use super::plan::{Plan, PlannedBody};
use super::transaction::{BodyProgress, Carriage, Command, Expected, OpenTransaction};
use super::{CHUNK, GROUP, GROUP_OCTETS, Pipeline};
use crate::call::Partial;
use crate::smtp::protocol::dot_stuffing::DotStuffing;

impl Pipeline {
    pub(super) fn send_mail(&mut self) {
        self.command(Command::Mail, |one, out| out.extend_from_slice(one.plan.mail.as_bytes()));
        if self.mode.grouped {
            self.send_recipients();
        }
    }

    /// One group, or one command; with what comes behind the last if nothing forbids it.
    pub(super) fn send_recipients(&mut self) {
        let begin = self.out.len();
        for sent in 0.. {
            let Some(one) = self.open.back_mut() else { return };
            let at = one.next_rcpt;
            if at == one.plan.envelope.rcpt_to.len() {
                break;
            }
            if sent == GROUP || self.out.len() - begin > GROUP_OCTETS || (!self.mode.grouped && sent == 1) {
                return;
            }
            one.next_rcpt += 1;
            self.command(Command::Rcpt(at), |one, out| one.plan.write_recipient(at, out));
        }
        let Some(one) = self.open.back() else { return };
        let held = one.plan.partial == Partial::Refuse || one.carriage == Carriage::Chunk;
        if self.mode.grouped && !held {
            self.send_body();
        }
    }

    /// DATA, or the chunk itself.
    pub(super) fn send_body(&mut self) {
        let Some(one) = self.open.back_mut() else { return };
        if std::mem::replace(&mut one.data_sent, true) {
            return;
        }
        if one.carriage == Carriage::Data {
            return self.command(Command::Data, |_, out| out.extend_from_slice(b"DATA\r\n"));
        }
        let windowed = one.carriage == Carriage::Window;
        let before = self.total_queued;
        let mut line = 0;
        self.command(Command::Chunk, |one, out| {
            let begin = out.len();
            if let PlannedBody::Whole(octets) = &one.plan.body {
                Plan::write_chunk(octets, out);
            }
            line = memchr::memchr(b'\n', &out[begin..]).map_or(0, |at| at + 1);
        });
        let end = self.total_queued;
        if let Some(one) = self.open.back_mut() {
            one.body = BodyProgress::Queued { end };
        }
        // A server that refuses may say so at the command's line, and discards the rest (RFC 3030 §2).
        if let (true, Some(expected)) = (windowed, self.expected.back_mut()) {
            expected.until = before + line as u64;
        }
    }

    /// Queues a command of the last transaction.
    pub(super) fn command(&mut self, command: Command, write: impl FnOnce(&OpenTransaction, &mut Vec<u8>)) {
        let Some(one) = self.open.back_mut() else { return };
        let before = self.out.len();
        write(one, &mut self.out);
        one.outstanding += 1;
        self.total_queued += (self.out.len() - before) as u64;
        self.expected.push_back(Expected { id: one.id, command, until: self.total_queued });
    }

    pub(super) fn begin_body(&mut self, at: usize) {
        let one = &mut self.open[at];
        let mut stuffing = DotStuffing::new();
        if let PlannedBody::Whole(octets) = &one.plan.body {
            stuffing.push(octets.clone());
            stuffing.end();
        }
        one.body = BodyProgress::Going(stuffing);
        one.outstanding += 1;
        // The terminator's place is not known yet: every reply before it is early.
        self.expected.push_back(Expected { id: one.id, command: Command::End, until: u64::MAX });
        // A small body is queued whole, so that the next message's commands ride with its end.
        self.fill();
    }

    /// Encodes more of the body that is going out.
    pub(super) fn fill(&mut self) {
        let Some(last) = self.open.back_mut().filter(|last| !last.decided) else { return };
        let BodyProgress::Going(stuffing) = &mut last.body else { return };
        let before = self.out.len();
        stuffing.fill(&mut self.out, CHUNK);
        self.total_queued += (self.out.len() - before) as u64;
        if stuffing.is_finished() {
            last.body = BodyProgress::Queued { end: self.total_queued };
            let (id, until) = (last.id, self.total_queued);
            // Until now the terminator's place was not known.
            let end = self.expected.iter_mut().find(|e| e.id == id && e.command == Command::End);
            if let Some(end) = end {
                end.until = until;
            }
        }
    }
}
