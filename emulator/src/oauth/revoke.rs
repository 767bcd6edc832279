//! The revocation endpoint (RFC 7009), as Google has it: a token ends its whole grant, whichever client asks.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::http;
use crate::memory::Shared;
use crate::oauth::form::Form;

/// `POST /revoke`
pub(crate) async fn endpoint(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let mut memory = shared.lock();
    memory.log.revocations += 1;
    let token = form.text("token").unwrap_or_default();
    let family = memory.grants.refresh.find(token).filter(|found| !found.revoked).map(|found| found.family);
    match family {
        Some(family) => {
            memory.grants.revoke(|other| other.family == family);
            http::json(200, &json!({}))
        }
        None => {
            let body = json!({"error": "invalid_token", "error_description": "Token expired or revoked"});
            http::json(400, &body)
        }
    }
}
