//! Refusals of the sign-in service as HTTP answers, real and scripted.

use axum::body::Body;
use axum::response::Response;

use crate::config::Dialect;
use crate::fault::Fault;
use crate::http;
use crate::memory::{Memory, Shared};
use crate::oauth::error::{OauthError, Trace};

/// A refusal as the dialect's service words it.
pub(crate) fn refused(shared: &Shared, memory: &Memory, error: &OauthError, trace: &Trace) -> Response {
    let body = error.body(shared.dialect, memory, trace);
    let mut response = http::json(error.status(shared.dialect), &body);
    if shared.dialect == Dialect::Microsoft {
        // Entra escapes apostrophes, which trips clients that borrow from the JSON text.
        *response.body_mut() = Body::from(body.to_string().replace('\'', "\\u0027"));
    }
    response
}

/// The response that a fault puts in place of the real one; None if the fault only delays.
pub(crate) fn instead(shared: &Shared, memory: &Memory, fault: &Fault, trace: &Trace) -> Option<Response> {
    http::instead(fault, |status| refused(shared, memory, &OauthError::scripted(status), trace))
}
