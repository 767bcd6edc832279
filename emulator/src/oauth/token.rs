//! The token endpoint (RFC 6749 §3.2): finds out the grant and judges the request.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::config::{Dialect, Rotation};
use crate::fault::{Fault, Point};
use crate::grant::{Answer, Challenge, Consent};
use crate::http::{self, Base};
use crate::memory::{Memory, Shared};
use crate::oauth::answer;
use crate::oauth::client::{Client, Credentials};
use crate::oauth::error::{OauthError, Trace};
use crate::oauth::form::Form;
use crate::oauth::issue::{self, Renewal};
use crate::oauth::jwt_bearer;
use crate::oauth::scope::Scopes;
use crate::seen::TokenRequest;
use crate::tenant::Tenant;

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `POST /{tenant}/oauth2/v2.0/token`
pub(crate) async fn endpoint(
    State(shared): State<Arc<Shared>>,
    Extension(base): Extension<Base>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&shared, &base, &tenant, &headers, &body).await
}

/// `POST /token`
pub(crate) async fn google_endpoint(
    State(shared): State<Arc<Shared>>,
    Extension(base): Extension<Base>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&shared, &base, "organizations", &headers, &body).await
}

async fn answer(shared: &Shared, base: &Base, tenant: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let form = Form::parse(body);
    let username = known_user(&shared.lock(), &form);
    let fault = shared.take_fault(Point::Token, &form.plain(username.as_deref()));
    let (before, late) = match &fault {
        Some(fault) if fault.after => (0.0, fault.delay),
        Some(fault) => (fault.delay, 0.0),
        None => (0.0, 0.0),
    };
    http::pause(before).await;
    let response = answer_now(shared, base, tenant, headers, body, fault);
    http::pause(late).await;
    response
}

fn answer_now(
    shared: &Shared,
    base: &Base,
    tenant: &str,
    headers: &HeaderMap,
    body: &[u8],
    fault: Option<Fault>,
) -> Response {
    let form = Form::parse(body);
    let credentials = Credentials::of(&form, headers);
    let trace = Trace::of(headers);
    let mut memory = shared.lock();
    let username = known_user(&memory, &form);
    let instead = fault.as_ref().and_then(|fault| answer::instead(shared, &memory, fault, &trace));
    let skip = instead.is_some() && fault.as_ref().is_some_and(|fault| !fault.after);
    let result =
        if skip { None } else { Some(grant(shared, &mut memory, base, tenant, &form, &credentials)) };
    let error = match &result {
        Some(Err(error)) => Some(error.error(shared.dialect).to_owned()),
        _ => None,
    };
    let (response, error) = match (instead, result) {
        (Some(instead), _) => (instead, Some("scripted".to_owned())),
        (None, Some(Ok(body))) => (http::json(200, &body), None),
        (None, Some(Err(refused))) => (answer::refused(shared, &memory, &refused, &trace), error),
        // `result` is only left out where there is something instead.
        (None, None) => (http::json(500, &Value::Null), None),
    };
    let speaker = form.text("assertion").and_then(|assertion| jwt_bearer::parties(assertion).0);
    let proof = if speaker.is_some() { "assertion" } else { credentials.kind };
    memory.log.token_request(TokenRequest {
        grant: form.text("grant_type").unwrap_or_default().to_owned(),
        tenant: tenant.to_owned(),
        client_id: speaker.or_else(|| credentials.client_id.clone()).unwrap_or_default(),
        scope: form.text("scope").map(str::to_owned),
        client_auth: proof,
        username,
        status: response.status().as_u16(),
        error,
    });
    drop(memory);
    shared.touch();
    response
}

/// Whom the request is about, where that can be known.
fn known_user(memory: &Memory, form: &Form) -> Option<String> {
    let grants = &memory.grants;
    if let Some(token) = form.text("refresh_token") {
        return grants.refresh.find(token).map(|found| found.consent.username.clone());
    }
    if let Some(code) = form.text("code") {
        return grants.codes.find(code).map(|found| found.consent.username.clone());
    }
    if let Some(assertion) = form.text("assertion") {
        return jwt_bearer::parties(assertion).1;
    }
    match &grants.devices.find(form.text("device_code")?)?.answer {
        Answer::Approved(username) => Some(username.clone()),
        _ => None,
    }
}

fn grant(
    shared: &Shared,
    memory: &mut Memory,
    base: &Base,
    tenant_name: &str,
    form: &Form,
    credentials: &Credentials,
) -> Result<Value, OauthError> {
    let tenant = Tenant::named(tenant_name).ok_or_else(|| OauthError::unknown_tenant(tenant_name))?;
    let request = Request { shared, base, tenant, tenant_name, form };
    let grant = form.required("grant_type")?;
    let by_form = matches!(grant, "client_credentials" | "authorization_code" | "refresh_token");
    if grant == jwt_bearer::GRANT && shared.dialect == Dialect::Google {
        // The assertion is the proof too: no other goes with it.
        let delegation = jwt_bearer::check(shared, form.required("assertion")?, memory.now())?;
        return Ok(issue::on_behalf(shared, memory, &delegation));
    }
    if !by_form && grant != DEVICE_CODE && grant != "device_code" {
        return Err(OauthError::unsupported_grant(grant));
    }
    let client = credentials.check(memory, tenant_name)?;
    match grant {
        "client_credentials" if shared.dialect == Dialect::Google => {
            Err(OauthError::unsupported_grant(grant))
        }
        "client_credentials" => request.client_credentials(memory, &client),
        "authorization_code" => request.authorization_code(memory, &client),
        "refresh_token" => request.refresh_token(memory, &client),
        _ => request.device_code(memory, &client),
    }
}

struct Request<'a> {
    shared: &'a Shared,
    base: &'a Base,
    tenant: Tenant,
    tenant_name: &'a str,
    form: &'a Form,
}

impl Request<'_> {
    fn client_credentials(&self, memory: &mut Memory, client: &Client) -> Result<Value, OauthError> {
        if matches!(self.tenant, Tenant::Common | Tenant::Consumers) {
            return Err(OauthError::app_only_on_common(self.tenant_name));
        }
        if client.public {
            return Err(OauthError::missing_secret());
        }
        let scope = self.form.required("scope")?;
        let scopes = self.scopes(scope)?;
        let all_default = !scopes.permissions.is_empty()
            && scopes.permissions.iter().all(|(_, name)| name == ".default")
            && scopes.openid.is_empty();
        if !all_default {
            return Err(OauthError::app_only_scope(scope));
        }
        if scopes.has_several_resources() {
            return Err(OauthError::several_resources(scope));
        }
        Ok(issue::app_only(self.shared, memory, &client.id, scopes.resource()))
    }

    fn authorization_code(&self, memory: &mut Memory, client: &Client) -> Result<Value, OauthError> {
        let now = memory.now();
        let lifetime = memory.config.code_lifetime as f64;
        let name = self.form.required("code")?;
        let redirect_uri = self.form.required("redirect_uri")?;
        let code = memory.grants.codes.find_mut(name).ok_or_else(OauthError::bad_code)?;
        if code.consent.client_id != client.id {
            return Err(OauthError::other_client());
        }
        if code.redeemed {
            // RFC 6749 §4.1.2: what came of a code used twice should be revoked.
            let family = code.family;
            memory.grants.revoke(|token| token.family == family);
            return Err(OauthError::used_code());
        }
        if now > code.issued_at + lifetime {
            return Err(OauthError::expired_code());
        }
        if code.consent.tenant != self.tenant {
            return Err(OauthError::other_tenant());
        }
        if code.redirect_uri != redirect_uri {
            return Err(OauthError::redirect_differs(redirect_uri, &code.redirect_uri));
        }
        if !verified(code.challenge.as_ref(), self.form.text("code_verifier")) {
            return Err(OauthError::pkce());
        }
        code.redeemed = true;
        let consent = code.consent.clone();
        let (answer, family) = self.delegated(memory, &consent, Renewal::First)?;
        if let Some(code) = memory.grants.codes.find_mut(name) {
            code.family = family;
        }
        Ok(answer)
    }

    fn refresh_token(&self, memory: &mut Memory, client: &Client) -> Result<Value, OauthError> {
        let now = memory.now();
        let token = self.form.required("refresh_token")?;
        let found = memory.grants.refresh.find(token).ok_or_else(OauthError::bad_refresh_token)?.clone();
        if found.consent.client_id != client.id {
            return Err(OauthError::other_client());
        }
        if found.revoked {
            return Err(OauthError::revoked(now, found.issued_at));
        }
        if found.superseded && memory.config.refresh_rotation == Some(Rotation::ReuseDetection) {
            memory.grants.revoke(|other| other.family == found.family);
            return Err(OauthError::revoked(now, found.issued_at));
        }
        if self.tenant == Tenant::Consumers {
            self.form.required("scope")?;
        }
        let renewal = Renewal::Next { token: token.to_owned(), family: found.family };
        self.delegated(memory, &found.consent, renewal).map(|(answer, _)| answer)
    }

    fn device_code(&self, memory: &mut Memory, client: &Client) -> Result<Value, OauthError> {
        let now = memory.now();
        let lifetime = memory.config.device_lifetime as f64;
        let name = self.form.required("device_code")?;
        let device = memory.grants.devices.find_mut(name).ok_or_else(OauthError::bad_device_code)?;
        if device.consent.client_id != client.id {
            return Err(OauthError::other_client());
        }
        if device.redeemed {
            return Err(OauthError::used_code());
        }
        if now > device.issued_at + lifetime {
            return Err(OauthError::device_expired());
        }
        // A fifth of a second is forgiven: timers are not exact. The device code itself starts the clock,
        // but a first poll right away is common and harmless.
        let early = device.polled_at.is_some_and(|polled| now - polled < device.interval as f64 - 0.2);
        device.polled_at = Some(now);
        let username = match &device.answer {
            Answer::Denied => return Err(OauthError::device_declined()),
            Answer::Pending if early => {
                // RFC 8628 §3.5: for this and all later requests.
                device.interval += 5;
                return Err(OauthError::slow_down());
            }
            Answer::Pending => return Err(OauthError::device_pending()),
            Answer::Approved(username) => username.clone(),
        };
        device.redeemed = true;
        let consent = Consent { username, ..device.consent.clone() };
        self.delegated(memory, &consent, Renewal::First).map(|(answer, _)| answer)
    }

    fn delegated(
        &self,
        memory: &mut Memory,
        consent: &Consent,
        renewal: Renewal,
    ) -> Result<(Value, usize), OauthError> {
        let asked = self.form.text("scope");
        let scopes = self.scopes(asked.unwrap_or(&consent.scope))?;
        // RFC 6749 §6: never more than was granted. Entra takes it as a question for other consents.
        if self.shared.dialect == Dialect::Google
            && let Some(more) = asked.and_then(|asked| beyond(asked, &consent.scope))
        {
            return Err(OauthError::bad_scope(more));
        }
        if let Some(asked) = asked
            && scopes.has_several_resources()
        {
            return Err(OauthError::several_resources(asked));
        }
        Ok(issue::delegated(self.shared, memory, consent, &scopes, renewal, self.form, &self.base.0))
    }

    fn scopes(&self, scope: &str) -> Result<Scopes, OauthError> {
        Scopes::parse(self.shared.dialect, scope)
    }
}

/// The first scope in the request that was not granted.
fn beyond<'a>(asked: &'a str, granted: &str) -> Option<&'a str> {
    let granted: Vec<&str> = granted.split_ascii_whitespace().collect();
    asked.split_ascii_whitespace().find(|word| !granted.contains(word))
}

/// RFC 7636 §4.6. A verifier without a challenge is as wrong as the other way round (RFC 9700 §4.8.2).
fn verified(challenge: Option<&Challenge>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) if challenge.hashed => {
            let hash = digest(&SHA256, verifier.as_bytes());
            URL_SAFE_NO_PAD.encode(hash) == challenge.value
        }
        (Some(challenge), Some(verifier)) => challenge.value == verifier,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_of_rfc_7636_appendix_b_fits_its_challenge() {
        let challenge =
            Challenge { value: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into(), hashed: true };
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(verified(Some(&challenge), Some(verifier)));
        assert!(!verified(Some(&challenge), Some("another")));
        assert!(!verified(Some(&challenge), None));
        assert!(!verified(None, Some(verifier)));
        assert!(verified(None, None));
    }
}
