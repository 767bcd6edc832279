//! The successful answer of the token endpoint.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::access::{self, BACKDATED, Claims, display_name};
use crate::config::{Dialect, Rotation};
use crate::defaults::{DEFAULT_TENANT_ID, GOOGLE_ISSUER};
use crate::grant::{Consent, Refresh};
use crate::memory::{Memory, Shared};
use crate::oauth::form::Form;
use crate::oauth::jwt_bearer::Delegation;
use crate::oauth::scope::Scopes;
use crate::random;
use crate::tenant::object_id;

/// What happens to the refresh token in this answer.
pub(crate) enum Renewal {
    /// A first one, in a family of its own.
    First,
    /// The one that follows this.
    Next { token: String, family: usize },
}

/// An app-only token: no user, no refresh token, no scope in the answer.
pub(crate) fn app_only(shared: &Shared, memory: &mut Memory, client_id: &str, resource: &str) -> Value {
    let claims = Claims {
        client_id: client_id.into(),
        tenant_id: DEFAULT_TENANT_ID,
        username: None,
        audience: resource.into(),
        scopes: memory.config.app_roles.clone(),
        lifetime: lifetime(memory),
    };
    let token = access::issue(memory, &shared.keys, shared.dialect, &claims);
    let mut answer = Map::new();
    put_token(memory, &mut answer, token);
    if shared.dialect == Dialect::Microsoft {
        answer.insert("ext_expires_in".into(), memory.config.token_lifetime.into());
    }
    Value::Object(answer)
}

/// A user's tokens. `issuer_base` is where the client reached us. Gives the family of the refresh token too.
pub(crate) fn delegated(
    shared: &Shared,
    memory: &mut Memory,
    consent: &Consent,
    scopes: &Scopes,
    renewal: Renewal,
    form: &Form,
    issuer_base: &str,
) -> (Value, usize) {
    let dialect = shared.dialect;
    let tenant_id = consent.tenant.id_for(&consent.username);
    let claims = Claims {
        client_id: consent.client_id.clone(),
        tenant_id,
        username: Some(consent.username.clone()),
        audience: scopes.resource().into(),
        scopes: match dialect {
            Dialect::Microsoft => scopes.granted(),
            Dialect::Google => scopes.permissions.iter().map(|(_, name)| name.clone()).collect(),
        },
        lifetime: lifetime(memory),
    };
    let token = access::issue(memory, &shared.keys, dialect, &claims);
    let mut answer = Map::new();
    put_token(memory, &mut answer, token);
    if !memory.config.without_scope {
        answer.insert("scope".into(), scopes.answer(dialect).into());
    }
    if dialect == Dialect::Microsoft {
        answer.insert("ext_expires_in".into(), memory.config.token_lifetime.into());
    }
    let family = put_refresh_token(memory, dialect, &mut answer, consent, renewal);
    if scopes.has("openid") {
        let id_token = id_token(memory.now() as i64, dialect, consent, tenant_id, issuer_base);
        answer.insert("id_token".into(), shared.keys.sign(&id_token).into());
    }
    if dialect == Dialect::Microsoft && form.text("client_info") == Some("1") {
        let info = json!({"uid": object_id(&consent.username), "utid": tenant_id});
        answer.insert("client_info".into(), URL_SAFE_NO_PAD.encode(info.to_string()).into());
    }
    (Value::Object(answer), family)
}

/// A token for a mailbox that a service account speaks for: no refresh token, no scope in the answer.
pub(crate) fn on_behalf(shared: &Shared, memory: &mut Memory, delegation: &Delegation) -> Value {
    let claims = Claims {
        client_id: delegation.service_account.clone(),
        tenant_id: DEFAULT_TENANT_ID,
        username: Some(delegation.mailbox.clone()),
        audience: String::new(),
        scopes: delegation.scopes.permissions.iter().map(|(_, name)| name.clone()).collect(),
        lifetime: lifetime(memory),
    };
    let token = access::issue(memory, &shared.keys, shared.dialect, &claims);
    let mut answer = Map::new();
    put_token(memory, &mut answer, token);
    Value::Object(answer)
}

/// A refresh token in a family of its own.
pub(crate) fn refresh_token(memory: &mut Memory, dialect: Dialect, consent: &Consent) -> String {
    let family = memory.grants.next_family();
    new_refresh_token(memory, dialect, consent, family)
}

fn lifetime(memory: &Memory) -> i64 {
    i64::try_from(memory.config.token_lifetime).unwrap_or(i64::MAX)
}

fn put_token(memory: &Memory, answer: &mut Map<String, Value>, token: String) {
    let config = &memory.config;
    answer.insert("token_type".into(), config.token_type.clone().into());
    if !config.without_expires_in {
        let seconds = config.token_lifetime;
        let value = if config.expires_in_as_string { seconds.to_string().into() } else { seconds.into() };
        answer.insert("expires_in".into(), value);
    }
    answer.insert("access_token".into(), token.into());
}

fn put_refresh_token(
    memory: &mut Memory,
    dialect: Dialect,
    answer: &mut Map<String, Value>,
    consent: &Consent,
    renewal: Renewal,
) -> usize {
    let rotation = memory.config.refresh_rotation.unwrap_or(match dialect {
        Dialect::Microsoft => Rotation::Entra,
        Dialect::Google => Rotation::None,
    });
    let family = match renewal {
        Renewal::First if consent.offline => memory.grants.next_family(),
        Renewal::First => return 0,
        Renewal::Next { family, .. } if rotation == Rotation::None => return family,
        Renewal::Next { token, family } => {
            if let Some(old) = memory.grants.refresh.find_mut(&token) {
                old.superseded = true;
            }
            family
        }
    };
    let token = new_refresh_token(memory, dialect, consent, family);
    answer.insert("refresh_token".into(), token.into());
    family
}

fn new_refresh_token(memory: &mut Memory, dialect: Dialect, consent: &Consent, family: usize) -> String {
    let token = match dialect {
        Dialect::Microsoft => format!("1.A{}.{}{}", random::opaque(), random::opaque(), random::opaque()),
        Dialect::Google => format!("1//0{}{}", random::opaque(), random::opaque()),
    };
    let refresh = Refresh {
        consent: consent.clone(),
        family,
        superseded: false,
        revoked: false,
        issued_at: memory.now(),
    };
    memory.grants.refresh.insert(token.clone(), refresh);
    token
}

fn id_token(now: i64, dialect: Dialect, consent: &Consent, tenant_id: &str, issuer_base: &str) -> Value {
    let username = &consent.username;
    let mut claims = json!({
        "aud": consent.client_id, "exp": now + 3600,
        "name": display_name(username), "email": username,
        "sub": random::guid_of(&format!("{username} at {}", consent.client_id)),
    });
    let own = match dialect {
        Dialect::Microsoft => json!({
            "iss": format!("{issuer_base}/{tenant_id}/v2.0"), "iat": now - BACKDATED, "nbf": now - BACKDATED, "ver": "2.0",
            "tid": tenant_id, "oid": object_id(username), "preferred_username": username,
            "rh": format!("1.{}", random::opaque()), "uti": &random::opaque()[..22],
        }),
        Dialect::Google => json!({
            "iss": GOOGLE_ISSUER, "iat": now, "azp": consent.client_id, "email_verified": true,
        }),
    };
    if let (Value::Object(claims), Value::Object(own)) = (&mut claims, own) {
        claims.extend(own);
        if let Some(nonce) = &consent.nonce {
            claims.insert("nonce".into(), nonce.clone().into());
        }
    }
    claims
}
