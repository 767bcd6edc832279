//! Access tokens: what they say of themselves (RFC 7519). The signature is not looked at.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::explanation::Explanation;
use crate::doctor::claims::Claims;
use crate::error::ErrorCode;
use crate::instant::to_rfc3339;
use crate::oauth::claims;

/// Explains the token in a text: alone, behind `Bearer`, in a token endpoint's answer, or in an XOAUTH2 response.
pub(super) fn explain(text: &str, now: SystemTime) -> Option<Explanation> {
    let words = text.split(|c: char| c.is_whitespace() || "\"',;:={}()<>[]".contains(c));
    words.filter(|word| word.len() > SHORTEST).find_map(|word| {
        of_word(word, now).or_else(|| {
            // `user=…^Aauth=Bearer …^A^A`, as AUTH XOAUTH2 has it.
            let octets = STANDARD.decode(word).ok()?;
            let inside = std::str::from_utf8(&octets).ok().filter(|text| text.contains("auth=Bearer "))?;
            let bearer = inside.split("auth=Bearer ").nth(1)?;
            of_word(bearer.split('\u{1}').next()?, now)
        })
    })
}

fn of_word(word: &str, now: SystemTime) -> Option<Explanation> {
    if let Some(claims) = claims::claims(word) {
        return Some(of_claims(&claims, claims::expires_at(word), now));
    }
    let whose = match word {
        _ if word.starts_with("ya29.") => "Google",
        _ if word.starts_with("EwA") || word.starts_with("EwB") => "a personal Microsoft account",
        _ => return None,
    };
    Some(Explanation {
        meaning: format!("an access token of {whose}: it says nothing of itself to anybody but its service"),
        cure: Some("Run `mailbearer token --status`: it says whose token it is and until when.".to_owned()),
        ..sound()
    })
}

fn of_claims(claims: &Map<String, Value>, until: Option<SystemTime>, now: SystemTime) -> Explanation {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    if ["sts.windows.net", "login.microsoftonline", "login.partner.microsoftonline"]
        .iter()
        .any(|part| issuer.contains(part))
    {
        return match Claims(claims).for_exchange(None, now) {
            Ok(seen) if seen.cure.is_empty() => {
                Explanation { meaning: format!("as Exchange wants it: {}", seen.seen), ..sound() }
            }
            Ok(seen) => Explanation {
                meaning: format!("{}; {}", seen.means, seen.seen),
                cure: Some(seen.cure),
                ..sound()
            },
            Err(error) => Explanation {
                meaning: error.message().to_owned(),
                cure: error.hint().map(str::to_owned),
                ..Explanation::of_code("access_token", SEEN.to_owned(), error.code())
            },
        };
    }
    match until {
        Some(until) if until <= now => Explanation {
            meaning: format!("the token has expired at {}", to_rfc3339(until)),
            cure: Some(
                "Get a new one. If it is new, this machine's clock is ahead: set it by NTP.".to_owned(),
            ),
            ..Explanation::of_code("access_token", SEEN.to_owned(), ErrorCode::AuthRejected)
        },
        Some(until) => Explanation { meaning: format!("good until {}", to_rfc3339(until)), ..sound() },
        None => Explanation { meaning: "it does not say until when it is good".to_owned(), ..sound() },
    }
}

fn sound() -> Explanation {
    Explanation {
        kind: "access_token",
        seen: SEEN.to_owned(),
        code: None,
        meaning: String::new(),
        cure: None,
        retryable: false,
        recipient: None,
    }
}

const SEEN: &str = "access token";
/// No token is so short.
const SHORTEST: usize = 20;
