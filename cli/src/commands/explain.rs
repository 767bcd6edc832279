//! `mailbearer explain`: what a server's words mean, offline.

use std::io::{self, Read};

use serde_json::json;

use crate::arguments;
use crate::exit;
use crate::failure::{Failure, Result};
use crate::output::Output;

pub(super) fn run(arguments: &arguments::Explain, output: Output) -> Result<i32> {
    let given = !arguments.text.is_empty();
    let text = if given { arguments.text.join(" ") } else { input()? };
    let found = mailbearer::explain(&text);
    // Other users of the machine see command lines, and shells remember them.
    if given && found.iter().any(|found| found.kind == "access_token") {
        return Err(Failure::Usage(
            "a token does not belong on a command line".into(),
            "Give it on standard input: mailbearer explain < FILE",
        ));
    }
    if output.json {
        output.value(&json!(found))?;
    } else {
        for one in &found {
            output.data(&one.to_string())?;
        }
    }
    if found.is_empty() {
        if !output.json {
            output.note("mailbearer: nothing in this text is known");
            output.note("  Give a server's reply, such as 535 5.7.3, an AADSTS number, a token endpoint's answer or a bounce.");
        }
        return Ok(exit::MESSAGE);
    }
    Ok(exit::OK)
}

fn input() -> Result<String> {
    let mut octets = Vec::new();
    let read = io::stdin().lock().take(LONGEST).read_to_end(&mut octets);
    read.map_err(|e| Failure::input("standard input", &e))?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// A bounce with the message that it brings along.
const LONGEST: u64 = 64 << 20;
