//! SMTP submission with bearer tokens (RFC 5321, 2920, 3207, 4954, 6409).
//!
//! [`deliver`] sends one message once over a pooled connection; [`probe`] walks up to MAIL FROM for the
//! doctor. When to try again is the mailer's business, how a message looks is `message`'s.

mod bounds;
mod fleet;
mod job;
pub(crate) mod pool;
pub(crate) mod protocol;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use self::bounds::Bounds;
use self::job::{Course, Job, JobAnswer};
use self::pool::{Acquired, Cap, Pool, RouteKey, Slot, Wanted};
use self::protocol::classify::Stage;
use self::protocol::pipeline::{Decision, Lost, Verdict};
use self::protocol::refusal::Peer;
pub(crate) use self::protocol::submission::Transaction;
use self::session::bearer::Bearer;
use self::session::connection::Connection;
use self::session::sign_on::{self, Steps};
use self::session::wire::quit;
use crate::call::Cancel;
use crate::config::SmtpSettings;
use crate::doctor::Seen;
use crate::error::{Error, Rejection, Reply, Result};
use crate::event::{Event, EventSink};
pub(crate) use crate::metrics::PoolNumbers;
use crate::net::tls::Roots;
use crate::token::TokenSource;

/// Everything that makes a connection what it is.
#[derive(Clone)]
pub(crate) struct Route<B = TokenSource> {
    pub(crate) settings: Arc<SmtpSettings>,
    pub(crate) roots: Roots,
    /// `user=` of XOAUTH2; `None`: the token's own username.
    pub(crate) username: Option<String>,
    pub(crate) tokens: B,
    pub(crate) events: EventSink,
}

/// The server took it.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    pub(crate) reply: Reply,
    pub(crate) accepted: Vec<String>,
    pub(crate) rejected: Vec<Rejection>,
    pub(crate) queue_time: Duration,
    pub(crate) connect_time: Duration,
    pub(crate) send_time: Duration,
    /// The number of the connection, for logs.
    pub(crate) connection: u64,
}

/// Sends one message once (with the AUTH rules' one more try). `deadline` holds until the final dot.
/// Dropping the future abandons the message as `cancel` does.
///
/// # Errors
/// The error's `retryable` and `delivery` follow design §5's table.
pub(crate) async fn deliver<B: Bearer>(
    route: &Route<B>,
    transaction: Transaction,
    deadline: Instant,
    cancel: &Cancel,
) -> Result<Delivered> {
    let (peer, key) = (route.peer(), route.key());
    let pool = crate::smtp::pool::pools().of(&key)?;
    let bounds = Bounds { deadline, cancel };
    pool.may_send(&peer)?;
    let begun = Instant::now();
    pool.let_through(&key, bounds, &route.events).await?;
    let waited = begun.elapsed();
    let sent = send_once(route, transaction, &peer, &key, &pool, bounds).await;
    pool.tell_if_away(&route.events);
    match sent {
        Ok(delivered) => {
            pool.count_recipients(delivered.accepted.len());
            Ok(Delivered { queue_time: delivered.queue_time + waited, ..delivered })
        }
        Err(error) => {
            pool.learn(&error);
            Err(error)
        }
    }
}

async fn send_once<B: Bearer>(
    route: &Route<B>,
    transaction: Transaction,
    peer: &Peer,
    key: &Arc<RouteKey>,
    pool: &Arc<Pool>,
    bounds: Bounds<'_>,
) -> Result<Delivered> {
    let (deadline, cancel) = (bounds.deadline, bounds.cancel);
    let (mut queue_time, mut connect_time) = (Duration::ZERO, Duration::ZERO);
    let (mut wanted, mut stale) = (Wanted::Any, 0);
    // Connections that have just gone, and then one of our own.
    for turn in 0.. {
        let begun = Instant::now();
        let wanted_now = if turn < TURNS { wanted } else { Wanted::Slot };
        let lease = pool.acquire(key, wanted_now, turn > 0, bounds).await?;
        queue_time += begun.elapsed();
        let (answer, answered) = oneshot::channel();
        let course = Arc::new(Course::default());
        let job = Job {
            transaction: transaction.clone(),
            deadline,
            cancel: cancel.clone(),
            answer,
            course: course.clone(),
        };
        let reused = matches!(lease, Acquired::Idle(_));
        let sent = match lease {
            Acquired::Idle(idle) => {
                let sent = Instant::now();
                if !idle.hand(job) {
                    continue;
                }
                sent
            }
            Acquired::Slot(slot) => {
                let begun = Instant::now();
                // Boxed: it is rare, and large, and would make every send's future so.
                Box::pin(connect(route, pool, slot, key, bounds, Some(job))).await?;
                connect_time += begun.elapsed();
                Instant::now()
            }
        };
        let verdict = match answered.await {
            Ok(JobAnswer::Verdict(verdict)) => verdict,
            Ok(JobAnswer::Failed(error)) => return Err(error),
            Err(_) => task_died(course.committed.load(Ordering::Acquire)),
        };
        if reused && stale < STALE && verdict.is_stale() {
            stale += 1;
            wanted = Wanted::OpenedAfter(Instant::now());
            continue;
        }
        let taken = peer.result(verdict.outcome, &transaction.envelope, transaction.partial)?;
        return Ok(Delivered {
            reply: taken.reply,
            accepted: taken.accepted,
            rejected: taken.rejected,
            queue_time,
            connect_time,
            send_time: sent.elapsed(),
            connection: course.connection.load(Ordering::Relaxed),
        });
    }
    unreachable!("a connection of our own ends the loop")
}

/// Opens a connection (or finds an idle one), authenticates, and leaves it idle in the pool.
///
/// # Errors
/// As for [`deliver`], as far as it goes.
pub(crate) async fn warm<B: Bearer>(route: &Route<B>, deadline: Instant, cancel: &Cancel) -> Result<()> {
    let key = route.key();
    let pool = crate::smtp::pool::pools().of(&key)?;
    let bounds = Bounds { deadline, cancel };
    match pool.acquire(&key, Wanted::Any, false, bounds).await? {
        Acquired::Idle(idle) => pool.put_back(idle),
        Acquired::Slot(slot) => connect(route, &pool, slot, &key, bounds, None).await?,
    }
    Ok(())
}

/// How the connections and limits of the mailbox stand.
pub(crate) fn numbers<B: Bearer>(route: &Route<B>) -> PoolNumbers {
    let cap = Cap::of(&route.settings, route.username.as_deref(), &route.tokens.identity());
    crate::smtp::pool::pools().known(&cap).map(|pool| pool.numbers()).unwrap_or_default()
}

/// Says QUIT on the idle connections of this route and waits, shortly, for their ends.
pub(crate) async fn close_idle<B: Bearer>(route: &Route<B>) {
    let key = route.key();
    let Ok(pool) = crate::smtp::pool::pools().of(&key) else { return };
    let ends = pool.close_idle(&key);
    let all = async {
        for mut end in ends {
            // Nothing is ever sent: it ends in an error when the connection is gone.
            while end.changed().await.is_ok() {}
        }
    };
    // A connection whose runtime stands still is not waited for.
    let _: Result<(), _> = tokio::time::timeout(CLOSING, all).await;
    pool.await_given_back().await;
}

async fn connect<B: Bearer>(
    route: &Route<B>,
    pool: &Pool,
    slot: Slot,
    key: &Arc<RouteKey>,
    bounds: Bounds<'_>,
    first: Option<Job>,
) -> Result<()> {
    let host = crate::smtp::pool::pools().server(&route.settings.host, route.settings.port);
    let opened = sign_on::open(route, pool, &host, bounds).await?;
    route.events.emit(|| {
        Event::new("smtp.connected")
            .with("host", route.settings.host.as_str())
            .with("port", route.settings.port)
            .with("connection", opened.number)
            .with("tls", opened.wire.stream.tls_version())
    });
    Connection::start(opened, key.clone(), host, route.events.clone(), slot, first);
    Ok(())
}

/// A link of the chain, as `probe` saw it: what was seen, or the error; later links are absent.
pub(crate) struct ProbedLink {
    /// `dns`, `tcp`, `tls`, `greeting`, `ehlo`, `auth`, `mail_from`.
    pub(crate) name: &'static str,
    pub(crate) seen: Result<Seen, Error>,
}

/// Opens a connection of its own step by step up to MAIL FROM, then RSET and QUIT. Nothing is sent.
/// Links stand in the order of events: with STARTTLS, `greeting` comes before `tls`.
pub(crate) async fn probe<B: Bearer>(
    route: &Route<B>,
    mail_from: &str,
    deadline: Instant,
    cancel: &Cancel,
) -> Vec<ProbedLink> {
    let mut steps = Steps { at: "dns", ..Steps::default() };
    let ended = walk(route, mail_from, Bounds { deadline, cancel }, &mut steps).await;
    let mut links: Vec<ProbedLink> =
        steps.seen.into_iter().map(|(name, seen)| ProbedLink { name, seen: Ok(seen) }).collect();
    if let Err(error) = ended {
        links.push(ProbedLink { name: steps.at, seen: Err(error) });
    }
    links
}

async fn walk<B: Bearer>(
    route: &Route<B>,
    mail_from: &str,
    bounds: Bounds<'_>,
    steps: &mut Steps,
) -> Result<()> {
    let (peer, key, settings) = (route.peer(), route.key(), &route.settings);
    let pool = crate::smtp::pool::pools().of(&key)?;
    // It counts like any other connection; the cap is the provider's.
    let slot = pool.acquire(&key, Wanted::Slot, false, bounds).await?;
    let opened = sign_on::prepare(settings, &route.roots, &peer, &route.events, bounds, steps).await?;
    steps.begin("auth");
    pool.may_sign_in(&peer)?;
    let token = route.tokens.token(bounds.call()).await?;
    let host = crate::smtp::pool::pools().server(&settings.host, settings.port);
    let mut opened = sign_on::sign_in(route, &pool, &host, opened, token, bounds).await?;
    steps.end(format!("signed in to {}", settings.host));
    steps.begin("mail_from");
    let what = format!("reply to MAIL FROM from {}", settings.host);
    let line = format!("MAIL FROM:<{mail_from}>\r\n");
    if mail_from.bytes().any(|b| b.is_ascii_control() || b"<>".contains(&b)) {
        return Err(Error::config("from", "`from` cannot stand in an envelope"));
    }
    let command = opened.wire.agreed(&line, "MAIL FROM", Stage::Mail, &peer);
    let reply = bounds.within(settings.timeouts.command, &what, command).await?;
    steps.end(reply.to_string());
    let reset = opened.wire.command("RSET\r\n", "RSET", &peer);
    // The last link was seen; what follows is good manners.
    let _ = bounds.within(settings.timeouts.command, "reply to RSET", reset).await;
    quit(opened.wire.stream).await;
    drop(slot);
    Ok(())
}

impl<B: Bearer> Route<B> {
    fn peer(&self) -> Peer {
        Peer { host: self.settings.host.clone(), username: self.username.clone() }
    }

    fn key(&self) -> Arc<RouteKey> {
        Arc::new(RouteKey {
            settings: self.settings.clone(),
            roots: self.roots.clone(),
            username: self.username.clone(),
            tokens: self.tokens.identity(),
            runtime: tokio::runtime::Handle::current().id(),
        })
    }
}

impl Verdict {
    /// On a used connection: it was gone before anything of this message was accepted.
    fn is_stale(&self) -> bool {
        if self.mail_accepted {
            return false;
        }
        match &self.outcome {
            Decision::NotDelivered(Lost::Connection(_) | Lost::ServerClosing(_) | Lost::OutOfStep(_)) => true,
            // The server forgot the sign-in.
            Decision::Refused { reply, .. } => {
                reply.code == 530 && reply.command.as_deref() == Some("MAIL FROM")
            }
            _ => false,
        }
    }
}

fn task_died(committed: bool) -> Verdict {
    let why = Lost::Connection("its runtime was shut down".to_owned());
    let outcome = if committed { Decision::Uncertain(why) } else { Decision::NotDelivered(why) };
    Verdict { outcome, mail_accepted: false }
}

/// Used connections that may be lost under one message before it is told so.
const STALE: u32 = 2;
/// Connections that were gone when they were to be used.
const TURNS: u32 = 8;
/// A little more than a connection's own patience at QUIT.
const CLOSING: Duration = Duration::from_secs(3);
