//! What clients look up first: OpenID configuration, keys, and Entra's instance discovery.

use std::sync::Arc;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use crate::defaults::GOOGLE_ISSUER;
use crate::fault::Point;
use crate::http::{self, Base};
use crate::memory::Shared;
use crate::oauth::answer;
use crate::oauth::error::{OauthError, Trace};
use crate::oauth::form::Form;
use crate::tenant::Tenant;

/// `GET /{tenant}/v2.0/.well-known/openid-configuration` (OpenID Connect Discovery §4)
pub(crate) async fn tenant(
    State(shared): State<Arc<Shared>>,
    Extension(Base(base)): Extension<Base>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let issuer = match Tenant::named(&name) {
        // Entra leaves a place for the tenant where it is not known before the sign-in.
        Some(Tenant::Common | Tenant::Organizations) => Ok(format!("{base}/{{tenantid}}/v2.0")),
        Some(tenant) => Ok(format!("{base}/{}/v2.0", tenant.id_for(""))),
        None => Err(OauthError::undiscovered_tenant(&name)),
    };
    let body = issuer.map(|issuer| {
        let v2 = format!("{base}/{name}/oauth2/v2.0");
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{v2}/authorize"),
            "token_endpoint": format!("{v2}/token"),
            "device_authorization_endpoint": format!("{v2}/devicecode"),
            "jwks_uri": format!("{base}/{name}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU", "cloud_instance_name": "microsoftonline.com",
        })
    });
    answer(&shared, &headers, Point::Discovery, &name, body).await
}

/// `GET /.well-known/openid-configuration`
pub(crate) async fn google(
    State(shared): State<Arc<Shared>>,
    Extension(Base(base)): Extension<Base>,
    headers: HeaderMap,
) -> Response {
    let body = json!({
        "issuer": GOOGLE_ISSUER,
        "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
        "token_endpoint": format!("{base}/token"),
        "device_authorization_endpoint": format!("{base}/device/code"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": format!("{base}/oauth2/v3/certs"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    answer(&shared, &headers, Point::Discovery, "", Ok(body)).await
}

/// `GET /{tenant}/discovery/v2.0/keys`, `GET /oauth2/v3/certs`
pub(crate) async fn keys(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let body = shared.keys.set();
    answer(&shared, &headers, Point::Keys, "", Ok(body)).await
}

/// `GET /common/discovery/instance`: the authorities that are Microsoft's. The emulator says that it is one.
pub(crate) async fn instance(
    State(shared): State<Arc<Shared>>,
    Extension(Base(base)): Extension<Base>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let asked = query
        .text("authorization_endpoint")
        .and_then(|endpoint| url::Url::parse(endpoint).ok())
        .and_then(|endpoint| endpoint.path_segments()?.next().map(str::to_owned))
        .unwrap_or_else(|| "common".to_owned());
    let host = base.split_once("://").map_or("", |(_, host)| host);
    let body = match Tenant::named(&asked) {
        None => Err(OauthError::undiscovered_tenant(&asked)),
        Some(_) => Ok(json!({
            "tenant_discovery_endpoint": format!("{base}/{asked}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": host, "preferred_cache": host, "aliases": [host],
            }],
        })),
    };
    answer(&shared, &headers, Point::Discovery, &query.plain(None), body).await
}

async fn answer(
    shared: &Shared,
    headers: &HeaderMap,
    point: Point,
    text: &str,
    body: Result<Value, OauthError>,
) -> Response {
    let trace = Trace::of(headers);
    let fault = shared.take_fault(point, text);
    if let Some(fault) = &fault {
        http::pause(fault.delay).await;
    }
    let mut memory = shared.lock();
    memory.log.discovery_requests += 1;
    let instead = fault.and_then(|fault| answer::instead(shared, &memory, &fault, &trace));
    match (instead, body) {
        (Some(instead), _) => instead,
        (None, Ok(body)) => http::json(200, &body),
        (None, Err(error)) => answer::refused(shared, &memory, &error, &trace),
    }
}
