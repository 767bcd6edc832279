//! One connection: what is known about its client, and how a reply is decided on and sent.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::envelope::Envelope;
use super::reply::{Reply, Words};
use super::wire::{Closed, Wire};
use crate::clock;
use crate::config::Config;
use crate::fault::{Fault, Point};
use crate::http;
use crate::memory::Shared;

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
    /// A refusal of the client that waits for RCPT.
    pub(super) client_refusal: Option<Reply>,
    /// A message was accepted on this connection.
    pub(super) delivered: bool,
    pub(super) tls: TlsAcceptor,
    pub(super) peer: String,
    pub(super) last_command: String,
    pub(super) scripted: watch::Receiver<()>,
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
            let mut memory = shared.lock();
            memory.connections += 1;
            let number = memory.connections;
            memory.log.connected(number);
            (number, memory.config.clone())
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
            client_refusal: None,
            delivered: false,
            tls,
            peer: peer.to_string(),
            last_command: String::new(),
            scripted,
        }
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

    /// Gives the normal reply, or the fault's in its place, after the fault's delay.
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

    /// Takes a scripted refusal out of `settled` if the configuration says that refusals are told only at
    /// RCPT; then the normal reply stands. 421 closes the connection, so it cannot wait.
    pub(super) fn delay(&self, settled: &mut Settled, normal: Reply) -> Option<Reply> {
        if settled.cut || settled.reply == normal || !self.is_delayed(&settled.reply) {
            return None;
        }
        settled.effective = normal.is_positive();
        Some(std::mem::replace(&mut settled.reply, normal))
    }

    /// Whether this is a refusal that waits for RCPT.
    pub(super) fn is_delayed(&self, reply: &Reply) -> bool {
        self.config.delayed_refusals && matches!(reply.0.first(), Some(b'4' | b'5')) && !reply.closes()
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

    pub(super) fn refresh(&mut self) {
        self.config = self.shared.lock().config.clone();
        self.wire.latency = self.config.latency;
    }

    pub(super) fn release(&mut self) {
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
