//! A JWT's claims, unverified: for diagnosis, and for who signed in. The id_token comes straight from
//! the token endpoint over TLS, where OpenID Connect Core §3.1.3.7 lets the signature go unchecked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The claims; `None` if `token` is no signed JWT (personal Microsoft accounts, Google).
pub(crate) fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let octets = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    match serde_json::from_slice(&octets).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// The claim `exp` (RFC 7519 §4.1.4).
pub(crate) fn expires_at(token: &str) -> Option<SystemTime> {
    let seconds = claims(token)?.get("exp")?.as_f64().filter(|s| (0.0..1e11).contains(s))?;
    Some(UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

/// The person that an id_token names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Person {
    /// The names the service knows the person by, the preferred one first; may be empty.
    pub(crate) names: Vec<String>,
    /// Microsoft's tenant id.
    pub(crate) tenant: Option<String>,
    /// The service's own stable id.
    pub(crate) subject: Option<String>,
}

/// Reads `preferred_username`, `email`, `upn`; `tid`; `oid`, else `sub`.
pub(crate) fn person(token: &str) -> Option<Person> {
    let claims = claims(token)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let mut names: Vec<String> = Vec::new();
    for name in ["preferred_username", "email", "upn"].into_iter().filter_map(text) {
        let fit = !name.chars().any(char::is_control);
        if fit && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    let subject = text("oid").or_else(|| text("sub")).map(str::to_owned);
    Some(Person { names, tenant: text("tid").map(str::to_owned), subject })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jwt(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn claims_are_read_from_signed_tokens_only() {
        assert_eq!(claims(&jwt(&json!({"aud": "x"}))).unwrap()["aud"], "x");
        for text in ["", "EwBAA.l3B", "a.b.c", "a.b.c.d.e", "e30.W10.c2ln"] {
            assert_eq!(claims(text), None, "{text}");
        }
        // RFC 7519 §3.1.
        let rfc = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo\
                   gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(expires_at(rfc), Some(UNIX_EPOCH + Duration::from_secs(1_300_819_380)));
    }

    #[test]
    fn a_person_has_names_in_order_of_preference() {
        let microsoft = json!({"preferred_username": "ada@contoso.com", "email": "ADA@contoso.com",
            "upn": "ada@contoso.onmicrosoft.com", "tid": "t", "oid": "o", "sub": "s"});
        assert_eq!(
            person(&jwt(&microsoft)),
            Some(Person {
                names: vec!["ada@contoso.com".into(), "ada@contoso.onmicrosoft.com".into()],
                tenant: Some("t".into()),
                subject: Some("o".into()),
            })
        );
        let google = person(&jwt(&json!({"email": "ada@gmail.com", "sub": "1"}))).unwrap();
        assert_eq!((google.names, google.subject), (vec!["ada@gmail.com".to_owned()], Some("1".to_owned())));
    }
}
