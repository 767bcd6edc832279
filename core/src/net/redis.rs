//! A Redis server: one connection, opened anew when it is lost, over our own names, addresses and TLS.
//!
//! Commands speak RESP2: with RESP3 a refused greeting repeats the password in its error.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError, ScriptInvocation,
    ServerErrorKind,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use super::dial;
use super::server_url::ServerUrl;
use super::stream::handshake;
use super::tls::Roots;
use crate::blocking;
use crate::error::{Error, ErrorCode};
use crate::fork::ForkCell;
use crate::sync::lock;

/// The connection to a Redis server that all of this process use.
///
/// # Errors
/// `closed` or `internal` if there is no runtime for it.
pub(crate) fn link(url: &ServerUrl, roots: &Roots) -> Result<Arc<RedisLink>, Error> {
    static LINKS: ForkCell<Links> = ForkCell::new();
    // Its own runtime: leases are renewed whatever becomes of the caller's.
    let runtime = blocking::handle()?;
    let mut links = lock(LINKS.get(|_| Links::default()));
    let link = links.entry((url.clone(), roots.clone()));
    Ok(link.or_insert_with(|| Arc::new(RedisLink::new(url.clone(), roots.clone(), runtime))).clone())
}

type Links = Mutex<HashMap<(ServerUrl, Roots), Arc<RedisLink>>>;

/// The server. Its connection lives on the runtime of this `Link`, whoever uses it.
pub(crate) struct RedisLink {
    url: ServerUrl,
    roots: Roots,
    runtime: Handle,
    state: Mutex<LinkState>,
    /// Held while a connection is opened.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct LinkState {
    connection: Option<MultiplexedConnection>,
    /// Since when it does not answer.
    down: Option<Instant>,
    /// Not before this is it tried again.
    retry_at: Option<Instant>,
    /// The server has answered once.
    known: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(crate) enum RedisTrouble {
    /// The server cannot be reached, or is not ready. This passes.
    Away(String),
    /// The server answers and refuses us.
    Refused(String),
}

impl RedisLink {
    pub(crate) fn new(url: ServerUrl, roots: Roots, runtime: Handle) -> Self {
        Self { url, roots, runtime, state: Mutex::default(), opening: tokio::sync::Mutex::new(()) }
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        self.url.place()
    }

    /// How long it has not answered.
    pub(crate) fn down_for(&self) -> Option<Duration> {
        self.lock().down.map(|since| since.elapsed())
    }

    /// Whether it answered once.
    pub(crate) fn is_known(&self) -> bool {
        self.lock().known
    }

    /// Runs a script. It may have run although it failed.
    ///
    /// # Errors
    /// At once while it is known to be away.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, RedisTrouble> {
        let result = self.try_run(call).await;
        let mut state = self.lock();
        match &result {
            Ok(_) => (state.down, state.retry_at, state.known) = (None, None, true),
            Err(_) => {
                let now = Instant::now();
                state.down.get_or_insert(now);
                state.retry_at = state.retry_at.filter(|at| *at > now).or(Some(now + PAUSE));
            }
        }
        result
    }

    async fn try_run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, RedisTrouble> {
        let mut connection = self.connection().await?;
        call.invoke_async(&mut connection).await.map_err(|error| {
            // A server that does not answer in time may have lost us without a word.
            // One that was demoted or is starting will say so for ever: its name may lead to another by now.
            if error.is_unrecoverable_error()
                || error.is_timeout()
                || error.is_io_error()
                || is_demoted(&error)
            {
                self.lock().connection = None;
            }
            trouble(&error)
        })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisTrouble> {
        if let Some(connection) = self.usable()? {
            return Ok(connection);
        }
        let _opening = self.opening.lock().await;
        if let Some(connection) = self.usable()? {
            return Ok(connection);
        }
        // On its own runtime: sockets are tied to the one that opened them.
        let (url, roots) = (self.url.clone(), self.roots.clone());
        let opened =
            self.runtime.spawn(async move { tokio::time::timeout(CONNECTING, open(&url, &roots)).await });
        let opened = opened.await.map_err(|e| RedisTrouble::Away(e.to_string()))?;
        let connection = opened.map_err(|_| RedisTrouble::Away("no answer in time".into()))??;
        self.lock().connection = Some(connection.clone());
        Ok(connection)
    }

    fn usable(&self) -> Result<Option<MultiplexedConnection>, RedisTrouble> {
        let state = self.lock();
        match (&state.connection, state.retry_at) {
            (Some(connection), _) => Ok(Some(connection.clone())),
            (None, Some(at)) if Instant::now() < at => {
                Err(RedisTrouble::Away("it did not answer a moment ago".into()))
            }
            (None, _) => Ok(None),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LinkState> {
        lock(&self.state)
    }
}

impl RedisTrouble {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Away(words) | Self::Refused(words) => words,
        }
    }
}

async fn open(url: &ServerUrl, roots: &Roots) -> Result<MultiplexedConnection, RedisTrouble> {
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(username) = &url.username {
        info = info.set_username(username);
    }
    if let Some(password) = &url.password {
        info = info.set_password(password.expose());
    }
    if let Ok(database) = url.path.parse::<u16>() {
        info = info.set_db(database.into());
    }
    let stream = transport(url, roots).await.map_err(|error| match error.code() {
        ErrorCode::CertificateInvalid | ErrorCode::ConfigInvalid => {
            RedisTrouble::Refused(error.message().to_owned())
        }
        _ => RedisTrouble::Away(error.message().to_owned()),
    })?;
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER));
    let made = MultiplexedConnection::new_with_config(&info, stream, config).await;
    let (connection, driver) = made.map_err(|error| match error.kind() {
        // All that is asked on the way, beside the password.
        ErrorKind::Server(ServerErrorKind::ResponseError) if !url.path.is_empty() => RedisTrouble::Refused(
            format!("it does not give us database {}, if there is one, or wants a password", url.path),
        ),
        _ => trouble(&error),
    })?;
    tokio::spawn(driver);
    Ok(connection)
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

async fn transport(url: &ServerUrl, roots: &Roots) -> Result<Box<dyn Transport>, Error> {
    if url.scheme == "unix" {
        return local(&url.path).await;
    }
    let addresses = dial::resolve(&url.host, url.port, CONNECTING).await?;
    let tcp = dial::connect(&url.place(), &addresses, None).await?;
    Ok(match url.scheme {
        "rediss" => {
            Box::new(handshake(tcp, None, crate::net::tls::configs().client(roots)?, &url.host).await?)
        }
        _ => Box::new(tcp),
    })
}

#[cfg(unix)]
async fn local(path: &str) -> Result<Box<dyn Transport>, Error> {
    let failed =
        |e: io::Error| Error::new(ErrorCode::ConnectFailed, format!("cannot connect to {path}: {e}"));
    Ok(Box::new(tokio::net::UnixStream::connect(path).await.map_err(failed)?))
}

#[cfg(not(unix))]
async fn local(_: &str) -> Result<Box<dyn Transport>, Error> {
    Err(Error::config("limits.shared", "sockets with a path are not known on this system"))
}

/// Whether this server cannot serve us, and another one under its name may.
fn is_demoted(error: &RedisError) -> bool {
    let server = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
        )
    );
    // A script's error wraps the command's own.
    server || ["READONLY", "MASTERDOWN", "LOADING"].iter().any(|word| error.to_string().contains(word))
}

/// Only texts of the server that cannot hold what we sent it.
fn trouble(error: &RedisError) -> RedisTrouble {
    let code = error.code().unwrap_or_default().to_owned();
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            RedisTrouble::Refused("it refuses the user name or password".into())
        }
        ErrorKind::Io => RedisTrouble::Away(match error.is_timeout() {
            true => "no answer in time".into(),
            false => error.to_string(),
        }),
        ErrorKind::Parse => RedisTrouble::Refused("the server there is not a Redis server".into()),
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            RedisTrouble::Refused("its access list forbids what is needed".into())
        }
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::CrossSlot) => {
            RedisTrouble::Refused("it is a Redis Cluster, of which one server alone cannot be used: name a single server, or one behind Sentinel or a proxy".into())
        }
        _ if is_demoted(error) => RedisTrouble::Away("it is a replica, or is starting".into()),
        // In a script the server says ERR, and the access list's words.
        _ if error.to_string().contains("user executing the script") => {
            RedisTrouble::Refused("its access list forbids a command that our scripts need".into())
        }
        // Starting, failing over, or full.
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown,
        ) => RedisTrouble::Away(format!("it answers {code}")),
        _ if code == "NOAUTH" => RedisTrouble::Refused("it wants a password".into()),
        _ if matches!(code.as_str(), "OOM" | "NOREPLICAS" | "BUSY" | "MISCONF") => {
            RedisTrouble::Away(format!("it answers {code}"))
        }
        _ if error.to_string().contains("max number of clients") => {
            RedisTrouble::Away("it has too many clients".into())
        }
        kind => RedisTrouble::Refused(format!("it answers {kind:?} {code}")),
    }
}

/// Name, connection, TLS and sign-in.
const CONNECTING: Duration = Duration::from_secs(2);
/// One script.
const ANSWER: Duration = Duration::from_secs(1);
/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(250);
