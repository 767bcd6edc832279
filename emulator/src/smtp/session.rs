//! One connection: greeting, hello, STARTTLS, and which command goes where.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::command::{self, Command};
use super::reply::{Reply, Words};
use super::transaction::Envelope;
use super::wire::{Closed, Line, Wire};
use crate::clock;
use crate::config::Config;
use crate::fault::{Fault, Point};
use crate::http;
use crate::state::Shared;

/// Who has authenticated, and how.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) username: String,
    pub(super) mechanism: String,
}

/// A connection under way.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) wire: Wire,
    pub(super) words: Words,
    /// As it was when the last command came.
    pub(super) config: Arc<Config>,
    pub(super) number: usize,
    pub(super) hello: Option<String>,
    pub(super) user: Option<User>,
    pub(super) envelope: Option<Envelope>,
    /// A message was accepted on this connection.
    pub(super) delivered: bool,
    tls: TlsAcceptor,
    peer: String,
    last_command: String,
    scripted: watch::Receiver<()>,
}

/// A reply as a fault left it.
pub(super) struct Settled {
    pub(super) reply: Reply,
    /// The command has its effect.
    pub(super) effective: bool,
    bytewise: bool,
    /// Nothing comes after it, not even a goodbye.
    cut: bool,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, stream: TcpStream, tls: TlsAcceptor, peer: IpAddr) -> Self {
        let scripted = shared.scripts();
        let (number, config) = {
            let mut state = shared.lock();
            state.connections += 1;
            let number = state.connections;
            state.log.connected(number);
            (number, state.config.clone())
        };
        Self {
            words: Words::new(shared.dialect),
            wire: Wire::new(stream),
            shared,
            config,
            number,
            hello: None,
            user: None,
            envelope: None,
            delivered: false,
            tls,
            peer: peer.to_string(),
            last_command: String::new(),
            scripted,
        }
    }

    /// The whole conversation.
    pub(super) async fn run(mut self, implicit: bool) {
        let end = self.converse(implicit).await;
        // Before the goodbye: the client's next connection may come before the last octet of this one.
        self.release();
        match end {
            Closed::Gone => {}
            Closed::Cut => self.wire.cut().await,
            Closed::Done => self.wire.finish().await,
            Closed::Idle => {
                self.wire.queue(&self.words.idle().0);
                self.wire.finish().await;
            }
        }
    }

    async fn converse(&mut self, implicit: bool) -> Closed {
        if let Err(closed) = self.open(implicit).await {
            return closed;
        }
        loop {
            if let Err(closed) = self.step().await {
                return closed;
            }
        }
    }

    async fn open(&mut self, implicit: bool) -> Result<(), Closed> {
        self.refresh();
        if let Some(fault) = self.shared.take_fault(Point::Connect, "") {
            http::pause(fault.delay).await;
            if let Some(octets) = fault.octets() {
                self.wire.queue(&octets);
                return Err(if fault.drop { Closed::Cut } else { Closed::Done });
            }
            if fault.drop {
                return Err(Closed::Cut);
            }
        }
        if implicit {
            self.handshake().await?;
        }
        let greeting = self.words.greeting(self.now());
        let settled = self.decide(Point::Greeting, "", greeting).await?;
        self.emit(settled).await
    }

    async fn step(&mut self) -> Result<(), Closed> {
        let line = self.next_line().await?;
        self.refresh();
        let Line::Whole(line) = line else {
            self.log("(a line that was too long)".into());
            return self.answer(self.words.line_too_long());
        };
        let Ok(line) = String::from_utf8(line) else {
            self.log("(a line that is not UTF-8)".into());
            return self.answer(self.words.malformed());
        };
        self.last_command = command::redacted(&line);
        self.log(self.last_command.clone());
        match command::parse(&line) {
            Command::Ehlo(name) => self.ehlo(&line, name).await,
            Command::Helo(name) => {
                let settled = self.decide(Point::Helo, &line, self.words.helo(&self.peer)).await?;
                self.greeted(name, settled).await
            }
            Command::Starttls => self.starttls(&line).await,
            Command::Auth(mechanism, initial) => self.auth(&mechanism, initial).await,
            Command::Mail(path) => self.mail(&line, path).await,
            Command::Rcpt(path) => self.rcpt(&line, path).await,
            Command::Data => self.data().await,
            Command::Bdat(size, last) if self.words.offers(&self.config, "CHUNKING") => {
                self.bdat(&line, size, last).await
            }
            Command::Rset => {
                let settled = self.decide(Point::Rset, &line, self.words.reset()).await?;
                if settled.effective {
                    self.envelope = None;
                }
                self.emit(settled).await
            }
            Command::Noop => {
                let settled = self.decide(Point::Noop, &line, self.words.noop()).await?;
                self.emit(settled).await
            }
            Command::Quit => {
                let settled = self.decide(Point::Quit, &line, self.words.quit()).await?;
                self.emit(settled).await
            }
            Command::Vrfy => self.answer(self.words.vrfy()),
            Command::Help => self.answer(self.words.help()),
            Command::Malformed("mail") => self.answer(self.words.bad_address(true)),
            Command::Malformed("rcpt") => self.answer(self.words.bad_address(false)),
            Command::Malformed(_) => self.answer(self.words.malformed()),
            Command::Bdat(..) => self.answer(self.words.unknown("BDAT")),
            Command::Unknown(verb) => self.answer(self.words.unknown(&verb)),
        }
    }

    async fn ehlo(&mut self, line: &str, name: String) -> Result<(), Closed> {
        let reply = self.words.ehlo(&self.config, &self.peer, self.wire.is_tls());
        let settled = self.decide(Point::Ehlo, line, reply).await?;
        self.greeted(name, settled).await
    }

    async fn greeted(&mut self, name: String, settled: Settled) -> Result<(), Closed> {
        if settled.effective {
            self.hello = Some(name);
            self.envelope = None;
        }
        self.emit(settled).await
    }

    async fn starttls(&mut self, line: &str) -> Result<(), Closed> {
        if !self.config.starttls || !self.words.offers(&self.config, "STARTTLS") {
            return self.answer(self.words.unknown("STARTTLS"));
        }
        let normal = if self.wire.is_tls() { self.words.out_of_order() } else { self.words.starttls() };
        let settled = self.decide(Point::Starttls, line, normal).await?;
        let goes_on = settled.effective && !self.wire.is_tls();
        self.emit(settled).await?;
        if !goes_on {
            return Ok(());
        }
        if self.config.plaintext_before_tls {
            self.wire.queue(b"250 2.0.0 this was not protected\r\n");
        }
        self.wire.flush().await?;
        self.handshake().await?;
        // RFC 3207 §4.2: what was said before does not count.
        self.hello = None;
        self.envelope = None;
        Ok(())
    }

    async fn handshake(&mut self) -> Result<(), Closed> {
        if let Some(fault) = self.shared.take_fault(Point::Tls, "") {
            http::pause(fault.delay).await;
            if let Some(octets) = fault.octets() {
                self.wire.queue(&octets);
                self.wire.flush().await?;
                return Err(Closed::Cut);
            }
            if fault.drop {
                return Err(Closed::Cut);
            }
        }
        let done = self.wire.start_tls(&self.tls).await;
        if done.is_err() {
            self.shared.lock().log.tls_failures += 1;
        }
        done
    }

    /// The next line, or what a fault does to an idle connection.
    async fn next_line(&mut self) -> Result<Line, Closed> {
        let idle = self.idle();
        while !self.wire.has_line() {
            self.wire.flush().await?;
            let due = self.shared.lock().faults.idle_after(&self.last_command, self.delivered);
            tokio::select! {
                biased;
                filled = self.wire.fill(idle) => {
                    filled?;
                    break;
                }
                () = after(due) => {
                    let fault = self.shared.take_fault(Point::Idle, &self.last_command);
                    if let Some(fault) = fault {
                        let fault = Fault { delay: 0.0, ..fault };
                        let settled = self.settle(Some(fault), Reply(Vec::new())).await?;
                        self.emit(settled).await?;
                    }
                }
                // A fault for this connection may just have been written: look again.
                _ = self.scripted.changed() => {}
            }
        }
        self.wire.line(self.config.max_line, idle).await
    }

    /// What is really replied at this point.
    pub(super) async fn decide(
        &mut self,
        point: Point,
        text: &str,
        normal: Reply,
    ) -> Result<Settled, Closed> {
        let fault = self.shared.take_fault(point, text);
        self.settle(fault, normal).await
    }

    /// The normal reply, or what the fault makes of it; its delay is over then.
    pub(super) async fn settle(&mut self, fault: Option<Fault>, normal: Reply) -> Result<Settled, Closed> {
        let mut settled =
            Settled { effective: normal.is_positive(), reply: normal, bytewise: false, cut: false };
        let Some(fault) = fault else {
            return Ok(settled);
        };
        if fault.delay > 0.0 {
            self.wire.flush().await?;
            http::pause(fault.delay).await;
        }
        settled.bytewise = fault.bytewise;
        settled.cut = fault.drop;
        if let Some(octets) = fault.octets() {
            settled.reply = Reply(octets);
            if !fault.after {
                settled.effective = settled.reply.is_positive() && !fault.drop;
            }
        } else if fault.drop {
            settled.reply = Reply(Vec::new());
            settled.effective &= fault.after;
        }
        Ok(settled)
    }

    /// Sends a reply on its way, and ends the session where it says so.
    pub(super) async fn emit(&mut self, settled: Settled) -> Result<(), Closed> {
        self.shared.lock().log.reply(self.number, &settled.reply.0);
        if settled.bytewise {
            self.wire.send_bytewise(&settled.reply.0).await?;
        } else {
            self.wire.queue(&settled.reply.0);
        }
        if settled.cut {
            return Err(Closed::Cut);
        }
        if settled.reply.closes() {
            return Err(Closed::Done);
        }
        Ok(())
    }

    /// A reply at a point that has no name.
    pub(super) fn answer(&mut self, reply: Reply) -> Result<(), Closed> {
        self.shared.lock().log.reply(self.number, &reply.0);
        self.wire.queue(&reply.0);
        Ok(())
    }

    pub(super) fn log(&self, command: String) {
        self.shared.lock().log.command(self.number, command);
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_secs_f64(self.config.idle_timeout)
    }

    pub(super) fn now(&self) -> f64 {
        clock::unix_now() + self.config.clock_skew as f64
    }

    fn refresh(&mut self) {
        self.config = self.shared.lock().config.clone();
        self.wire.latency = self.config.latency;
    }

    fn release(&mut self) {
        if let Some(user) = self.user.take() {
            self.shared.lock().disconnect(&user.username);
        }
    }
}

impl Drop for Session {
    /// A session whose task is cancelled gives its place back too.
    fn drop(&mut self) {
        self.release();
    }
}

async fn after(seconds: Option<f64>) {
    match seconds {
        Some(seconds) => http::pause(seconds).await,
        None => std::future::pending().await,
    }
}
