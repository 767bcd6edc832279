//! A sign-in under way: by authorization code with PKCE (RFC 6749 §4.1, RFC 7636), or on another
//! device (RFC 8628).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::watch;

use super::browser;
use super::code::{self, CodeFlow};
use super::device::{self, Pace};
use super::listener::{Browser, Listener, Parameters};
use super::request::LoginRequest;
use super::saved::{self, SIGN_IN_TIME, Saved, SavedWay, invalid};
use super::service::SignInService;
use crate::call::{Call, Cancel};
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::oauth::grants::Redemption;
use crate::sync::lock;
use crate::token::{Account, TokenSource, millis};

/// A sign-in under way. Clones are the same sign-in; it is given up with the last of them.
#[derive(Clone)]
pub struct Login {
    inner: Arc<Inner>,
    _owner: Arc<Owner>,
}

/// Ends the work when nobody has the sign-in any more.
struct Owner(Cancel);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct Inner {
    source: TokenSource,
    way: Way,
    url: String,
    message: String,
    issued: SystemTime,
    expires_at: SystemTime,
    cancel: Cancel,
    /// For all who wait.
    standing: watch::Sender<Standing>,
    /// The sign-in was handed over to another process. Two processes would poll too often.
    saved: AtomicBool,
}

/// How far it is.
#[derive(Clone)]
enum Standing {
    /// No call waits for the person yet.
    Idle,
    /// A task does.
    Working,
    Done(Result<Account>),
}

enum Way {
    /// We listen on this machine; the listener closes with the answer.
    Loopback {
        flow: CodeFlow,
        listener: Mutex<Option<Listener>>,
    },
    /// The application hears the redirect.
    Redirect {
        flow: CodeFlow,
    },
    Device {
        device_code: Secret,
        user_code: String,
        pace: Mutex<Pace>,
    },
}

impl Login {
    pub(crate) async fn begin(source: TokenSource, request: LoginRequest) -> Result<Self> {
        let at = SignInService::of(&source)?;
        let auth = at.service.auth;
        let (login, browse) = match at.method(request.method.as_deref())? {
            "device_code" => {
                let begun = device::begin(at);
                let begun = request.call.within(None, LATE, begun).await?;
                let browse = begun.complete_url.unwrap_or_else(|| begun.url.clone());
                let way = Way::Device {
                    device_code: begun.device_code,
                    user_code: begun.user_code,
                    pace: Mutex::new(begun.pace),
                };
                let time = begun.expires_in.min(SIGN_IN_TIME);
                (
                    Self::assemble(source.clone(), way, begun.url, begun.message, SystemTime::now(), time),
                    browse,
                )
            }
            _ => {
                let ready = async {
                    let endpoints = at.service.endpoints(&at.application.address).await?;
                    Ok::<_, Error>((endpoints, source.shared.challenge(auth).await))
                };
                let (endpoints, challenge) = request.call.within(None, LATE, ready).await?;
                let (flow, listener, url) = code::begin(at, &endpoints, &request, challenge.as_deref())?;
                let way = match listener {
                    Some(listener) => Way::Loopback { flow, listener: Mutex::new(Some(listener)) },
                    None => Way::Redirect { flow },
                };
                let message = format!("To sign in, open this page in a browser: {url}");
                let now = SystemTime::now();
                (Self::assemble(source.clone(), way, url.clone(), message, now, SIGN_IN_TIME), url)
            }
        };
        if request.open_browser {
            browser::open(&browse);
        }
        Ok(login)
    }

    pub(crate) fn resume(source: TokenSource, text: &str) -> Result<Self> {
        let at = SignInService::of(&source)?;
        at.method(None)?;
        let now = SystemTime::now();
        let saved = saved::open(text, at.service.auth, source.shared.settings.store.key(), now)?;
        let way = match saved.way {
            SavedWay::AuthorizationCode { state, verifier, redirect_uri, issuer } => {
                let verifier = Secret::new(verifier);
                Way::Redirect { flow: CodeFlow { state, verifier, redirect_uri, issuer } }
            }
            SavedWay::DeviceCode { device_code, user_code, interval_ms } => Way::Device {
                device_code: Secret::new(device_code),
                user_code,
                pace: Mutex::new(Pace::new(Duration::from_millis(interval_ms))),
            },
        };
        let left = Duration::from_millis(saved.expires.saturating_sub(millis(now)));
        let login = Self::assemble(source.clone(), way, saved.url, saved.message, now, left);
        if crate::sign_in::saved::finished().contains(&login.id()) {
            return Err(invalid("this sign-in was finished already"));
        }
        Ok(login)
    }

    fn assemble(
        source: TokenSource,
        way: Way,
        url: String,
        message: String,
        issued: SystemTime,
        time: Duration,
    ) -> Self {
        let inner = Inner {
            source,
            way,
            url,
            message,
            issued,
            expires_at: issued + time,
            cancel: Cancel::default(),
            standing: watch::Sender::new(Standing::Idle),
            saved: AtomicBool::new(false),
        };
        let owner = Owner(inner.cancel.clone());
        Self { inner: Arc::new(inner), _owner: Arc::new(owner) }
    }

    /// `authorization_code` or `device_code`.
    pub fn method(&self) -> &str {
        match self.inner.way {
            Way::Device { .. } => "device_code",
            _ => "authorization_code",
        }
    }

    /// Where the person goes.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// What the person types there, for device codes.
    pub fn user_code(&self) -> Option<&str> {
        match &self.inner.way {
            Way::Device { user_code, .. } => Some(user_code),
            _ => None,
        }
    }

    /// A sentence to show the person.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The `state` parameter.
    pub fn state(&self) -> Option<&str> {
        match &self.inner.way {
            Way::Loopback { flow, .. } | Way::Redirect { flow } => Some(&flow.state),
            Way::Device { .. } => None,
        }
    }

    /// When it is too late.
    pub fn expires_at(&self) -> SystemTime {
        self.inner.expires_at
    }

    /// Waits for the person (device code, or our own loopback listener). A timeout or cancel of the call
    /// ends the waiting, not the sign-in: it goes on beside, and `wait` may be called again.
    ///
    /// # Errors
    /// `login_declined`, `login_expired`, `account_mismatch` and the other 300s; `store_failed`;
    /// `cancelled`; `timed_out`; `config_invalid` if the sign-in comes back to the application.
    pub async fn wait(&self, call: Call) -> Result<Account> {
        if let Way::Redirect { .. } = self.inner.way {
            return Err(Error::config(
                "redirect_uri",
                "this sign-in ends at the application's redirect_uri: call finish with the answer that came there",
            )
            .with_hint("To let mailbearer listen itself, leave redirect_uri out. Then call wait."));
        }
        self.inner.saved.store(false, Ordering::Relaxed);
        let left = self.inner.expires_at.duration_since(SystemTime::now()).unwrap_or_default();
        let account = async {
            tokio::select! {
                biased;
                () = self.inner.cancel.cancelled() => Err(Cancel::error()),
                account = self.done() => account,
                () = tokio::time::sleep(left) => Err(expired()),
            }
        };
        call.within(None, LATE, account).await
    }

    /// Ends it with what came to the redirect URI: a URL, a query string or form body, or a JSON map.
    /// `state` is compared, scheme and host are not: TLS may end at a proxy.
    ///
    /// # Errors
    /// `login_invalid` if it is not this sign-in's, or was used; `login_declined`; the other 300s;
    /// `config_invalid` if `wait` is the way to end it.
    pub async fn finish(&self, callback: &Value, call: Call) -> Result<Account> {
        let Way::Redirect { flow } = &self.inner.way else {
            return Err(Error::config(
                "redirect_uri",
                "this sign-in has no redirect_uri of the application: call wait",
            )
            .with_hint("To end a sign-in with finish, give login a redirect_uri."));
        };
        let parameters = code::parameters(callback)?;
        if !flow.is_ours(&parameters) {
            return Err(invalid("this answer belongs to another sign-in"));
        }
        if SystemTime::now() >= self.inner.expires_at {
            return Err(expired());
        }
        let redemption = self.inner.redemption(flow, &parameters);
        let account = async {
            tokio::select! {
                biased;
                () = self.inner.cancel.cancelled() => Err(Cancel::error()),
                account = Inner::redeem(&self.inner, redemption) => account,
            }
        };
        call.within(None, LATE, account).await
    }

    /// Returns the sign-in as a text with which another process can go on. The text is good for 15 minutes and for
    /// one `finish`. It holds a secret: keep it in a server-side session.
    ///
    /// # Errors
    /// `config_invalid` for a sign-in that ends at a port of this process; `login_invalid` if the sign-in is
    /// finished.
    pub fn save(&self) -> Result<String> {
        if matches!(*self.inner.standing.borrow(), Standing::Done(_)) {
            return Err(invalid("this sign-in was finished already"));
        }
        let way = match &self.inner.way {
            Way::Loopback { .. } => {
                return Err(Error::config("redirect_uri", "this sign-in ends at a port of this process")
                    .with_hint(
                        "To go on in another process, give login a redirect_uri of the application.",
                    ));
            }
            Way::Redirect { flow } => SavedWay::AuthorizationCode {
                state: flow.state.clone(),
                verifier: flow.verifier.expose().to_owned(),
                redirect_uri: flow.redirect_uri.clone(),
                issuer: flow.issuer.clone(),
            },
            Way::Device { device_code, user_code, pace } => SavedWay::DeviceCode {
                device_code: device_code.expose().to_owned(),
                user_code: user_code.clone(),
                interval_ms: u64::try_from(lock(pace).interval().as_millis()).unwrap_or(u64::MAX),
            },
        };
        let saved = Saved {
            issued: millis(self.inner.issued),
            expires: millis(self.inner.expires_at),
            url: self.inner.url.clone(),
            message: self.inner.message.clone(),
            way,
        };
        let shared = &self.inner.source.shared;
        let text = saved::seal(&saved, shared.auth()?, shared.settings.store.key())?;
        self.inner.saved.store(true, Ordering::Relaxed);
        Ok(text)
    }

    /// Ends it; `wait` says `cancelled`.
    pub fn cancel(&self) {
        self.inner.cancel.cancel();
        self.inner.close();
    }

    /// Its outcome. The work is a task of its own, so that whoever stops waiting loses nothing that the person did;
    /// if that task's runtime ends, the next one goes on.
    async fn done(&self) -> Result<Account> {
        let mut standing = self.inner.standing.subscribe();
        loop {
            let now = standing.borrow_and_update().clone();
            match now {
                Standing::Done(account) => return account,
                Standing::Idle => self.start(),
                Standing::Working => {}
            }
            // The sender is ours: it cannot be gone.
            let _ = standing.changed().await;
        }
    }

    fn start(&self) {
        let begins = self.inner.standing.send_if_modified(|standing| {
            let idle = matches!(standing, Standing::Idle);
            if idle {
                *standing = Standing::Working;
            }
            idle
        });
        if begins {
            tokio::spawn(Work(self.inner.clone()).run());
        }
    }

    fn id(&self) -> String {
        self.inner.id()
    }
}

/// The task that waits for the person.
struct Work(Arc<Inner>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.standing.send_if_modified(|standing| {
            let unfinished = matches!(standing, Standing::Working);
            if unfinished {
                *standing = Standing::Idle;
            }
            unfinished
        });
    }
}

impl Work {
    async fn run(self) {
        let inner = &self.0;
        let left = inner.expires_at.duration_since(SystemTime::now()).unwrap_or_default();
        let end = tokio::time::Instant::now() + left;
        match &inner.way {
            Way::Loopback { flow, listener } => {
                let shared = lock(listener).as_ref().map(Listener::share);
                let heard = tokio::select! {
                    biased;
                    () = inner.cancel.cancelled() => return,
                    heard = hear(shared, flow) => heard,
                    () = tokio::time::sleep_until(end) => Err(expired()),
                };
                match heard {
                    // From here on it is finished, whoever still waits.
                    Ok((parameters, browser)) => {
                        let _pending = inner.source.shared.pending_write();
                        let account = match inner.redemption(flow, &parameters) {
                            Ok(redemption) => inner.exchange(&redemption).await,
                            Err(error) => Err(error),
                        };
                        // The program may end as soon as it knows.
                        let _ = tokio::time::timeout(PAGE_TIME, show(browser, &account)).await;
                        drop(inner.settle(account));
                    }
                    Err(error) => drop(inner.settle(Err(error))),
                }
            }
            Way::Device { device_code, pace, .. } => loop {
                let wait = lock(pace).wait();
                tokio::select! {
                    biased;
                    () = inner.cancel.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                    () = tokio::time::sleep_until(end) => return drop(inner.settle(Err(expired()))),
                }
                if inner.saved.load(Ordering::Relaxed) || inner.poll(device_code, pace).await.is_some() {
                    return;
                }
            },
            Way::Redirect { .. } => {}
        }
    }
}

async fn hear(listener: Option<Result<Listener>>, flow: &CodeFlow) -> Result<(Parameters, Browser)> {
    let listener = listener.ok_or_else(Cancel::error)??;
    listener.receive(|parameters| flow.is_ours(parameters)).await
}

impl Inner {
    /// What redeems the answer.
    fn redemption(&self, flow: &CodeFlow, parameters: &Parameters) -> Result<Redemption> {
        flow.redemption(SignInService::of(&self.source)?, parameters)
    }

    /// One poll (RFC 8628 §3.5); nothing, if it goes on.
    async fn poll(&self, device_code: &Secret, pace: &Mutex<Pace>) -> Option<Result<Account>> {
        let shared = &self.source.shared;
        let at = match SignInService::of(&self.source) {
            Ok(at) => at,
            Err(error) => return Some(self.settle(Err(error))),
        };
        let _pending = shared.pending_write();
        match at.service.poll_device(at.application, device_code).await {
            Ok(answer) => {
                let account = shared.adopt(answer).await;
                let until = millis(self.expires_at);
                crate::sign_in::saved::finished().finish(&self.id(), millis(SystemTime::now()), until);
                Some(self.settle(account))
            }
            Err(error) => {
                let next = lock(pace).after(&error);
                match next {
                    Some(next) => {
                        *lock(pace) = next;
                        None
                    }
                    None => Some(self.settle(Err(error))),
                }
            }
        }
    }

    /// Uses the answer up and redeems it, in a task of its own: a caller who gives up now would lose a sign-in that
    /// the person has finished.
    async fn redeem(inner: &Arc<Self>, redemption: Result<Redemption>) -> Result<Account> {
        let this = inner.clone();
        let task = tokio::spawn(async move {
            let _pending = this.source.shared.pending_write();
            this.use_up().await?;
            let account = match redemption {
                Ok(redemption) => this.exchange(&redemption).await,
                Err(error) => Err(error),
            };
            this.settle(account)
        });
        task.await.unwrap_or_else(|_| Err(Cancel::error()))
    }

    /// A sign-in's answer counts once: in this process, and in those that share a store that can tell. (Elsewhere
    /// the service sees to it: a code can be redeemed once.)
    async fn use_up(&self) -> Result<()> {
        let (id, now) = (self.id(), millis(SystemTime::now()));
        let until = millis(self.expires_at);
        let shared = &self.source.shared;
        let mut first = crate::sign_in::saved::finished().finish(&id, now, until);
        if first {
            first = shared.mark_finished(&id, now, until).await.inspect_err(|_| {
                // It may be tried again.
                crate::sign_in::saved::finished().forget(&id);
            })?;
        }
        if first { Ok(()) } else { Err(invalid("this sign-in was finished already")) }
    }

    async fn exchange(&self, redemption: &Redemption) -> Result<Account> {
        let shared = &self.source.shared;
        let at = SignInService::of(&self.source)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match at.service.redeem(at.application, redemption).await {
                Ok(answer) => return shared.adopt(answer).await,
                // The code may still be good, and the person has done their part.
                Err(error) if error.retryable() && tries < EXCHANGES => {
                    let asked = error.retry_after().unwrap_or_default().min(LONGEST_PAUSE);
                    let pause = shared.settings.base_delay.min(LONGEST_PAUSE).max(asked);
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Remembers the outcome for all who wait, and closes the port.
    fn settle(&self, account: Result<Account>) -> Result<Account> {
        self.standing.send_replace(Standing::Done(account.clone()));
        self.close();
        account
    }

    fn close(&self) {
        if let Way::Loopback { listener, .. } = &self.way {
            lock(listener).take();
        }
    }

    fn id(&self) -> String {
        match &self.way {
            Way::Loopback { flow, .. } | Way::Redirect { flow } => saved::id(&flow.state),
            Way::Device { device_code, .. } => saved::id(device_code.expose()),
        }
    }
}

fn expired() -> Error {
    Error::new(ErrorCode::LoginExpired, "nobody finished the sign-in in time")
}

/// A browser that does not take its page does not hold up the program.
const PAGE_TIME: Duration = Duration::from_secs(2);

const EXCHANGES: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

async fn show(browser: Browser, account: &Result<Account>) {
    match account {
        Ok(account) => {
            let text = format!("{} is signed in. You can close this page.", account.username);
            browser.show(200, "Signed in", &text).await;
        }
        Err(error) if error.code() == ErrorCode::LoginDeclined => {
            let text = "Nothing was changed. You can close this page, or start the sign-in again.";
            browser.show(200, "Sign-in declined", text).await;
        }
        Err(error) => browser.show(200, "Not signed in", &error.to_string()).await,
    }
}

/// What a time limit of the caller's says.
const LATE: &str = "the sign-in was not finished";
