//! `mailbearer send`: one message, from the command line's own words.

use std::io::{self, Read};
use std::path::Path;

use mailbearer::{ByteStream, Call, Cancel, Error, Mailer, Message};
use serde_json::{Map, Value, json};

use crate::arguments::{self, Global, MessageArguments};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::{envelope, exit, interrupt, options};

pub(super) fn run(global: &Global, arguments: &arguments::Send, output: Output) -> Result<i32> {
    let mailer = options::mailer(global, &arguments.options, output)?;
    let message = message(&arguments.message, &mailer)?;
    let cancel = Cancel::default();
    let call = Call {
        timeout: arguments.timeout,
        partial: arguments.partial.map(Into::into),
        cancel: cancel.clone(),
    };
    if arguments.dry_run {
        let built = interrupt::block_on(&cancel, mailer.preview(&message))??;
        output.preview(&built, arguments.quiet)?;
        return Ok(exit::OK);
    }
    let receipt = interrupt::block_on(&cancel, mailer.send(&message, call))?;
    interrupt::close(&mailer, &output)?;
    let receipt = receipt?;
    if arguments.quiet {
        output.refused(&receipt);
    } else {
        output.receipt(&receipt)?;
    }
    Ok(exit::of_receipt(&receipt))
}

fn message(arguments: &MessageArguments, mailer: &Mailer) -> Result<Message> {
    let files = [&arguments.text_file, &arguments.html_file, &arguments.calendar].into_iter().flatten();
    if files.chain(&arguments.attach).filter(|path| is_input(path)).count() > 1 {
        return Err(Failure::Usage("only one thing can come from standard input".into(), ""));
    }
    let text = body(&arguments.text, arguments.text_file.as_deref())?;
    let html = body(&arguments.html, arguments.html_file.as_deref())?;
    let calendar = body(&None, arguments.calendar.as_deref())?;
    if text.is_none() && html.is_none() && calendar.is_none() && arguments.attach.is_empty() {
        return Err(Failure::Usage(
            "the message has no content".into(),
            "Give --text, --text-file, --html, --html-file or --attach; --text-file - reads standard input.",
        ));
    }
    let mut fields = Map::new();
    for (name, list) in [
        ("to", &arguments.to),
        ("cc", &arguments.cc),
        ("bcc", &arguments.bcc),
        ("reply_to", &arguments.reply_to),
    ] {
        if !list.is_empty() {
            fields.insert(name.into(), json!(list));
        }
    }
    for (name, value) in [
        ("subject", &arguments.subject),
        ("text", &text),
        ("html", &html),
        ("tag", &arguments.tag),
        ("calendar", &calendar),
        ("hold_for", &arguments.hold_for),
    ] {
        if let Some(value) = value {
            fields.insert(name.into(), json!(value));
        }
    }
    let mut blobs = Vec::new();
    if !arguments.attach.is_empty() || !arguments.inline.is_empty() {
        let inline = arguments.inline.iter().map(|image| inline(image));
        let attached = arguments.attach.iter().map(|path| {
            if is_input(path) {
                // Read when the server wants it: nothing is kept, however much it is.
                blobs.push(standard_input().into());
                return Ok(json!({ "blob": 0, "filename": arguments.attach_name }));
            }
            path_text(path).map(Value::from)
        });
        fields.insert("attachments".into(), inline.chain(attached).collect::<Result<_>>()?);
    }
    if !arguments.notify.is_empty() {
        fields.insert("dsn".into(), json!({ "notify": arguments.notify }));
    }
    if arguments.require_tls {
        fields.insert("require_tls".into(), json!(true));
    }
    if !arguments.header.is_empty() {
        fields.insert("headers".into(), headers(&arguments.header)?);
    }
    if let Some(from) = &arguments.envelope_from {
        let all: Vec<_> =
            [&arguments.to, &arguments.cc, &arguments.bcc].into_iter().flatten().cloned().collect();
        let rcpt_to = if all.is_empty() { Vec::new() } else { envelope::recipients(&all)? };
        fields.insert(
            "envelope".into(),
            json!({ "mail_from": envelope::reverse_path(from), "rcpt_to": rcpt_to }),
        );
    }
    Ok(mailer.message(Value::Object(fields), blobs)?)
}

fn body(given: &Option<String>, file: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = file else { return Ok(given.clone()) };
    let mut bytes = Vec::new();
    let read = match is_input(path) {
        true => io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        false => std::fs::read(path).map(|content| bytes = content),
    };
    read.map_err(|e| Failure::input(path, &e))?;
    String::from_utf8(bytes).map(Some).map_err(|_| {
        let error = Error::invalid_message("text", format!("{} is not UTF-8", path.display()));
        error.with_hint("Convert it, for instance with iconv, or attach it.").into()
    })
}

/// An image of the HTML's: `PATH`, or `NAME=PATH` to be shown as `cid:NAME`.
fn inline(image: &str) -> Result<Value> {
    // A path with `=` in its first part is written `./a=b.png`.
    let (name, path) = match image.split_once('=').filter(|(name, _)| !name.contains(['/', '\\'])) {
        Some((name, path)) => (name, path),
        None => (Path::new(image).file_name().and_then(|name| name.to_str()).unwrap_or_default(), image),
    };
    if name.is_empty() || path.is_empty() {
        return Err(Failure::Usage(
            format!("`--inline {image}` names no file"),
            "Write --inline logo.png or --inline NAME=PATH.",
        ));
    }
    Ok(json!({ "path": path, "content_id": name }))
}

fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Failure::Input(format!("the path {} is not UTF-8", path.display())))
}

fn headers(lines: &[String]) -> Result<Value> {
    let mut headers: Map<String, Value> = Map::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Failure::Usage(format!("`{line}` is not a header"), "Write 'Name: value'."));
        };
        let values = headers.entry(name.trim()).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(json!(value.trim()));
        }
    }
    Ok(Value::Object(headers))
}

fn is_input(path: &Path) -> bool {
    path == Path::new("-")
}

fn standard_input() -> ByteStream {
    ByteStream::blocking(|| {
        let mut piece = vec![0; PIECE];
        let got = io::stdin().lock().read(&mut piece)?;
        piece.truncate(got);
        Ok(piece.into())
    })
}

/// Octets asked for at once.
const PIECE: usize = 64 * 1024;
