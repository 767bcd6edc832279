//! What a client of Entra ID sends, with one thing changed at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailbearer_emulator::{
    DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_PUBLIC_CLIENT_ID, DEFAULT_USERNAME, Decision, Emulator,
};
use serde_json::Value;

use super::{Answer, Web};

pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const SEND: &str = "https://outlook.office.com/SMTP.Send";

pub fn token(web: &Web, emulator: &Emulator, tenant: &str, fields: &[(&str, &str)]) -> Answer {
    let url = format!("{}/{tenant}/oauth2/v2.0/token", emulator.authority());
    web.form(&url, fields)
}

pub fn app_only<'a>(over: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", DEFAULT_CLIENT_ID),
        ("client_secret", DEFAULT_CLIENT_SECRET),
        ("scope", "https://outlook.office365.com/.default"),
    ];
    for (name, value) in over {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    fields
}

pub fn claims(token: &Value) -> Value {
    let middle = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}

pub fn authorize(emulator: &Emulator, tenant: &str, over: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("client_id", DEFAULT_PUBLIC_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", "http://localhost:4711"),
        ("scope", "https://outlook.office.com/SMTP.Send openid profile offline_access"),
        ("state", "s&t"),
        ("nonce", "n1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in over {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    let mut url =
        url::Url::parse(&format!("{}/{tenant}/oauth2/v2.0/authorize", emulator.authority())).unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.into()
}

pub fn field(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

pub fn redeem(web: &Web, emulator: &Emulator, code: &str, over: &[(&str, &str)]) -> Answer {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("client_id", DEFAULT_PUBLIC_CLIENT_ID),
        ("code", code),
        ("redirect_uri", "http://localhost:4711"),
        ("code_verifier", VERIFIER),
        ("client_info", "1"),
    ];
    for (name, value) in over {
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name, value));
        }
    }
    token(web, emulator, "contoso.com", &fields)
}

/// The tokens of a person who signed in.
pub fn signed_in(web: &Web, emulator: &Emulator) -> Value {
    let url = authorize(emulator, "contoso.com", &[]);
    let callback = emulator.sign_in(&url, DEFAULT_USERNAME, Decision::Approve).unwrap();
    let answer = redeem(web, emulator, &field(&callback, "code").unwrap(), &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

pub fn refresh(web: &Web, emulator: &Emulator, refresh_token: &str) -> Answer {
    token(
        web,
        emulator,
        "contoso.com",
        &[
            ("grant_type", "refresh_token"),
            ("client_id", DEFAULT_PUBLIC_CLIENT_ID),
            ("refresh_token", refresh_token),
            ("scope", SEND),
        ],
    )
}
