//! What is known of a sign-in while it lasts.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use tokio::sync::watch;

use super::code::CodeFlow;
use super::device::Pace;
use super::listener::Listener;
use crate::call::Cancel;
use crate::error::Result;
use crate::input::Secret;
use crate::token::{Account, TokenSource};

pub(super) struct Inner {
    pub(super) source: TokenSource,
    pub(super) way: Way,
    pub(super) url: String,
    pub(super) message: String,
    pub(super) issued: SystemTime,
    pub(super) expires_at: SystemTime,
    pub(super) cancel: Cancel,
    /// For all who wait.
    pub(super) standing: watch::Sender<Standing>,
    /// The sign-in was handed over to another process. Two processes would poll too often.
    pub(super) saved: AtomicBool,
}

/// How far it is.
#[derive(Clone)]
pub(super) enum Standing {
    /// No call waits for the person yet.
    Idle,
    /// A task does.
    Working,
    Done(Result<Account>),
}

pub(super) enum Way {
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
