//! What a program prints that gets tokens: a token alone, or JSON.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::Attempt;
use crate::config::AuthSettings;
use crate::error::{Error, ErrorCode, Result};
use crate::host::ProvidedToken;
use crate::input::{self, Secret};
use crate::instant;
use crate::oauth::answer::seconds;
use crate::token::state::Held;

impl Attempt<'_> {
    /// A token that a program prints.
    pub(super) async fn printed(
        &mut self,
        auth: &AuthSettings,
        words: &[String],
        limit: Duration,
    ) -> Result<Held> {
        let field = self.shared.settings.spelling.path("auth.command");
        let failed = |error: Error| {
            let said = Error::new(ErrorCode::TokenProviderFailed, error.message());
            match error.hint() {
                Some(hint) => said.with_hint(hint),
                None => said,
            }
        };
        let said = input::run(words, &field, limit).await.map_err(failed)?;
        let token = read(&said, SystemTime::now()).map_err(|what| {
            let text = format!("`{field}`: the program's output {what}");
            Error::new(ErrorCode::TokenProviderFailed, text)
                .with_hint("The program must print a token alone, or JSON with access_token and expires_in or expires_at.")
        })?;
        self.accept(auth, token, "the program")
    }
}

/// Reads it. JSON has `access_token` (or `accessToken`, `token`) and `expires_in` (seconds), or `expires_at`,
/// `expires_on` or `expiresOn` (epoch seconds, RFC 3339, or as the Azure CLI writes it with `expires_on`).
///
/// # Errors
/// The end of a sentence, without what was printed.
fn read(printed: &Secret, now: SystemTime) -> Result<ProvidedToken, &'static str> {
    let text = printed.expose().trim();
    if !text.starts_with('{') {
        return Ok(ProvidedToken { secret: Secret::new(text), expires_at: None });
    }
    let Ok(Value::Object(map)) = serde_json::from_str(text) else { return Err("is no JSON") };
    let token = ["access_token", "accessToken", "token"].iter().find_map(|key| map.get(*key)?.as_str());
    let token = token.filter(|token| !token.is_empty()).ok_or("has no access_token")?;
    let lifetime = seconds(map.get("expires_in"));
    let at = ["expires_at", "expires_on", "expiresOn"].iter().find_map(|key| match map.get(*key)? {
        Value::String(text) => instant::from_rfc3339(text).or_else(|| epoch(seconds(map.get(*key))?)),
        number => epoch(seconds(Some(number))?),
    });
    Ok(ProvidedToken { secret: Secret::new(token), expires_at: lifetime.map(|left| now + left).or(at) })
}

fn epoch(since: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_alone_or_with_their_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let left = |text: &str| {
            let token = read(&Secret::new(text), now).unwrap();
            assert_eq!(token.secret.expose(), "abc", "{text}");
            token.expires_at.map(|at| at.duration_since(now).unwrap().as_secs())
        };
        for (text, wanted) in [
            ("abc", None),
            (" abc\n", None),
            (r#"{"access_token": "abc"}"#, None),
            (r#"{"access_token": "abc", "expires_in": 60}"#, Some(60)),
            (r#"{"access_token": "abc", "expires_in": "60"}"#, Some(60)),
            (
                r#"{"accessToken": "abc", "expiresOn": "2027-01-15 09:00:00.000000", "expires_on": 1800000060}"#,
                Some(60),
            ),
            (r#"{"token": "abc", "expires_at": "2027-01-15T08:01:00Z"}"#, Some(60)),
            (r#"{"token": "abc", "expires_at": "1800000060"}"#, Some(60)),
        ] {
            assert_eq!(left(text), wanted, "{text}");
        }
        for text in ["{", "{}", r#"{"access_token": ""}"#, r#"{"access_token": 7}"#] {
            assert!(read(&Secret::new(text), now).is_err(), "{text}");
        }
    }
}
