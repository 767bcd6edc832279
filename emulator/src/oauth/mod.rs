//! The sign-in service: Entra ID's endpoints (v2.0), or Google's.
//!
//! It answers as the real one does: RFC 6749, 7636 (PKCE), 8628 (device), OpenID Connect Discovery,
//! with each service's own error texts. It checks what a client sends. It does not check who a person is:
//! any name that is typed in is believed.

pub(crate) mod answer;
pub(crate) mod authorize;
pub(crate) mod client;
pub(crate) mod device;
pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod issue;
pub(crate) mod jwt_bearer;
pub(crate) mod pages;
pub(crate) mod revoke;
pub(crate) mod scope;
pub(crate) mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::config::Dialect;
use crate::memory::Shared;

/// The routes of the dialect.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    match shared.dialect {
        Dialect::Microsoft => Router::new()
            .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::page).post(authorize::decision))
            .route("/{tenant}/oauth2/v2.0/token", post(token::endpoint))
            .route("/{tenant}/oauth2/v2.0/devicecode", post(device::endpoint))
            .route("/devicelogin", get(device::page).post(device::decision))
            .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::tenant))
            .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
            .route("/common/discovery/instance", get(discovery::instance)),
        Dialect::Google => Router::new()
            .route("/o/oauth2/v2/auth", get(authorize::google_page).post(authorize::google_decision))
            .route("/token", post(token::google_endpoint))
            .route("/revoke", post(revoke::endpoint))
            .route("/device/code", post(device::google_endpoint))
            .route("/device", get(device::page).post(device::decision))
            .route("/.well-known/openid-configuration", get(discovery::google))
            .route("/oauth2/v3/certs", get(discovery::keys)),
    }
}
