//! A sign-in service as one source uses it. What it is asked stands beside: grants in `grants`, its own document in
//! `discovery`, a machine's identity in `managed`, and how many may ask at once in `endpoint_gate`.

use crate::config::{AuthSettings, Settings};

/// The service that gives a source its tokens.
#[derive(Clone, Copy)]
pub(crate) struct Service<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) auth: &'a AuthSettings,
}
