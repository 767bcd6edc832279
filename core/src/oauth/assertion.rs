//! Signed assertions (RFC 7519, RFC 7523): who the application is, and in whose name it asks.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::config::{Certificate, JwtKey};
use crate::crypto::private_key::{Algorithm, PrivateKey};
use crate::crypto::random;
use crate::error::Result;
use crate::input::Secret;

/// The application's own word for itself, for the token endpoint `audience` (Microsoft, "Application
/// authentication certificate credentials").
///
/// # Errors
/// `internal` if the system has no randomness.
pub(crate) fn client(
    certificate: &Certificate,
    client_id: &str,
    audience: &str,
    send_chain: bool,
    now: SystemTime,
) -> Result<Secret> {
    let leaf = certificate.chain.first().map(Vec::as_slice).unwrap_or_default();
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, leaf));
    let mut header = json!({"alg": certificate.algorithm.name(), "typ": "JWT", "x5t#S256": thumbprint});
    if send_chain {
        header["x5c"] = certificate.chain.iter().map(|der| STANDARD.encode(der)).collect();
    }
    let now = seconds(now);
    let claims = json!({
        "aud": audience, "iss": client_id, "sub": client_id, "jti": id()?,
        "nbf": now, "iat": now, "exp": now + LIFETIME.as_secs(),
    });
    sign(&certificate.key, certificate.algorithm, &header, &claims)
}

/// A service account's word, in `subject`'s name, for one hour (RFC 7523 §2.1; Google, "Using OAuth 2.0 for server to
/// server applications").
///
/// # Errors
/// `internal` if the system has no randomness.
pub(crate) fn bearer(
    bearer: &JwtKey,
    subject: &str,
    scopes: &[String],
    audience: &str,
    now: SystemTime,
) -> Result<Secret> {
    // Google takes no other of RSA's.
    let algorithm = match bearer.key.algorithm() {
        Algorithm::Ps256 => Algorithm::Rs256,
        own => own,
    };
    let mut header = json!({"alg": algorithm.name(), "typ": "JWT"});
    if let Some(id) = &bearer.key_id {
        header["kid"] = json!(id);
    }
    let now = seconds(now);
    let claims = json!({
        "iss": bearer.issuer, "sub": subject, "scope": scopes.join(" "), "aud": audience,
        "iat": now, "exp": now + 3600,
    });
    sign(&bearer.key, algorithm, &header, &claims)
}

/// Header, claims and signature (RFC 7515 §7.1).
pub(crate) fn sign(key: &PrivateKey, algorithm: Algorithm, header: &Value, claims: &Value) -> Result<Secret> {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(algorithm, input.as_bytes())?;
    Ok(Secret::new(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// The first part of a JWT.
pub(crate) fn header(token: &Secret) -> &str {
    token.expose().split('.').next().unwrap_or_default()
}

/// Seconds since the epoch.
pub(crate) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// A GUID, as Entra's examples have it.
fn id() -> Result<String> {
    let hex = random::hex()?;
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

const LIFETIME: Duration = Duration::from_secs(300);
