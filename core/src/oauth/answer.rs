//! What a sign-in service answers (RFC 6749 §5): tokens, or a refusal.
//!
//! Read liberally, from a `Value`: numbers may be texts, `token_type` may be missing or of any case. The types stand in for
//! the `oauth2` crate's own, which refuse such answers. They are never written: they hold secrets.

use std::fmt;
use std::time::Duration;

use oauth2::{AccessToken, ErrorResponse, RefreshToken, Scope, TokenResponse, TokenType};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::form::Form;
use super::hints;
use crate::error::{Error, ErrorCode, OAuthDetail, Result};
use crate::input::Secret;
use crate::text;

/// What a successful request brings.
#[derive(Clone, Debug)]
pub(crate) struct TokenAnswer {
    /// The access token.
    pub(crate) access_token: Secret,
    /// The token's lifetime; ten minutes if the service does not say.
    pub(crate) expires_in: Duration,
    /// When the service wants it renewed.
    pub(crate) refresh_in: Option<Duration>,
    /// The granted scopes, if told.
    pub(crate) scopes: Option<Vec<String>>,
    /// A refresh token, perhaps a rotated one.
    pub(crate) refresh_token: Option<Secret>,
    /// The refresh token's lifetime, if the service says.
    pub(crate) refresh_expires_in: Option<Duration>,
    /// The token that names the person.
    pub(crate) id_token: Option<Secret>,
    /// The request's own id, which the service's logs have too (Entra).
    pub(crate) request_id: Option<String>,
}

/// A token endpoint's success, as it stands.
#[derive(Clone, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub(super) struct Granted {
    access_token: AccessToken,
    token_type: GrantedType,
    refresh_token: Option<RefreshToken>,
    scopes: Option<Vec<Scope>>,
    /// The whole answer.
    map: Map<String, Value>,
}

/// `token_type`, as the service writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct GrantedType(String);

impl TokenType for GrantedType {}

impl From<Map<String, Value>> for Granted {
    fn from(map: Map<String, Value>) -> Self {
        let text = |name: &str| map.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        Self {
            access_token: AccessToken::new(text("access_token").unwrap_or_default().to_owned()),
            // Services that leave it out mean the usual one.
            token_type: GrantedType(text("token_type").unwrap_or("Bearer").to_owned()),
            refresh_token: text("refresh_token").map(|token| RefreshToken::new(token.to_owned())),
            scopes: scopes(map.get("scope")),
            map,
        }
    }
}

impl Granted {
    /// Whether there is an access token in it; a refusal may come with HTTP 200.
    pub(super) fn has_token(&self) -> bool {
        self.map.contains_key("access_token")
    }

    /// What it brings.
    ///
    /// # Errors
    /// `token_endpoint_unavailable` if it is no token for SMTP.
    pub(super) fn read(self) -> Result<TokenAnswer> {
        let useless = |what: &str, hint: &str| {
            Error::new(ErrorCode::TokenEndpointUnavailable, format!("the sign-in service's answer {what}"))
                .with_retryable(false)
                .with_hint(hint)
        };
        let kind = &self.token_type().0;
        if !kind.eq_ignore_ascii_case("bearer") {
            let what = format!("is a token of type {}", text::shown(kind, 20));
            return Err(useless(&what, NOT_BEARER));
        }
        let token = self.access_token().secret();
        if token.is_empty() {
            return Err(useless("has an empty access token", NO_TOKEN));
        }
        if !text::is_word(token) {
            return Err(useless("has an access token with blanks in it", NO_TOKEN));
        }
        let more = |name: &str| self.map.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
        Ok(TokenAnswer {
            access_token: Secret::new(token.clone()),
            expires_in: self.expires_in().unwrap_or(UNTOLD_LIFETIME),
            refresh_in: seconds(self.map.get("refresh_in")),
            scopes: self.scopes().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect()),
            refresh_token: self.refresh_token().map(|token| Secret::new(token.secret().clone())),
            refresh_expires_in: seconds(self.map.get("refresh_token_expires_in"))
                .or_else(|| seconds(self.map.get("refresh_expires_in"))),
            id_token: more("id_token").map(Secret::new),
            request_id: None,
        })
    }
}

impl TokenResponse for Granted {
    type TokenType = GrantedType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &GrantedType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        seconds(self.map.get("expires_in"))
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Granted(..)")
    }
}

impl Serialize for Granted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

/// A refusal, as it stands.
#[derive(Clone, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub(super) struct Denied(pub(super) Map<String, Value>);

impl From<Map<String, Value>> for Denied {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl ErrorResponse for Denied {}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Denied(..)")
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.get("error").and_then(Value::as_str).unwrap_or("an error");
        f.write_str(&text::shown(word, 60))
    }
}

impl Serialize for Denied {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

/// Seconds, written as a number or as text.
pub(crate) fn seconds(value: Option<&Value>) -> Option<Duration> {
    let number = match value? {
        Value::Number(n) => n.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (0.0..1e10).contains(&number).then(|| Duration::from_secs_f64(number))
}

/// A list of scopes: words in one text (RFC 6749 §3.3), or a list.
fn scopes(value: Option<&Value>) -> Option<Vec<Scope>> {
    let words: Vec<&str> = match value? {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    (!words.is_empty()).then(|| words.into_iter().map(|word| Scope::new(word.to_owned())).collect())
}

/// A text, or a list of them.
fn words(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// MSAL assumes the same.
const UNTOLD_LIFETIME: Duration = Duration::from_secs(600);

const NOT_BEARER: &str = "SMTP needs a Bearer token: register the application at the service without DPoP or other proof of possession.";
const NO_TOKEN: &str = "Check auth.authority and auth.token_endpoint: the service that answers gives no token that SMTP can carry.";

/// RFC 6749 §5.2 with Entra's and Google's extras; Google's other services wrap it in an object.
pub(super) fn detail(map: &Map<String, Value>, form: &Form) -> Option<OAuthDetail> {
    let text = |name: &str| map.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let (error, description) = match map.get("error")? {
        Value::String(error) => (error.clone(), words(map.get("error_description"))),
        Value::Object(inner) => {
            let word = |name: &str| inner.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (word("status").to_ascii_lowercase(), word("message"))
        }
        _ => return None,
    };
    let codes = match map.get("error_codes") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_u64).collect(),
        _ => hints::numbers(&description),
    };
    Some(OAuthDetail {
        error: form.redact(&error),
        description: form.redact(&description),
        suberror: text("suberror").or_else(|| text("error_subtype")).map(|text| form.redact(text)),
        codes,
        correlation_id: text("correlation_id").map(|text| form.redact(text)),
        trace_id: text("trace_id").map(|text| form.redact(text)),
        claims: text("claims").map(|text| form.redact(text)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn read(answer: Value) -> Result<TokenAnswer> {
        serde_json::from_value::<Granted>(answer).unwrap().read()
    }

    #[test]
    fn answers_are_read_liberally() {
        let answer = read(json!({
            "access_token": "at", "token_type": "bEaReR", "expires_in": "3599", "refresh_in": 1800,
            "scope": "a  b", "refresh_token": "rt", "refresh_token_expires_in": 604_800
        }))
        .unwrap();
        assert_eq!(answer.expires_in, Duration::from_secs(3599));
        assert_eq!(answer.refresh_in, Some(Duration::from_secs(1800)));
        assert_eq!(answer.scopes, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(answer.refresh_expires_in, Some(Duration::from_secs(604_800)));
        let bare = read(json!({"access_token": "at"})).unwrap();
        assert_eq!((bare.expires_in, bare.scopes.is_none()), (Duration::from_secs(600), true));
        assert!(read(json!({"access_token": "at", "token_type": "pop"})).is_err());
        assert!(read(json!({"access_token": "a\nt"})).is_err());
        let list = read(json!({"access_token": "at", "scope": ["a", "b"], "expires_in": 3599.6})).unwrap();
        assert_eq!((list.scopes.unwrap().len(), list.expires_in.as_secs()), (2, 3599));
    }

    #[test]
    fn a_token_that_smtp_cannot_carry_is_refused_for_good_with_the_reason() {
        for (answer, said, hint) in [
            (json!({"access_token": "at", "token_type": "DPoP"}), "type DPoP", "needs a Bearer token"),
            (json!({"access_token": "at", "token_type": "mac"}), "type mac", "needs a Bearer token"),
            (
                json!({"access_token": "a t", "token_type": "Bearer"}),
                "blanks",
                "no token that SMTP can carry",
            ),
        ] {
            let error = read(answer).unwrap_err();
            assert!(!error.retryable() && error.message().contains(said), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{error}");
            assert!(!error.hint().unwrap().contains("later"), "{error}");
        }
    }

    #[test]
    fn what_the_crate_may_print_holds_no_secret() {
        let granted: Granted =
            serde_json::from_value(json!({"access_token": "s3cret", "id_token": "s3cret"})).unwrap();
        let refused = Denied::from(map(json!({"error": "invalid_grant", "error_description": "s3cret"})));
        let printed =
            format!("{granted:?} {refused:?} {refused} {}", serde_json::to_string(&granted).unwrap());
        assert!(!printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn error_shapes_of_entra_and_google_are_read() {
        let form = Form::default().with("refresh_token", "0.AXoAsecret");
        let entra = detail(
            &map(json!({
                "error": "invalid_grant", "suberror": "bad_token", "error_codes": [50173],
                "error_description": "AADSTS50173: revoked 0.AXoAsecret\r\nTrace ID: t", "trace_id": "t",
                "correlation_id": "c", "claims": "{}"
            })),
            &form,
        )
        .unwrap();
        assert_eq!(
            (entra.codes.as_slice(), entra.suberror.as_deref()),
            ([50173].as_slice(), Some("bad_token"))
        );
        assert!(!entra.description.contains("secret"), "{}", entra.description);
        let google = detail(&map(json!({"error": "invalid_grant", "error_subtype": "invalid_rapt"})), &form);
        assert_eq!(google.unwrap().suberror.as_deref(), Some("invalid_rapt"));
        let wrapped = detail(
            &map(json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "off"}})),
            &form,
        );
        assert_eq!(wrapped.unwrap().error, "permission_denied");
        assert_eq!(detail(&map(json!({"other": 1})), &form), None);
    }
}
