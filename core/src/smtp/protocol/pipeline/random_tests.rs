//! Random conversations with a server that misbehaves, octet boundaries and all.
//!
//! What must hold: what the server stored is what the verdicts say, or the verdict is uncertain; it is
//! uncertain only where the terminator was handed over and no reply to it was read; a stored envelope is
//! the message's own; no octet of a body is ever read as a command. The server keeps the envelope of a
//! message without a recipient until RSET, and takes recipients for it after 503 to MAIL, as Exim does.

use bytes::Bytes;

use super::*;
use crate::call::Partial;
use crate::message::Piece;
use crate::receipt::Envelope;
use crate::smtp::protocol::capabilities::Capabilities;
use crate::smtp::protocol::submission::Transaction;
use crate::testing::Random;
use std::collections::HashMap;

#[derive(Debug, PartialEq)]
struct Stored {
    from: String,
    to: Vec<String>,
    body: String,
}

/// RFC 5321's state machine with RFC 3030's chunks, and with faults.
#[derive(Default)]
struct Server {
    input: Vec<u8>,
    output: Vec<u8>,
    from: Option<String>,
    to: Vec<String>,
    in_data: bool,
    /// Octets of a chunk that is awaited, and whether it was refused at its line.
    chunk: Option<(usize, bool)>,
    /// A reply too many would go unnoticed where chunks run ahead: nothing there answers but with 250.
    counts_well: bool,
    /// It refused a body under way and reads on without looking.
    deaf: bool,
    closed: bool,
    stored: Vec<Stored>,
}

impl Server {
    fn work(&mut self, random: &mut Random) {
        while !self.closed && !self.deaf {
            if let Some((length, refused)) = self.chunk {
                if self.input.len() < length {
                    return;
                }
                let body: Vec<u8> = self.input.drain(..length).collect();
                self.chunk = None;
                if !refused {
                    self.end_of_data(&body, false, random);
                }
                continue;
            }
            if self.in_data {
                if random.one_in(60) {
                    self.say("552 5.3.4 too much");
                    self.deaf = true;
                    return;
                }
                let end = if self.input.starts_with(b".\r\n") {
                    Some(0)
                } else {
                    memchr::memmem::find(&self.input, b"\r\n.\r\n").map(|at| at + 2)
                };
                let Some(end) = end else { return };
                let body: Vec<u8> = self.input.drain(..end + 3).collect();
                self.in_data = false;
                self.end_of_data(&body[..end], true, random);
                continue;
            }
            let Some(end) = memchr::memmem::find(&self.input, b"\r\n") else { return };
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            let line = String::from_utf8(line[..end].to_vec()).unwrap();
            self.command(&line, random);
        }
    }

    fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    fn command(&mut self, line: &str, random: &mut Random) {
        match random.below(120) {
            0 => {
                self.say("421 4.3.2 closing");
                self.closed = true;
                return;
            }
            1 => {
                self.closed = true;
                return;
            }
            2 if self.counts_well => {
                self.closed = true;
                return;
            }
            2 => {
                self.say("what was that");
                return;
            }
            3 if !self.counts_well => self.say("250 an extra reply"),
            _ => {}
        }
        let argument = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        let refusal = ["450 4.2.0 later", "550 5.1.1 never"][random.below(2)];
        match &line[..4] {
            "RSET" => {
                self.from = None;
                self.to.clear();
                self.say("250 reset");
            }
            "MAIL" if self.from.is_some() => self.say("503 5.5.1 sender already given"),
            "MAIL" if random.one_in(8) => self.say(refusal),
            "MAIL" => {
                self.from = Some(argument);
                self.say("250-two\r\n250 lines");
            }
            "RCPT" if self.from.is_none() => self.say("503 5.5.1 MAIL first"),
            "RCPT" if random.one_in(3) => self.say(refusal),
            "RCPT" => {
                self.to.push(argument);
                self.say("250 2.1.5 ok");
            }
            "DATA" if random.one_in(12) => self.say("451 4.3.0 not now"),
            // Some servers say 354 whatever came before (RFC 2920 §3.1).
            "DATA" if self.to.is_empty() && random.one_in(2) => self.say("554 5.5.1 no valid recipients"),
            "DATA" => {
                self.say("354 go");
                self.in_data = true;
            }
            "BDAT" => {
                let length = line.split(' ').nth(1).unwrap().parse().unwrap();
                assert!(line.ends_with(" LAST"));
                // Refused at its line or at its end: the octets are discarded in any case.
                let refused = self.to.is_empty() || random.one_in(15);
                let at_once = refused && random.one_in(2);
                if at_once {
                    self.say("503 5.5.1 no");
                }
                self.chunk = Some((length, at_once));
            }
            _ => panic!("read as a command: {line:?}"),
        }
    }

    fn end_of_data(&mut self, body: &[u8], stuffed: bool, random: &mut Random) {
        if self.to.is_empty() {
            // The sender stays.
            return self.say("554 5.5.1 nobody to send to");
        }
        let (from, to) = (self.from.take().unwrap(), std::mem::take(&mut self.to));
        assert!(!body.is_empty(), "an empty message would be delivered");
        let mut body = String::from_utf8(body.to_vec()).unwrap();
        if stuffed {
            body = body.replace("\r\n..", "\r\n.");
            body = body.strip_prefix("..").map_or_else(|| body.clone(), |rest| format!(".{rest}"));
        }
        let stored = Stored { from, to, body };
        match random.below(12) {
            0 => self.say("452 4.3.1 full"),
            1 => self.say("554 5.6.0 no"),
            2 => {
                self.say("421 4.3.0 closing");
                self.closed = true;
            }
            3 => self.closed = true,
            4 => {
                self.stored.push(stored);
                self.closed = true;
            }
            _ => {
                self.stored.push(stored);
                self.say("250 2.0.0 queued");
            }
        }
    }
}

fn message(id: usize, random: &mut Random) -> (Transaction, String) {
    let mut body = format!("Subject: {id}\r\n\r\n");
    for _ in 0..random.below(12) {
        body += ["text\r\n", ".\r\n", "..\r\n", ".dot\r\n", "\r\n", "MAIL FROM:<evil@x>\r\n", "RSET\r\n"]
            [random.below(7)];
    }
    if random.one_in(20) {
        body += &"a long line of text, many times over\r\n".repeat(4000);
    }
    let envelope = std::sync::Arc::new(Envelope {
        mail_from: format!("m{id}@x"),
        rcpt_to: (0..1 + random.below(4)).map(|at| format!("r{id}.{at}@x")).collect(),
    });
    let partial = if random.one_in(3) { Partial::Refuse } else { Partial::Deliver };
    let bytes = Bytes::from(body.clone());
    (
        Transaction {
            envelope,
            body: bytes.into(),
            smtputf8: false,
            eight_bit: false,
            fallback: None,
            partial,
            requests: Default::default(),
        },
        body,
    )
}

#[derive(Default)]
struct Tally {
    accepted: usize,
    uncertain: usize,
    others: usize,
    /// The most messages that were under way at once.
    deepest: usize,
}

/// One connection's life.
fn converse(seed: u64, mode: Mode, tally: &mut Tally) {
    let mut random = Random(seed);
    let mut pipeline = Pipeline::new(mode);
    let mut server =
        Server { counts_well: mode.chunking != crate::config::Chunking::Off, ..Server::default() };
    let mut messages: Vec<(Transaction, String)> = Vec::new();
    let mut verdicts: HashMap<u64, Verdict> = HashMap::new();
    let mut committed = std::collections::HashSet::new();
    // How much was fed of each body that comes piece by piece.
    let mut fed: HashMap<u64, usize> = HashMap::new();
    for turn in 0.. {
        assert!(turn < 5_000_000, "seed {seed}: it does not end");
        while let Some((id, verdict)) = pipeline.verdict() {
            assert!(verdicts.insert(id, verdict).is_none(), "seed {seed}: two verdicts for {id}");
        }
        let under_way = messages.len() - verdicts.len();
        tally.deepest = tally.deepest.max(under_way);
        for id in 0..messages.len() as u64 {
            if pipeline.is_committed(id) {
                committed.insert(id);
            }
        }
        if pipeline.phase() == Phase::Dead || (pipeline.phase() == Phase::Idle && messages.len() == 8) {
            break;
        }
        if let Some(id) = pipeline.hungry()
            && random.one_in(2)
        {
            let (left, body) = (fed.entry(id).or_insert(0), messages[id as usize].1.as_bytes());
            let n = random.below(body.len() - *left + 1);
            let octets = Bytes::copy_from_slice(&body[*left..*left + n]);
            let begins = *left == 0 || body[..*left].ends_with(b"\r\n");
            let dots = octets.starts_with(b".") || octets.windows(2).any(|two| two == b"\n.");
            let plain = begins && octets.ends_with(b"\r\n") && !dots;
            *left += n;
            pipeline.feed(if n > 0 || *left < body.len() { Some(Piece { octets, plain }) } else { None });
        }
        match random.below(7) {
            0 | 1 if !pipeline.output().is_empty() => {
                let ready = pipeline.output().len();
                let n = if random.one_in(3) { 1 + random.below(ready) } else { ready };
                server.input.extend_from_slice(&pipeline.output()[..n]);
                pipeline.handed_over(n);
            }
            2 => server.work(&mut random),
            3 if !server.output.is_empty() => {
                let n = 1 + random.below(server.output.len());
                let octets: Vec<u8> = server.output.drain(..n).collect();
                pipeline.received(&octets);
            }
            // What the server said before it closed is read first.
            4 if server.output.is_empty() && (server.closed || server.deaf) => {
                pipeline.closed(Lost::Connection("closed".into()));
            }
            4 if random.one_in(200) && under_way > 0 => {
                let id = random.below(messages.len()) as u64;
                pipeline.abandon(id, Lost::Cancelled);
                while let Some((id, verdict)) = pipeline.verdict() {
                    assert!(verdicts.insert(id, verdict).is_none(), "seed {seed}: two verdicts for {id}");
                }
                assert!(verdicts.contains_key(&id), "seed {seed}: {id} was given up, and has no verdict");
            }
            4 if random.one_in(300) => pipeline.closed(Lost::TimedOut("reply".into())),
            5 | 6 if messages.len() < 8 && pipeline.has_room() => {
                let (transaction, body) = message(messages.len(), &mut random);
                let mut plan = Plan::new(&transaction, &Capabilities::default()).unwrap();
                if random.one_in(4) {
                    plan.body = crate::smtp::protocol::pipeline::plan::PlannedBody::Fed;
                }
                if pipeline.takes(&plan) {
                    assert_eq!(pipeline.begin(plan), messages.len() as u64);
                    messages.push((transaction, body));
                }
            }
            _ => {}
        }
    }
    // What was handed over may still be worked on after we have gone.
    server.work(&mut random);
    for (id, (transaction, body)) in messages.iter().enumerate() {
        let verdict =
            verdicts.get(&(id as u64)).unwrap_or_else(|| panic!("seed {seed}: no verdict for {id}"));
        let case = format!("seed {seed} message {id} {mode:?}: {verdict:?}");
        if matches!(verdict.outcome, Decision::Uncertain(_)) {
            assert!(committed.contains(&(id as u64)), "{case}: uncertain before it was committed");
        }
        let envelope = &transaction.envelope;
        let subject = format!("Subject: {id}\r\n");
        let mut stored = server.stored.iter().filter(|s| s.body.starts_with(&subject));
        let mine = stored.next();
        assert!(stored.next().is_none(), "{case}: stored twice");
        if let Some(mine) = mine {
            assert_eq!(&mine.body, body, "{case}");
            assert_eq!(mine.from, envelope.mail_from, "{case}");
            assert!(mine.to.iter().all(|to| envelope.rcpt_to.contains(to)), "{case}");
        }
        match &verdict.outcome {
            Decision::Accepted { recipients, .. } => {
                tally.accepted += 1;
                let accepted: Vec<String> = envelope
                    .rcpt_to
                    .iter()
                    .zip(recipients)
                    .filter(|(_, reply)| reply.as_ref().unwrap().is_positive())
                    .map(|(to, _)| to.clone())
                    .collect();
                assert_eq!(mine.map(|m| &m.to), Some(&accepted), "{case}");
                let all = accepted.len() == envelope.rcpt_to.len();
                assert!(all || transaction.partial == Partial::Deliver, "{case}");
            }
            Decision::Uncertain(_) => tally.uncertain += 1,
            _ => {
                tally.others += 1;
                assert_eq!(mine, None, "{case}: it is stored");
            }
        }
    }
    // Nothing is stored that was never sent.
    assert!(server.stored.len() <= messages.len());
}

fn conversations(mode: Mode, depth: usize) {
    let mut tally = Tally::default();
    for seed in 1..=4000_u64 {
        converse(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), mode, &mut tally);
    }
    assert!(tally.accepted > 2000, "{}", tally.accepted);
    assert!(tally.others > 1500, "{}", tally.others);
    assert!(tally.uncertain > 150, "{}", tally.uncertain);
    assert_eq!(tally.deepest, depth);
}

#[test]
fn one_command_at_a_time() {
    conversations(Mode::SINGLE, 1);
}

#[test]
fn in_groups() {
    conversations(Mode::GROUP, 1);
}

#[test]
fn chained() {
    conversations(Mode::CHAIN, 2);
}

#[test]
fn in_chunks() {
    conversations(Mode::CHUNKED, 2);
}

#[test]
fn in_a_window() {
    conversations(Mode::WINDOW, 8);
}
