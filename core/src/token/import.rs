//! Refresh tokens that other programs keep: the serialised caches of MSAL, and the files of mutt_oauth2.py and
//! sasl-xoauth2. Nobody needs to sign in again to move over.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::config::AuthSettings;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::provider::Family;
use crate::text;

/// A sign-in of another program.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) refresh_token: Secret,
    /// The user's name, if the file has it.
    pub(crate) username: Option<String>,
    /// The application that the refresh token belongs to, if the file names it.
    client_id: Option<String>,
    /// The sign-in service, if the file says so.
    host: Option<String>,
}

/// The only one in `text` that fits.
///
/// # Errors
/// `login_invalid` for a text of another kind, or one that holds nothing for this application; `config_invalid` if
/// there are several and no `username` says which.
pub(crate) fn find(text: &str, auth: &AuthSettings, username: Option<&str>) -> Result<Imported> {
    let all = read(text)?;
    let invalid = |what: String| Error::new(ErrorCode::LoginInvalid, what);
    if all.is_empty() {
        return Err(invalid("there is no refresh token in it".into())
            .with_hint("MSAL's cache for applications has none: give the program its own secret."));
    }
    let others: Vec<String> = all.iter().filter_map(|one| one.client_id.clone()).collect();
    let mut fitting: Vec<Imported> = all
        .into_iter()
        .filter(|one| one.client_id.as_ref().is_none_or(|id| id.eq_ignore_ascii_case(auth.client_id())))
        .filter(|one| one.host.as_ref().is_none_or(|host| is_ours(host, auth)))
        .collect();
    if fitting.is_empty() {
        let whose = others.first().map(|id| shown(id)).unwrap_or_default();
        return Err(invalid(format!("it holds refresh tokens of another application or cloud: {whose}"))
            .with_hint(
                "Set auth.client_id to that application: a refresh token is good for its own application only.",
            ));
    }
    if let Some(name) = username {
        fitting.retain(|one| one.username.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(name)));
    }
    let mut names: Vec<String> = fitting.iter().filter_map(|one| one.username.clone()).collect();
    names.sort_unstable();
    names.dedup();
    match (fitting.pop(), names.len()) {
        (None, _) => {
            let name = username.unwrap_or_default();
            Err(invalid(format!("it holds no sign-in of {name}")))
        }
        (Some(one), 0 | 1) => Ok(one),
        (Some(_), _) => {
            Err(Error::config("username", format!("it holds several accounts: {}", names.join(", ")))
                .with_hint("Set `username` to the one to take over."))
        }
    }
}

/// All of them, whichever program wrote the text.
fn read(text: &str) -> Result<Vec<Imported>> {
    let unknown = || {
        Error::new(
            ErrorCode::LoginInvalid,
            "it is neither a cache of MSAL nor a file of mutt_oauth2 or sasl-xoauth2",
        )
        .with_hint(
            "If the file is encrypted, decrypt it first: gpg --decrypt FILE | mailbearer login --import -",
        )
    };
    // The parser's own words could quote a token.
    let Ok(Value::Object(map)) = serde_json::from_str::<Value>(text.trim()) else { return Err(unknown()) };
    let word = |map: &Map<String, Value>, key: &str| {
        map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if let Some(Value::Object(tokens)) = map.get("RefreshToken") {
        // The keys differ by language; what counts stands in the values.
        let empty = Map::new();
        let accounts = map.get("Account").and_then(Value::as_object).unwrap_or(&empty);
        let name_of = |home: &str| {
            let of = |account: &&Value| account.get("home_account_id").and_then(Value::as_str) == Some(home);
            word(accounts.values().find(of)?.as_object()?, "username")
        };
        let found = tokens.values().filter_map(Value::as_object).filter_map(|token| {
            Some(Imported {
                refresh_token: Secret::new(word(token, "secret")?),
                username: word(token, "home_account_id").and_then(|home| name_of(&home)),
                client_id: word(token, "client_id"),
                host: word(token, "environment"),
            })
        });
        return Ok(found.collect());
    }
    let Some(token) = word(&map, "refresh_token").map(Zeroizing::new) else { return Err(unknown()) };
    Ok(vec![Imported {
        refresh_token: Secret::new(token.as_str()),
        // mutt_oauth2's, and sasl-xoauth2's.
        username: word(&map, "email").or_else(|| word(&map, "user")),
        client_id: word(&map, "client_id"),
        host: None,
    }])
}

/// Whether MSAL's `environment` is the configured service, which has several names.
fn is_ours(host: &str, auth: &AuthSettings) -> bool {
    const SAME: [&str; 4] =
        ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];
    let own = url::Url::parse(&auth.authority).ok();
    let own = own.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    auth.family != Family::Microsoft
        || host.eq_ignore_ascii_case(own)
        || (SAME.contains(&own) && SAME.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

fn shown(id: &str) -> String {
    text::shown(id, 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_in::testing::Fake;
    use serde_json::json;

    fn cache() -> Value {
        let token = |home: &str, client: &str, host: &str, secret: &str| {
            json!({"credential_type": "RefreshToken", "secret": secret, "home_account_id": home, "environment": host,
                "client_id": client, "target": "https://outlook.office.com/SMTP.Send"})
        };
        let account =
            |home: &str, name: &str| json!({"home_account_id": home, "username": name, "realm": "t1"});
        json!({
            "Account": {"a": account("o1.t1", "ada@contoso.com"), "b": account("o2.t1", "bob@contoso.com")},
            "RefreshToken": {
                "x": token("o1.t1", "app", "login.windows.net", "rt-ada"),
                "y": token("o2.t1", "APP", "login.microsoftonline.com", "rt-bob"),
                "z": token("o1.t1", "other", "login.microsoftonline.com", "rt-other"),
                "w": token("o1.t1", "app", "login.microsoftonline.us", "rt-elsewhere"),
            },
            "AccessToken": {}, "IdToken": {}, "AppMetadata": {},
        })
    }

    #[tokio::test]
    async fn the_token_that_fits_is_found_in_each_kind_of_file() {
        let fake = Fake::start(|_| crate::sign_in::testing::token("at", None, 3600)).await;
        let source = fake.person(
            json!({"auth": {"authority": "https://login.microsoftonline.com"}}),
            crate::host::Host::default(),
        );
        let auth = source.shared.settings.auth.as_ref().unwrap();
        let find =
            |value: &Value, name: Option<&str>| crate::token::import::find(&value.to_string(), auth, name);
        let mutt = json!({"registration": "microsoft", "email": "ada@contoso.com", "access_token": "at",
            "access_token_expiration": "2026-11-24T10:00:00.1", "refresh_token": "rt-mutt", "client_id": "app",
            "client_secret": ""});
        let sasl = json!({"refresh_token": "rt-sasl", "access_token": "at", "expiry": "1790003600"});
        for (file, name, token, whose) in [
            (cache(), Some("Ada@contoso.com"), "rt-ada", Some("ada@contoso.com")),
            (cache(), Some("bob@contoso.com"), "rt-bob", Some("bob@contoso.com")),
            (mutt.clone(), None, "rt-mutt", Some("ada@contoso.com")),
            (sasl, Some("ada@contoso.com"), "rt-sasl", None),
        ] {
            let found = find(&file, name).unwrap();
            assert_eq!((found.refresh_token.expose(), found.username.as_deref()), (token, whose));
        }
        let mut foreign = mutt;
        foreign["client_id"] = "theirs".into();
        for (file, name, code, said) in [
            (cache(), None, ErrorCode::ConfigInvalid, "ada@contoso.com, bob@contoso.com"),
            (cache(), Some("eve@contoso.com"), ErrorCode::LoginInvalid, "no sign-in of eve"),
            (foreign, None, ErrorCode::LoginInvalid, "theirs"),
            (json!({"RefreshToken": {}}), None, ErrorCode::LoginInvalid, "no refresh token"),
            (json!({"a": 1}), None, ErrorCode::LoginInvalid, "neither"),
            (json!("-----BEGIN PGP MESSAGE-----"), None, ErrorCode::LoginInvalid, "neither"),
        ] {
            let error = find(&file, name).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.message().contains(said) && !error.to_string().contains("rt-"), "{said}: {error}");
        }
    }
}
