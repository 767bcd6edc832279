//! Refusals of sign-in services: the answer of a token endpoint, an AADSTS message, the query of a redirect.

use serde_json::{Map, Value};

use super::explanation::Explanation;
use super::texts;
use crate::error::OAuthDetail;
use crate::oauth::hints::{self, Asked};

/// Explains a refusal; nothing for a text that is none.
pub(super) fn explain(text: &str) -> Vec<Explanation> {
    let Some(detail) = detail(text) else { return Vec::new() };
    let numbers = detail.codes.clone();
    let asked = asked(text, &detail.error);
    let (code, hint) = hints::judge(&detail, 400, asked);
    let known = numbers.iter().find(|number| hints::known(**number)).or(numbers.first());
    let seen = match (known, detail.error.as_str()) {
        (Some(number), "") => format!("AADSTS{number}"),
        (Some(number), error) => format!("AADSTS{number} ({error})"),
        (None, error) => error.to_owned(),
    };
    let mut out = Explanation::of_code("sign_in_refusal", seen, code);
    if let Some(number) = known {
        if let Some(cause) = texts::entra_cause(*number) {
            out.meaning = cause.to_owned();
        }
        if !hints::known(*number) {
            out.cure = Some(format!(
                "See https://login.microsoftonline.com/error?code={number} for Microsoft's own words."
            ));
        }
    }
    if let Some(hint) = hint.filter(|hint| !hint.is_empty()) {
        out.cure = Some(hint.to_owned());
    }
    vec![out]
}

/// What the text says of the refusal.
fn detail(text: &str) -> Option<OAuthDetail> {
    if let Some(map) = object(text) {
        return of_json(&map);
    }
    let codes = hints::numbers(text);
    let word = word(text);
    if codes.is_empty() && word.is_none() {
        return None;
    }
    Some(OAuthDetail {
        error: word.unwrap_or_default().to_owned(),
        description: text.to_owned(),
        codes,
        ..OAuthDetail::default()
    })
}

/// The first JSON object in the text.
fn object(text: &str) -> Option<Map<String, Value>> {
    let at = text.find('{')?;
    let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
    match values.next()?.ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn of_json(map: &Map<String, Value>) -> Option<OAuthDetail> {
    let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    // `{"error": {"message": …}}`, as Microsoft's and Google's other services write it.
    if let Some(inner) = map.get("error").and_then(Value::as_object) {
        let message = inner.get("message").and_then(Value::as_str).unwrap_or_default();
        return detail(&message.replace('{', "("));
    }
    let description = text("error_description").unwrap_or_default();
    let mut codes: Vec<u64> = map
        .get("error_codes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok()))
        .collect();
    for number in hints::numbers(&description) {
        if !codes.contains(&number) {
            codes.push(number);
        }
    }
    let error = text("error").filter(|error| !error.is_empty());
    if error.is_none() && codes.is_empty() {
        return None;
    }
    let error = error.unwrap_or_default();
    // Said again, it is one of the words that the protocol knows.
    let error = word(&error).unwrap_or(if codes.is_empty() { "an error of its own" } else { "" });
    Some(OAuthDetail {
        error: error.to_owned(),
        description,
        suberror: text("suberror").or_else(|| text("error_subtype")),
        codes,
        ..OAuthDetail::default()
    })
}

/// The protocol's word for the refusal, as a word of its own.
fn word(text: &str) -> Option<&'static str> {
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.find_map(|found| WORDS.iter().copied().find(|word| *word == found))
}

/// What was asked most probably.
pub(super) fn asked(text: &str, error: &str) -> Asked {
    match error {
        "authorization_declined" | "expired_token" | "bad_verification_code" | "code_expired" => {
            Asked::Device
        }
        "access_denied" => Asked::Code,
        "invalid_client" | "unauthorized_client" => Asked::App,
        // RFC 6749 has one word for a code and a refresh token that are gone.
        "invalid_grant" if text.contains("auth code") || text.contains("authorization code") => Asked::Code,
        _ => Asked::Refresh,
    }
}

/// The words of RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5, OpenID Connect Core §3.1.2.6 and RFC 8707, and those that
/// Microsoft and Google add.
const WORDS: &[&str] = &[
    "invalid_grant",
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "invalid_request",
    "unsupported_grant_type",
    "access_denied",
    "server_error",
    "temporarily_unavailable",
    "interaction_required",
    "login_required",
    "consent_required",
    "account_selection_required",
    "authorization_declined",
    "expired_token",
    "code_expired",
    "bad_verification_code",
    "invalid_resource",
    "invalid_target",
    "admin_policy_enforced",
    "org_internal",
    "disabled_client",
    "deleted_client",
    "redirect_uri_mismatch",
    "invalid_rapt",
];
