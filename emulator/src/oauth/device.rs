//! The device authorization grant (RFC 8628): the endpoint, and the page where the code is typed in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use crate::access::GOOGLE_MAIL;
use crate::config::Dialect;
use crate::defaults::DEFAULT_USERNAME;
use crate::fault::Point;
use crate::grant::{Answer, Consent, Device};
use crate::http::{self, Base};
use crate::memory::{Memory, Shared};
use crate::oauth::answer;
use crate::oauth::client;
use crate::oauth::error::{OauthError, Trace};
use crate::oauth::form::Form;
use crate::oauth::pages::{self, Application, Waiting};
use crate::oauth::scope::Scopes;
use crate::person::{Decision, address};
use crate::random;
use crate::tenant::Tenant;

/// `POST /{tenant}/oauth2/v2.0/devicecode`
pub(crate) async fn endpoint(
    State(shared): State<Arc<Shared>>,
    Extension(base): Extension<Base>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&shared, &base, &tenant, &headers, &body).await
}

/// `POST /device/code`
pub(crate) async fn google_endpoint(
    State(shared): State<Arc<Shared>>,
    Extension(base): Extension<Base>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&shared, &base, "organizations", &headers, &body).await
}

/// `GET /devicelogin`, `GET /device`
pub(crate) async fn page(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    http::page(200, show(&shared, &form, None))
}

/// The page as it stands, with what was typed in so far. It suggests no account: a device does not say whose
/// mailbox it is for.
fn show(shared: &Shared, form: &Form, problem: Option<&str>) -> String {
    let memory = shared.lock();
    let waiting = memory.grants.devices_waiting(memory.now(), memory.config.device_lifetime as f64);
    let waiting: Vec<_> = waiting
        .iter()
        .take(10)
        .map(|device| Waiting {
            user_code: &device.user_code,
            application: Application {
                client_id: &device.consent.client_id,
                scope: &device.consent.scope,
                login_hint: None,
            },
        })
        .collect();
    let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
    pages::device(shared.dialect, &text("user_code"), &text("username"), &waiting, problem)
}

/// The form of that page.
pub(crate) async fn decision(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if http::is_cross_origin(&headers) {
        return http::text(403, "another site's page cannot sign in here\n");
    }
    let form = Form::parse(&body);
    let code = form.text("user_code").unwrap_or_default();
    let decision = match form.text("decision") {
        Some("approve") => Decision::Approve,
        _ => Decision::Deny,
    };
    // Whoever refuses need not say who they are.
    let nobody = if decision == Decision::Deny { DEFAULT_USERNAME } else { "" };
    let username = form.text("username").unwrap_or(nobody);
    let decided = decide(&mut shared.lock(), code, username, decision);
    match decided {
        Ok(()) => http::page(200, pages::device_done(decision, username)),
        Err(problem) => http::page(400, show(&shared, &form, Some(&problem))),
    }
}

/// Answers for the person who holds the code.
pub(crate) fn decide(
    memory: &mut Memory,
    user_code: &str,
    username: &str,
    decision: Decision,
) -> Result<(), String> {
    let username = address(username)?;
    let now = memory.now();
    let lifetime = memory.config.device_lifetime as f64;
    let device = memory
        .grants
        .device_shown(user_code)
        .ok_or_else(|| format!("no device shows the code `{}`", user_code.escape_debug()))?;
    if device.answer != Answer::Pending {
        return Err("that code was already answered".into());
    }
    if now > device.issued_at + lifetime {
        return Err("that code has expired".into());
    }
    device.answer = match decision {
        Decision::Approve => Answer::Approved(username),
        Decision::Deny => Answer::Denied,
    };
    Ok(())
}

async fn answer(shared: &Shared, base: &Base, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let form = Form::parse(body);
    let trace = Trace::of(headers);
    let fault = shared.take_fault(Point::Devicecode, &form.plain(None));
    if let Some(fault) = &fault {
        http::pause(fault.delay).await;
    }
    let mut memory = shared.lock();
    memory.log.device_requests += 1;
    if let Some(instead) = fault.and_then(|fault| answer::instead(shared, &memory, &fault, &trace)) {
        return instead;
    }
    match start(shared, &mut memory, base, tenant, &form) {
        Ok(body) => http::json(200, &body),
        Err(error) => answer::refused(shared, &memory, &error, &trace),
    }
}

fn start(
    shared: &Shared,
    memory: &mut Memory,
    Base(base): &Base,
    tenant_name: &str,
    form: &Form,
) -> Result<Value, OauthError> {
    let tenant = Tenant::named(tenant_name).ok_or_else(|| OauthError::unknown_tenant(tenant_name))?;
    let client = client::find(form.required("client_id")?, tenant_name)?;
    let scope = form.required("scope")?;
    let scopes = Scopes::parse(shared.dialect, scope)?;
    if shared.dialect == Dialect::Google && scopes.permissions.iter().any(|(_, name)| name == GOOGLE_MAIL) {
        // Google lets no device have the mail scope.
        return Err(OauthError::bad_scope(GOOGLE_MAIL));
    }
    let (device_code, user_code) = match shared.dialect {
        Dialect::Microsoft => (format!("{}{}", random::opaque(), random::opaque()), random::user_code(9)),
        Dialect::Google => (
            format!("AH-1{}", random::opaque()),
            format!("{}-{}", random::user_code(4), random::user_code(4)),
        ),
    };
    let (lifetime, interval) = (memory.config.device_lifetime, memory.config.device_interval);
    let device = Device {
        user_code: user_code.clone(),
        consent: Consent {
            client_id: client.id,
            tenant,
            username: String::new(),
            scope: scope.to_owned(),
            nonce: None,
            offline: shared.dialect == Dialect::Google || scopes.has("offline_access"),
        },
        issued_at: memory.now(),
        polled_at: None,
        interval,
        answer: Answer::Pending,
        redeemed: false,
    };
    memory.grants.devices.insert(device_code.clone(), device);
    Ok(match shared.dialect {
        Dialect::Microsoft => json!({
            "user_code": user_code, "device_code": device_code,
            "verification_uri": format!("{base}/devicelogin"),
            "expires_in": lifetime, "interval": interval,
            "message": format!(
                "To sign in, use a web browser to open the page {base}/devicelogin and enter the code {user_code} to authenticate."
            ),
        }),
        Dialect::Google => json!({
            "device_code": device_code, "user_code": user_code, "expires_in": lifetime,
            "interval": interval, "verification_url": format!("{base}/device"),
        }),
    })
}
