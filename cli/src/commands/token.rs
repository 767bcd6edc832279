//! `mailbearer token`: an access token for programs that speak SMTP or IMAP themselves, or its state.

use std::time::SystemTime;

use mailbearer::{AccessToken, Call, Cancel, GetToken, TokenSource, to_rfc3339};
use serde_json::{Value, json};

use crate::arguments::{self, Global, TokenFormat};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::{exit, interrupt, options};

pub(super) fn run(global: &Global, arguments: &arguments::Token, output: Output) -> Result<i32> {
    if arguments.status {
        return status(global, arguments, output);
    }
    let tokens = options::tokens(global, &arguments.options, output)?;
    let token = get(&tokens, arguments)?;
    let format = arguments.format.unwrap_or(match output.json {
        true => TokenFormat::Json,
        false => TokenFormat::Token,
    });
    match format {
        TokenFormat::Token => output.data(token.secret())?,
        TokenFormat::Xoauth2 => output.data(&token.xoauth2_base64(None)?)?,
        TokenFormat::Json => output.value(&json!({
            "access_token": token.secret(),
            "token_type": "Bearer",
            "username": token.username(),
            "scopes": token.scopes(),
            "expires_at": instant(token.expires_at()),
        }))?,
    }
    Ok(exit::OK)
}

fn get(tokens: &TokenSource, arguments: &arguments::Token) -> Result<AccessToken> {
    let cancel = Cancel::default();
    let call = Call { timeout: arguments.timeout, cancel: cancel.clone(), ..Call::default() };
    let request = GetToken { force: arguments.force, call, ..GetToken::default() };
    Ok(interrupt::block_on(&cancel, tokens.get(request))??)
}

/// Who is signed in, where that is kept, and whether it still gives a token. The exit code is that of
/// the token's error, so that a script may ask whether it is time to sign in.
fn status(global: &Global, arguments: &arguments::Token, output: Output) -> Result<i32> {
    let mailer = options::mailer(global, &arguments.options, output)?;
    let tokens = mailer.tokens()?;
    let settings = mailer.settings();
    let token = get(tokens, arguments);
    let account = tokens.account();
    let store = settings.store.place();
    let grant = settings.auth.as_ref().map(|auth| auth.grant.as_str());
    if output.json {
        let failure = token.as_ref().err().map(Failure::to_json);
        output.value(&json!({
            "provider": settings.preset.name,
            "grant": grant,
            "username": settings.username,
            "store": store,
            "account": account,
            "token": token.as_ref().ok().map(shown),
            "error": failure,
        }))?;
        return Ok(token.err().map_or(exit::OK, |failure| failure.exit()));
    }
    let mut rows =
        vec![("provider", settings.preset.name.to_owned()), ("grant", grant.unwrap_or("-").to_owned())];
    if let Some(account) = &account {
        rows.push(("account", account.username.clone()));
        rows.extend(account.tenant.clone().map(|tenant| ("tenant", tenant)));
        rows.extend(account.refresh_expires_at.map(|at| ("sign-in until", to_rfc3339(at))));
    } else {
        rows.extend(settings.username.clone().map(|username| ("mailbox", username)));
    }
    rows.push(("store", store));
    if let Ok(token) = &token {
        rows.push(("token until", token.expires_at().map_or("unknown".into(), to_rfc3339)));
        rows.push(("scopes", token.scopes().join(" ")));
    }
    let lines: Vec<_> = rows.iter().map(|(name, value)| format!("{name:<14} {value}")).collect();
    output.data(&lines.join("\n"))?;
    Ok(token.err().map_or(exit::OK, |failure| output.failure(&failure)))
}

/// What may be seen of a token.
fn shown(token: &AccessToken) -> Value {
    json!({
        "username": token.username(),
        "scopes": token.scopes(),
        "expires_at": instant(token.expires_at()),
    })
}

fn instant(at: Option<SystemTime>) -> Option<String> {
    at.map(to_rfc3339)
}
