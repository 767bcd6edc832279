//! The emulator as an object: a thread with the servers on it, and the state they share.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::access::Mint;
use crate::certificate::Authority;
use crate::config::{Dialect, Options};
use crate::control;
use crate::fault::Fault;
use crate::files::Files;
use crate::http::{self, Base, Names};
use crate::keys::Keys;
use crate::listeners::{HostName, Listeners};
use crate::memory::{Addresses, Shared};
use crate::oauth::authorize;
use crate::oauth::{self, device};
use crate::page;
use crate::person::Decision;
use crate::received::Received;
use crate::service_account::ServiceAccount;
use crate::settings;
use crate::smtp;

/// How long starting and stopping may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running emulator. Its methods block only where they say so, and may be called from any thread;
/// it needs no async runtime and has one of its own. Dropping it stops it and removes its files.
pub struct Emulator {
    shared: Arc<Shared>,
    files: Files,
    stop: Option<oneshot::Sender<()>>,
    /// In a mutex only so that the object may be shared between threads.
    stopped: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
    /// The process that started it: a forked child has the object, but not the thread.
    process: u32,
}

impl Emulator {
    /// Starts the servers: on free ports of the loopback interface, unless the options say otherwise.
    ///
    /// # Errors
    /// If a port, the thread or a temporary file cannot be had, or if an option makes no sense.
    pub fn start(options: Options) -> io::Result<Self> {
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        let host = HostName::of(&options).map_err(invalid)?;
        let (listen, ports) = (options.listen, options.ports);
        let config = options.config.checked().map_err(invalid)?;
        let authority = Authority::new()?;
        let servers = Certificates {
            authority: authority.acceptor(options.authority_certificate, host.plain())?,
            smtp: authority.acceptor(options.certificate, host.plain())?,
        };
        let keys = Keys::new()?;
        let service_account = ServiceAccount::new()?;
        let files = Files::new()?;
        let (stop, stopping) = oneshot::channel();
        let (started, starting) = mpsc::channel();
        let (ended, stopped) = mpsc::channel();
        let ca_file = files.authority().display().to_string();
        let key_file = files.service_account().display().to_string();
        let dialect = options.dialect;
        let spawned = std::thread::Builder::new().name("mailbearer-emulator".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    // The receiver waits for exactly this.
                    let _ = started.send(Err(error));
                    return;
                }
            };
            runtime.block_on(async move {
                let result = Listeners::bind(listen, ports).await.map(|listeners| {
                    let at = addresses(&listeners, &host, [ca_file, key_file]);
                    let shared = Arc::new(Shared::new(dialect, config, keys, service_account, at));
                    let names =
                        Names::new(host.in_url(), listen.is_some_and(|address| !address.is_loopback()));
                    serve(listeners, &shared, &servers, names);
                    shared
                });
                if started.send(result).is_ok() {
                    // Sent, or the sender dropped: either way it is time.
                    let _ = stopping.await;
                }
            });
            // Dropping the runtime drops every session with it.
            drop(runtime);
            let _ = ended.send(());
        });
        let result = spawned.and_then(|thread| {
            let shared: Arc<Shared> = starting
                .recv_timeout(PATIENCE)
                .map_err(|_| io::Error::other("the emulator's thread did not start"))??;
            std::fs::write(files.authority(), authority.pem())?;
            if dialect == Dialect::Google {
                let account = shared.service_account.file(&shared.authority).to_string();
                std::fs::write(files.service_account(), account)?;
            }
            Ok((thread, shared))
        });
        match result {
            Ok((thread, shared)) => Ok(Self {
                shared,
                files,
                stop: Some(stop),
                stopped: Mutex::new(stopped),
                thread: Some(thread),
                process: std::process::id(),
            }),
            Err(error) => {
                files.remove();
                Err(error)
            }
        }
    }

    /// `http://127.0.0.1:PORT` or as the options say: the page, the control interface, and the sign-in service without TLS.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// `https://localhost:PORT`: the sign-in service, as libraries that insist on TLS want it.
    pub fn authority(&self) -> &str {
        &self.shared.authority
    }

    /// The certificate authority of all servers, as PEM.
    pub fn ca_file(&self) -> &Path {
        self.files.authority()
    }

    /// The host to connect to, which the certificate names: `localhost`, unless the options say otherwise.
    pub fn smtp_host(&self) -> &str {
        &self.shared.host
    }

    /// The port for SMTP with STARTTLS.
    pub fn smtp_port(&self) -> u16 {
        self.shared.smtp_port
    }

    /// The port for SMTP over TLS from the first octet.
    pub fn smtps_port(&self) -> u16 {
        self.shared.smtps_port
    }

    /// Changes the configuration: the members of a JSON object, `null` for a default.
    ///
    /// # Errors
    /// Names the option that is unknown or wrong. Then nothing has changed.
    pub fn configure(&self, changes: Value) -> Result<(), String> {
        self.shared.configure(&changes)
    }

    /// The messages accepted so far, the oldest first.
    pub fn messages(&self) -> Vec<Received> {
        owned(&self.shared.lock().inbox.all())
    }

    /// Blocks until `count` messages have arrived since the start or the last `clear`.
    ///
    /// # Errors
    /// Says how many there were when the time was up.
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<Received>, String> {
        self.shared.wait_for(count, timeout).map(|messages| owned(&messages))
    }

    /// Forgets messages, log and faults. Tokens stay good, and the configuration stays.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// Simulates a fault.
    ///
    /// # Errors
    /// When the point is unknown (the sentence lists them) or the fault makes no sense there.
    pub fn fail(&self, fault: Fault) -> Result<(), String> {
        self.shared.fail(fault)
    }

    /// Signs a user in at an authorize URL without a browser: gives the callback URL, with `code` or `error`.
    /// With `response_mode=form_post` the fields stand in its query, too; over HTTP they come apart as `form`.
    ///
    /// # Errors
    /// What the page would have said to the person instead of going back to the client.
    pub fn sign_in(&self, url: &str, username: &str, decision: Decision) -> Result<String, String> {
        authorize::sign_in(&self.shared, url, username, decision).map(|callback| callback.url())
    }

    /// Answers for a device that shows this code.
    ///
    /// # Errors
    /// When no device shows it, it was answered before, or it has expired.
    pub fn approve(&self, user_code: &str, username: &str, decision: Decision) -> Result<(), String> {
        device::decide(&mut self.shared.lock(), user_code, username, decision)
    }

    /// Revokes the refresh tokens of this user.
    pub fn revoke(&self, username: &str) {
        self.shared.revoke(username);
    }

    /// From now on SMTP refuses every access token issued so far.
    pub fn expire_tokens(&self) {
        self.shared.expire_tokens();
    }

    /// An access token, good or with something wrong about it.
    pub fn mint(&self, mint: Mint) -> String {
        settings::access_token(&self.shared, mint)
    }

    /// A mailer's options for this grant. For Microsoft: `client_credentials`, `authorization_code`,
    /// `device_code`, `refresh_token`, `access_token`, `callback`; for Google `jwt_bearer` in place of the first
    /// and the third.
    ///
    /// # Errors
    /// When the dialect does not know the grant.
    pub fn settings(&self, grant: &str, username: &str) -> Result<Value, String> {
        settings::settings(&self.shared, grant, username)
    }

    /// Gives these options as environment variables.
    ///
    /// # Errors
    /// When the dialect does not know the grant.
    pub fn environ(&self, grant: &str, username: &str) -> Result<Vec<(String, String)>, String> {
        settings::environ(&self.shared, grant, username)
    }

    /// What the servers saw: token requests, authentications, commands, messages; no secrets.
    pub fn seen(&self) -> Value {
        self.shared.seen()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // The thread and the files belong to the parent.
            return;
        }
        self.stop.take();
        let stopped = self.stopped.get_mut().unwrap_or_else(PoisonError::into_inner);
        if stopped.recv_timeout(PATIENCE).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // It has said that it is done; a panic in it has been printed already.
            let _ = thread.join();
        }
        self.files.remove();
    }
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator")
            .field("url", &self.shared.url)
            .field("authority", &self.shared.authority)
            .field("smtp_port", &self.shared.smtp_port)
            .field("smtps_port", &self.shared.smtps_port)
            .finish_non_exhaustive()
    }
}

fn owned(messages: &[Arc<Received>]) -> Vec<Received> {
    messages.iter().map(|message| (**message).clone()).collect()
}

struct Certificates {
    authority: TlsAcceptor,
    smtp: TlsAcceptor,
}

fn addresses(listeners: &Listeners, host: &HostName, files: [String; 2]) -> Addresses {
    let [ca_file, key_file] = files;
    let page = match host.plain() {
        // A browser may try IPv6 first for a name.
        "localhost" => "127.0.0.1".to_owned(),
        _ => host.in_url(),
    };
    Addresses {
        url: format!("http://{page}:{}", listeners.page.port),
        authority: format!("https://{}:{}", host.in_url(), listeners.sign_in.port),
        host: host.plain().to_owned(),
        ca_file,
        key_file,
        smtp_port: listeners.smtp.port,
        smtps_port: listeners.smtps.port,
    }
}

fn serve(listeners: Listeners, shared: &Arc<Shared>, certificates: &Certificates, names: Names) {
    let sign_in = oauth::routes(shared);
    let whole = control::routes().merge(page::routes()).merge(sign_in.clone());
    let (sign_in, whole) = (sign_in.with_state(shared.clone()), whole.with_state(shared.clone()));
    let names = Arc::new(names);
    for socket in listeners.page.sockets {
        let base = Base(shared.url.clone());
        tokio::spawn(http::listen(socket, None, base, names.clone(), whole.clone()));
    }
    for socket in listeners.sign_in.sockets {
        let base = Base(shared.authority.clone());
        let tls = Some(certificates.authority.clone());
        tokio::spawn(http::listen(socket, tls, base, names.clone(), sign_in.clone()));
    }
    for (listener, implicit) in [(listeners.smtp, false), (listeners.smtps, true)] {
        for socket in listener.sockets {
            let tls = certificates.smtp.clone();
            tokio::spawn(smtp::listen(socket, tls, implicit, shared.clone()));
        }
    }
}
