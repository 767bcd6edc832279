//! The sign-in service: its token endpoint (RFC 6749 §3.2), the grants we post to it, what its
//! errors mean, and a person's sign-in (RFC 6749 §4.1 with RFC 7636, RFC 8628, RFC 8252).
//!
//! Nothing here keeps tokens or decides when to ask for one: that is `token`. Redirects are never
//! followed, and a JWT's claims are read but never trusted.

pub(crate) mod answer;
mod assertion;
pub(crate) mod claims;
mod discovery;
mod endpoint;
mod endpoint_gate;
mod form;
mod github;
pub(crate) mod grants;
pub(crate) mod hints;
mod known_refusals;
mod managed;
pub(crate) mod pkce;
mod proof;
mod refusals;
pub(crate) mod service;

use crate::error::{Error, ErrorCode};
use crate::net::http::Failure;

/// The sign-in service gave no answer.
pub(crate) fn unanswered(failure: Failure) -> Error {
    failure.into_error("the sign-in service", ErrorCode::TokenEndpointUnavailable)
}
