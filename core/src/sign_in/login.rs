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
use super::request::LoginRequest;
use super::saved::{self, SIGN_IN_TIME, Saved, SavedWay, invalid};
use super::service::SignInService;
use super::under_way::{Inner, Standing, Way};
use super::work::{Work, expired};
use crate::call::{Call, Cancel};
use crate::error::{Error, Result};
use crate::input::Secret;
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
            tokio::spawn(Work::new(self.inner.clone()).run());
        }
    }

    fn id(&self) -> String {
        self.inner.id()
    }
}

/// What a time limit of the caller's says.
const LATE: &str = "the sign-in was not finished";
