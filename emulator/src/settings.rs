//! The options with which a mail program uses this emulator, as JSON and as environment variables.

use serde_json::{Value, json};

use crate::access::{self, Mint};
use crate::config::Dialect;
use crate::defaults::{DEFAULT_CLIENT_ID, DEFAULT_PUBLIC_CLIENT_ID, DEFAULT_TENANT};
use crate::grant::Consent;
use crate::memory::Shared;
use crate::oauth::issue;
use crate::tenant::Tenant;

/// Options for this grant; tokens and secrets in them are good here and nowhere else.
pub(crate) fn settings(shared: &Shared, grant: &str, username: &str) -> Result<Value, String> {
    let auth = match shared.dialect {
        Dialect::Microsoft => microsoft(shared, grant, username)?,
        Dialect::Google => google(shared, grant, username)?,
    };
    let provider = match shared.dialect {
        Dialect::Microsoft => "microsoft365",
        Dialect::Google => "gmail",
    };
    let mut options = json!({
        "provider": provider, "username": username, "auth": auth,
        "smtp": {"host": shared.host, "port": shared.smtp_port, "security": "starttls"},
        "tls": {"roots": shared.ca_file},
        // A test does not wait for the provider's minute to pass.
        "limits": {"messages_per_minute": null},
    });
    if shared.host != "localhost" {
        // Elsewhere a mailer keeps a provider's token from hosts that are not the provider's.
        options["danger_token_to_host"] = true.into();
    }
    Ok(options)
}

/// The options as `MAILBEARER_…` variables; a double underscore stands for a dot.
pub(crate) fn environ(shared: &Shared, grant: &str, username: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    flatten("MAILBEARER", "_", &settings(shared, grant, username)?, &mut variables);
    Ok(variables)
}

fn flatten(name: &str, joint: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                flatten(&format!("{name}{joint}{}", key.to_uppercase()), "__", value, out);
            }
        }
        Value::String(text) => out.push((name.to_owned(), text.clone())),
        other => out.push((name.to_owned(), other.to_string())),
    }
}

fn microsoft(shared: &Shared, grant: &str, username: &str) -> Result<Value, String> {
    let authority = &shared.authority;
    let public = json!({
        "grant": grant, "tenant": DEFAULT_TENANT, "client_id": DEFAULT_PUBLIC_CLIENT_ID,
        "authority": authority,
    });
    match grant {
        "client_credentials" => Ok(json!({
            "grant": grant, "tenant": DEFAULT_TENANT, "client_id": DEFAULT_CLIENT_ID,
            "client_secret": shared.lock().config.client_secret, "authority": authority,
        })),
        "authorization_code" | "device_code" => Ok(public),
        "refresh_token" => {
            let mut auth = public;
            auth["refresh_token"] = refresh_token(shared, DEFAULT_PUBLIC_CLIENT_ID, username).into();
            Ok(auth)
        }
        "access_token" | "callback" => common(shared, grant, username),
        _ => Err(unknown(
            grant,
            "client_credentials, authorization_code, device_code, refresh_token, access_token, callback",
        )),
    }
}

fn google(shared: &Shared, grant: &str, username: &str) -> Result<Value, String> {
    let base = &shared.authority;
    match grant {
        "authorization_code" | "refresh_token" => {
            let mut auth = json!({
                "grant": grant, "client_id": DEFAULT_CLIENT_ID,
                "client_secret": shared.lock().config.client_secret,
                "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
                "token_endpoint": format!("{base}/token"),
                "revocation_endpoint": format!("{base}/revoke"),
            });
            if grant == "refresh_token" {
                auth["refresh_token"] = refresh_token(shared, DEFAULT_CLIENT_ID, username).into();
            }
            Ok(auth)
        }
        "jwt_bearer" => Ok(json!({
            "grant": grant, "key_file": shared.key_file, "subject": username,
            "token_endpoint": format!("{base}/token"),
        })),
        "access_token" | "callback" => common(shared, grant, username),
        _ => Err(unknown(grant, "authorization_code, refresh_token, jwt_bearer, access_token, callback")),
    }
}

fn common(shared: &Shared, grant: &str, username: &str) -> Result<Value, String> {
    if grant == "callback" {
        return Ok(json!({"grant": grant}));
    }
    let mint = Mint { username: username.to_owned(), ..Mint::default() };
    Ok(json!({"grant": grant, "access_token": access_token(shared, mint)}))
}

/// An access token, made here and now.
pub(crate) fn access_token(shared: &Shared, mint: Mint) -> String {
    let mut memory = shared.lock();
    let claims = mint.claims(shared.dialect, memory.config.token_lifetime);
    access::issue(&mut memory, &shared.keys, shared.dialect, &claims)
}

fn refresh_token(shared: &Shared, client_id: &str, username: &str) -> String {
    let scope = match shared.dialect {
        Dialect::Microsoft => "https://outlook.office.com/SMTP.Send openid profile offline_access",
        Dialect::Google => access::GOOGLE_MAIL,
    };
    let consent = Consent {
        client_id: client_id.to_owned(),
        tenant: Tenant::Work,
        username: username.to_owned(),
        scope: scope.to_owned(),
        nonce: None,
        offline: true,
    };
    issue::refresh_token(&mut shared.lock(), shared.dialect, &consent)
}

fn unknown(grant: &str, known: &str) -> String {
    format!("no settings for the grant `{}`; there are: {known}", grant.escape_debug())
}
