//! `mailbearer login`: a person signs in, and the sign-in is kept for the commands to come.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use mailbearer::{Account, Call, Cancel, LoginRequest};
use serde_json::{Value, json};

use crate::arguments::{self, Global};
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::output::Output;
use crate::terminal::{LongLines, read_line};
use crate::{exit, options};

pub(super) fn run(global: &Global, arguments: arguments::Login, output: Output) -> Result<i32> {
    let (options, host) = options::load(global, &arguments.options, output)?;
    let pasted = arguments.redirect_uri.is_some()
        || (!arguments.device && options.auth.as_ref().is_some_and(|auth| auth.redirect_uri.is_some()));
    let tokens = mailbearer::TokenSource::new(options, host)?;
    let cancel = Cancel::default();
    let call = Call { timeout: arguments.timeout, cancel: cancel.clone(), ..Call::default() };
    if let Some(path) = &arguments.import {
        let text = whole(path)?;
        let account = interrupt::block_on(&cancel, tokens.import_login(&text, call))??;
        show(&account, output)?;
        return Ok(exit::OK);
    }
    let request = LoginRequest {
        method: arguments.device.then(|| "device_code".to_owned()),
        redirect_uri: arguments.redirect_uri,
        open_browser: !arguments.no_browser,
        call: call.clone(),
        ..LoginRequest::default()
    };
    let account = interrupt::block_on(&cancel, async {
        let login = tokens.login(request).await?;
        if output.json {
            output.note_value(&json!({
                "method": login.method(),
                "url": login.url(),
                "user_code": login.user_code(),
                "message": login.message(),
                "state": login.state(),
            }));
        } else {
            output.note(login.message());
        }
        if !pasted || login.method() == "device_code" {
            return Ok(login.wait(call).await?);
        }
        // On before anybody is asked: what is pasted earlier would be cut.
        let _long = LongLines::on();
        output.note("Then paste the whole address at which the browser ends, and press Enter.");
        let address = tokio::select! {
            line = line_of_input() => line?,
            () = cancel.cancelled() => return Err(Failure::Interrupted),
        };
        Ok(login.finish(&Value::String(address), call).await?)
    })??;
    show(&account, output)?;
    Ok(exit::OK)
}

/// What another program kept; it is a secret.
fn whole(path: &Path) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        let read = io::stdin().lock().take(LONGEST).read_to_string(&mut text);
        read.map_err(|error| Failure::input("standard input", &error))?;
    } else {
        let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
        read.map_err(|error| Failure::input(path, &error))?;
    }
    Ok(text)
}

/// Caches of thousands of accounts are smaller.
const LONGEST: u64 = 64 << 20;

fn show(account: &Account, output: Output) -> Result<()> {
    if output.json {
        return output.value(&json!(account));
    }
    let tenant = account.tenant.as_deref().map(|tenant| format!(" (tenant {tenant})")).unwrap_or_default();
    output.data(&format!("signed in as {}{tenant}", account.username))
}

/// One line, read on another thread: a terminal that is silent must not hold up Ctrl-C.
async fn line_of_input() -> Result<String> {
    match tokio::task::spawn_blocking(|| read_line(io::stdin().lock())).await {
        Ok(Ok(line)) => Ok(line),
        Ok(Err(error)) => Err(Failure::input("standard input", &error)),
        Err(error) => Err(Failure::Input(format!("cannot read standard input: {error}"))),
    }
}
