//! Random conversations with a server that misbehaves, octet boundaries and all.
//!
//! What must hold: what the server stored is what the verdicts say, or the verdict is uncertain; it is
//! uncertain only where the terminator was handed over and no reply to it was read; a stored envelope is
//! the message's own; no octet of a body is ever read as a command.

use bytes::Bytes;

use super::*;
use crate::receipt::Envelope;
use crate::smtp::Transaction;
use crate::smtp::capabilities::Capabilities;

/// Xorshift64: the same numbers every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

#[derive(Debug, PartialEq)]
struct Stored {
    from: String,
    to: Vec<String>,
    body: String,
}

/// RFC 5321's state machine, with faults.
#[derive(Default)]
struct Server {
    input: Vec<u8>,
    output: Vec<u8>,
    from: Option<String>,
    to: Vec<String>,
    in_data: bool,
    /// It refused a body under way and reads on without looking.
    deaf: bool,
    closed: bool,
    stored: Vec<Stored>,
}

impl Server {
    fn work(&mut self, random: &mut Random) {
        while !self.closed && !self.deaf {
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
                self.end_of_data(&body[..end], random);
                continue;
            }
            let Some(end) = memchr::memmem::find(&self.input, b"\r\n") else { return };
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            self.command(std::str::from_utf8(&line[..end]).unwrap(), random);
        }
    }

    fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(format!("{reply}\r\n").as_bytes());
    }

    fn command(&mut self, line: &str, random: &mut Random) {
        match random.below(120) {
            0 => {
                self.say("421 4.3.0 closing");
                self.closed = true;
                return;
            }
            1 => {
                self.closed = true;
                return;
            }
            2 => {
                self.say("what was that");
                return;
            }
            3 => self.say("250 an extra reply"),
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
            _ => panic!("read as a command: {line:?}"),
        }
    }

    fn end_of_data(&mut self, body: &[u8], random: &mut Random) {
        self.in_data = false;
        let (from, to) = (self.from.take(), std::mem::take(&mut self.to));
        let Some(from) = from.filter(|_| !to.is_empty()) else {
            return self.say("554 5.5.1 nobody to send to");
        };
        assert!(!body.is_empty(), "an empty message would be delivered");
        let body = String::from_utf8(body.to_vec()).unwrap().replace("\r\n..", "\r\n.");
        let body = body.strip_prefix("..").map_or_else(|| body.clone(), |rest| format!(".{rest}"));
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
    let envelope = Envelope {
        mail_from: format!("m{id}@x"),
        rcpt_to: (0..1 + random.below(4)).map(|at| format!("r{id}.{at}@x")).collect(),
    };
    let partial = if random.one_in(3) { Partial::Refuse } else { Partial::Deliver };
    let bytes = Bytes::from(body.clone());
    (Transaction { envelope, body: bytes, smtputf8: false, eight_bit: false, partial }, body)
}

#[derive(Default)]
struct Tally {
    accepted: usize,
    uncertain: usize,
    others: usize,
}

/// One connection's life.
fn converse(seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let mut pipeline = Pipeline::new(random.below(4) > 0);
    let mut server = Server::default();
    let mut verdicts: Vec<(Transaction, String, Verdict)> = Vec::new();
    for id in 0..6 {
        if pipeline.phase() != Phase::Idle {
            break;
        }
        let (transaction, body) = message(id, &mut random);
        let stored_before = server.stored.len();
        pipeline.begin(Plan::new(&transaction, &Capabilities::default()).unwrap());
        let mut verdict = None;
        let mut was_committed = false;
        for turn in 0.. {
            assert!(turn < 3_000_000, "seed {seed}: it does not end");
            if let Some(v) = pipeline.verdict() {
                assert!(verdict.replace(v).is_none(), "two verdicts");
            }
            was_committed |= pipeline.phase() == Phase::Committed;
            if matches!(pipeline.phase(), Phase::Idle | Phase::Dead) {
                break;
            }
            match random.below(5) {
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
                4 if random.one_in(200) => pipeline.abandon(Lost::Cancelled),
                4 if random.one_in(300) => pipeline.closed(Lost::TimedOut("reply")),
                _ => {}
            }
        }
        let verdict = verdict.unwrap_or_else(|| panic!("seed {seed}: no verdict"));
        if matches!(verdict.outcome, Outcome::Uncertain(_)) {
            assert!(was_committed, "seed {seed}: uncertain before it was committed");
        }
        assert!(server.stored.len() - stored_before <= 1);
        verdicts.push((transaction, body, verdict));
    }
    // What was handed over may still be worked on after we have gone.
    server.work(&mut random);
    for (transaction, body, verdict) in verdicts {
        let envelope = &transaction.envelope;
        let mut stored = server.stored.iter().filter(|s| s.from == envelope.mail_from);
        let mine = stored.next();
        assert!(stored.next().is_none(), "seed {seed}: stored twice");
        if let Some(mine) = mine {
            assert_eq!(mine.body, body, "seed {seed}");
            assert!(mine.to.iter().all(|to| envelope.rcpt_to.contains(to)), "seed {seed}");
        }
        match verdict.outcome {
            Outcome::Accepted { recipients, .. } => {
                tally.accepted += 1;
                let accepted: Vec<String> = envelope
                    .rcpt_to
                    .iter()
                    .zip(&recipients)
                    .filter(|(_, reply)| reply.as_ref().unwrap().is_positive())
                    .map(|(to, _)| to.clone())
                    .collect();
                assert_eq!(mine.map(|m| &m.to), Some(&accepted), "seed {seed}");
                let all = accepted.len() == envelope.rcpt_to.len();
                assert!(all || transaction.partial == Partial::Deliver, "seed {seed}");
            }
            Outcome::Uncertain(_) => tally.uncertain += 1,
            other => {
                tally.others += 1;
                assert_eq!(mine, None, "seed {seed}: stored, and we say {other:?}");
            }
        }
    }
    // Nothing is stored that was never sent.
    assert!(server.stored.iter().all(|s| s.from.starts_with('m')));
}

#[test]
fn what_the_server_stored_is_what_we_say() {
    let mut tally = Tally::default();
    for seed in 1..=6000_u64 {
        converse(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), &mut tally);
    }
    assert!(tally.accepted > 3000, "{}", tally.accepted);
    assert!(tally.others > 3000, "{}", tally.others);
    assert!(tally.uncertain > 200, "{}", tally.uncertain);
}
