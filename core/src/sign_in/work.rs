//! What is done while a person signs in: waiting, redeeming what came, and telling how it ended.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::code::CodeFlow;
use super::device::Pace;
use super::listener::{Browser, Listener, Parameters};
use super::saved::{self, invalid};
use super::service::SignInService;
use super::under_way::{Inner, Standing, Way};
use crate::call::Cancel;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::oauth::grants::Redemption;
use crate::sync::lock;
use crate::token::{Account, millis};

/// The task that waits for the person.
pub(super) struct Work(Arc<Inner>);

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
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// Waits for the person, and settles the sign-in.
    pub(super) async fn run(self) {
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
                        drop(inner.finish_with(account));
                    }
                    Err(error) => drop(inner.finish_with(Err(error))),
                }
            }
            Way::Device { device_code, pace, .. } => loop {
                let wait = lock(pace).wait();
                tokio::select! {
                    biased;
                    () = inner.cancel.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                    () = tokio::time::sleep_until(end) => return drop(inner.finish_with(Err(expired()))),
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
    pub(super) fn redemption(&self, flow: &CodeFlow, parameters: &Parameters) -> Result<Redemption> {
        flow.redemption(SignInService::of(&self.source)?, parameters)
    }

    /// One poll (RFC 8628 §3.5); nothing, if it goes on.
    async fn poll(&self, device_code: &Secret, pace: &Mutex<Pace>) -> Option<Result<Account>> {
        let shared = &self.source.shared;
        let at = match SignInService::of(&self.source) {
            Ok(at) => at,
            Err(error) => return Some(self.finish_with(Err(error))),
        };
        let _pending = shared.pending_write();
        match at.service.poll_device(at.application, device_code).await {
            Ok(answer) => {
                let account = shared.adopt(answer).await;
                let until = millis(self.expires_at);
                crate::sign_in::saved::finished().finish(&self.id(), millis(SystemTime::now()), until);
                Some(self.finish_with(account))
            }
            Err(error) => {
                let next = lock(pace).after(&error);
                match next {
                    Some(next) => {
                        *lock(pace) = next;
                        None
                    }
                    None => Some(self.finish_with(Err(error))),
                }
            }
        }
    }

    /// Uses the answer up and redeems it, in a task of its own: a caller who gives up now would lose a sign-in that
    /// the person has finished.
    pub(super) async fn redeem(inner: &Arc<Self>, redemption: Result<Redemption>) -> Result<Account> {
        let this = inner.clone();
        let task = tokio::spawn(async move {
            let _pending = this.source.shared.pending_write();
            this.use_up().await?;
            let account = match redemption {
                Ok(redemption) => this.exchange(&redemption).await,
                Err(error) => Err(error),
            };
            this.finish_with(account)
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
    pub(super) fn finish_with(&self, account: Result<Account>) -> Result<Account> {
        self.standing.send_replace(Standing::Done(account.clone()));
        self.close();
        account
    }

    pub(super) fn close(&self) {
        if let Way::Loopback { listener, .. } = &self.way {
            lock(listener).take();
        }
    }

    pub(super) fn id(&self) -> String {
        match &self.way {
            Way::Loopback { flow, .. } | Way::Redirect { flow } => saved::id(&flow.state),
            Way::Device { device_code, .. } => saved::id(device_code.expose()),
        }
    }
}

pub(super) fn expired() -> Error {
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
