//! `mailbearer logout`: forgets a sign-in, and tells the service where it wants to know.

use mailbearer::Cancel;
use serde_json::json;

use crate::arguments::{self, Global};
use crate::failure::Result;
use crate::output::Output;
use crate::{exit, interrupt, options};

pub(super) fn run(global: &Global, arguments: &arguments::Logout, output: Output) -> Result<i32> {
    let tokens = options::tokens(global, &arguments.options, output)?;
    let account = tokens.account();
    let cancel = Cancel::default();
    interrupt::block_on(&cancel, async {
        tokio::select! {
            done = tokens.logout() => done,
            () = cancel.cancelled() => Err(mailbearer::Error::new(mailbearer::ErrorCode::Cancelled, "interrupted")),
        }
    })??;
    if output.json {
        output.value(&json!({ "signed_out": account }))?;
    } else {
        output.data(&match account {
            Some(account) => format!("signed out {}", account.username),
            None => "nobody was signed in".to_owned(),
        })?;
    }
    Ok(exit::OK)
}
