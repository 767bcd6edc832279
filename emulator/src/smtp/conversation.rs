//! A conversation from greeting to goodbye: hello, STARTTLS, and which command goes where.

use super::command::{self, Command};
use super::reply::Reply;
use super::session::{Session, Settled};
use super::wire::{Closed, Line};
use crate::fault::{Fault, Point};
use crate::http;

impl Session {
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
            let octets = fault.octets();
            let refusal = octets.clone().map(Reply).filter(|reply| self.is_delayed(reply) && !fault.drop);
            if let (Some(octets), None) = (octets, &refusal) {
                self.wire.queue(&octets);
                return Err(if fault.drop { Closed::Cut } else { Closed::Done });
            }
            if fault.drop {
                return Err(Closed::Cut);
            }
            self.client_refusal = refusal;
        }
        if implicit {
            self.handshake().await?;
        }
        let greeting = self.words.greeting(self.now());
        let mut settled = self.decide(Point::Greeting, "", greeting.clone()).await?;
        self.delay_client(&mut settled, greeting);
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
                let reply = self.words.helo(&self.peer);
                let mut settled = self.decide(Point::Helo, &line, reply.clone()).await?;
                self.delay_client(&mut settled, reply);
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

    fn delay_client(&mut self, settled: &mut Settled, normal: Reply) {
        if let Some(refusal) = self.delay(settled, normal) {
            self.client_refusal = Some(refusal);
        }
    }

    async fn ehlo(&mut self, line: &str, name: String) -> Result<(), Closed> {
        let reply = self.words.ehlo(&self.config, &self.peer, self.wire.is_tls());
        let mut settled = self.decide(Point::Ehlo, line, reply.clone()).await?;
        self.delay_client(&mut settled, reply);
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
}

async fn after(seconds: Option<f64>) {
    match seconds {
        Some(seconds) => http::pause(seconds).await,
        None => std::future::pending().await,
    }
}
