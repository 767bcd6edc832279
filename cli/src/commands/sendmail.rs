//! `mailbearer sendmail`: a message from standard input, with the options that `/usr/sbin/sendmail` has
//! always taken, for programs that know no other way to send.

mod options;

use std::io::{self, Read};

use mailbearer::config::Spelling;
use mailbearer::{Call, Cancel, Envelope, Mailer, Message};
use serde_json::{Value, json};

use crate::arguments::{self, Global, Options};
use crate::envelope::{self, reverse_path};
use crate::failure::{Failure, Result};
use crate::local_names::LocalNames;
use crate::output::Output;
use crate::{exit, interrupt, options as mailer_options};
use options::{Request, SendmailOptions};

pub(super) fn run(global: &Global, arguments: &arguments::Sendmail, output: Output) -> Result<i32> {
    let asked = match options::read(&arguments.words)? {
        Request::Help => {
            output.data(arguments::SENDMAIL_HELP)?;
            return Ok(exit::OK);
        }
        Request::Send(asked) => asked,
    };
    let global = Global {
        config: asked.config.clone().or_else(|| global.config.clone()),
        profile: asked.profile.clone().or_else(|| global.profile.clone()),
        json: global.json || asked.json,
        trace: global.trace || asked.trace,
    };
    let output = Output::new(global.json, global.trace);
    let sent = send(&global, &asked, output);
    let code = sent.unwrap_or_else(|failure| output.failure(&failure));
    // PHP takes 75 for success, since sendmail would keep the message; we keep no queue.
    Ok(if code == exit::RETRY && !asked.tempfail_75 { exit::UNAVAILABLE } else { code })
}

fn send(global: &Global, asked: &SendmailOptions, output: Output) -> Result<i32> {
    if asked.recipients.is_empty() && !asked.from_headers {
        return Err(Failure::Usage(
            "no recipients".into(),
            "Name them behind the options, or give -t to take them from the message's headers.",
        ));
    }
    let mailer = mailer_options::mailer(global, &Options::default(), output)?;
    let mut mime = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut mime);
    read.map_err(|e| Failure::input("standard input", &e))?;
    let sender = mailer_options::sender(&mailer).map(|sender| bare(&sender)).transpose()?;
    let mut names = LocalNames::new(sender.unwrap_or_default(), asked.aliases.clone());
    let completed = SendmailOptions {
        recipients: asked.recipients.iter().map(|list| names.complete(list)).collect(),
        sender: asked.sender.as_deref().map(|given| names.reverse_path(reverse_path(given))),
        ..asked.clone()
    };
    let asked = &completed;
    let mime = names.complete_headers(message(mime, asked.ignore_dots));
    let mime = with_from(mime, asked, &mailer)?;
    let mut envelope = envelope(&mime, asked, &mailer)?;
    envelope.rcpt_to = names.expand(envelope.rcpt_to)?;
    let message = Message::raw(mime, Some(envelope), None)?;
    let cancel = Cancel::default();
    let call = Call { cancel: cancel.clone(), ..Call::default() };
    let receipt = interrupt::block_on(&cancel, mailer.send(&message, call))?;
    interrupt::close(&mailer, &output)?;
    let receipt = receipt?;
    // Programs that call sendmail take output for trouble: a message that went out is silent.
    if output.json || asked.verbose {
        output.receipt(&receipt)?;
    } else {
        output.refused(&receipt);
    }
    Ok(exit::of_receipt(&receipt))
}

/// What was meant to be sent: without a mailbox file's separator in front, and, unless told to ignore
/// it, only up to a line with a single dot.
fn message(mut mime: Vec<u8>, ignore_dots: bool) -> Vec<u8> {
    if mime.starts_with(b"From ") {
        let end = mime.iter().position(|b| *b == b'\n').map_or(mime.len(), |end| end + 1);
        mime.drain(..end);
    }
    if ignore_dots {
        return mime;
    }
    let mut start = 0;
    for line in mime.split_inclusive(|b| *b == b'\n') {
        if matches!(line, b"." | b".\n" | b".\r\n") {
            mime.truncate(start);
            break;
        }
        start += line.len();
    }
    mime
}

/// Adds the From that a message must have, as sendmail always did: `-F` and `-f`, else the configured
/// sender. Text without any header gets the empty line before it, too.
fn with_from(mime: Vec<u8>, asked: &SendmailOptions, mailer: &Mailer) -> Result<Vec<u8>> {
    let headers = header_names(&mime);
    if headers.iter().any(|name| name == "from") {
        return Ok(mime);
    }
    let given = asked.sender.as_deref().map(reverse_path).filter(|address| !address.is_empty());
    let from = match (given, &asked.full_name, mailer_options::sender(mailer)) {
        (Some(address), name, _) => json!({ "name": name, "address": address }),
        (None, Some(name), Some(sender)) => json!({ "name": name, "address": bare(&sender)? }),
        (None, None, Some(sender)) => sender,
        (None, _, None) => return Ok(mime),
    };
    let fields = json!({ "from": from, "to": ["nobody@localhost.invalid"], "text": "" });
    let carrier = Message::from_json(fields, Vec::new(), Spelling::Snake)?.to_bytes(Spelling::Snake)?;
    let mut out = header(&carrier, b"From:").to_vec();
    if headers.is_empty() && !matches!(mime.first(), Some(b'\r' | b'\n')) {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(&mime);
    Ok(out)
}

/// The envelope: `-f`, else the message's own sender, else the configured one; the recipients named,
/// and with `-t` those of the headers.
fn envelope(mime: &[u8], asked: &SendmailOptions, mailer: &Mailer) -> Result<Envelope> {
    let named = match asked.recipients.is_empty() {
        true => Vec::new(),
        false => envelope::recipients(&asked.recipients)?,
    };
    let given = asked.sender.as_deref().map(|sender| reverse_path(sender).to_owned());
    // The headers are read with the named recipients among them: core wants one at least.
    let mut probe = Vec::new();
    if !named.is_empty() {
        probe.extend_from_slice(format!("Bcc: {}\r\n", named.join(",\r\n ")).as_bytes());
    }
    if let Some(sender) = given.as_deref().filter(|s| !s.is_empty() && !s.contains(char::is_control)) {
        probe.extend_from_slice(format!("Sender: {sender}\r\n").as_bytes());
    }
    if !asked.from_headers {
        let author = || -> Option<String> {
            probe.extend_from_slice(mime);
            Some(envelope::of_headers(probe).ok()?.mail_from)
        };
        let mail_from = match given.or_else(author) {
            Some(address) => address,
            None => {
                mailer_options::sender(mailer).map(|sender| bare(&sender)).transpose()?.unwrap_or_default()
            }
        };
        return Ok(Envelope { mail_from, rcpt_to: named });
    }
    if header_names(mime).iter().any(|name| name == "sender") {
        // Its own Sender says who it is; two would be one too many.
        let end = probe.windows(7).position(|w| w == b"Sender:").unwrap_or(probe.len());
        probe.truncate(end);
    }
    probe.extend_from_slice(mime);
    let mut found = envelope::of_headers(probe)?;
    found.rcpt_to.extend(named);
    Ok(Envelope { mail_from: given.unwrap_or(found.mail_from), rcpt_to: found.rcpt_to })
}

/// The address in a mailbox.
fn bare(mailbox: &Value) -> Result<String> {
    let text = match mailbox {
        Value::Object(_) => mailbox["address"].as_str(),
        other => other.as_str(),
    };
    Ok(envelope::recipients(&[text.unwrap_or_default().to_owned()])?.pop().unwrap_or_default())
}

/// The names in the header section, in lower case.
fn header_names(mime: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for line in mime.split(|b| *b == b'\n') {
        match line.first() {
            None | Some(b'\r') => break,
            Some(b' ' | b'\t') if !names.is_empty() => continue,
            _ => {}
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { break };
        let name = line[..colon].trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            break;
        }
        names.push(String::from_utf8_lossy(name).to_ascii_lowercase());
    }
    names
}

/// The header that begins with `name`, with its folded lines; empty if it is not there.
fn header<'a>(mime: &'a [u8], name: &[u8]) -> &'a [u8] {
    let mut found: Option<usize> = None;
    let mut at = 0;
    for line in mime.split_inclusive(|b| *b == b'\n') {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        match found {
            Some(start) if !folded => return &mime[start..at],
            None if line.starts_with(name) => found = Some(at),
            _ => {}
        }
        at += line.len();
    }
    found.map_or(&[], |start| &mime[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_ends_at_a_lone_dot_unless_dots_are_ignored() {
        let text = |input: &str, ignore| String::from_utf8(message(input.into(), ignore)).unwrap();
        assert_eq!(text("a: b\n\nx\n.\ny\n", false), "a: b\n\nx\n");
        assert_eq!(text("a: b\r\n\r\nx\r\n.\r\ny\r\n", false), "a: b\r\n\r\nx\r\n");
        assert_eq!(text("a: b\n\nx\n.\ny\n", true), "a: b\n\nx\n.\ny\n");
        assert_eq!(text("a: b\n\n..\n .\n. x\n", false), "a: b\n\n..\n .\n. x\n");
        assert_eq!(text("From ada Mon Nov 23\na: b\n\nx", false), "a: b\n\nx");
        assert_eq!(text("a: b\n\n. \n.\t\nx\n", false), "a: b\n\n. \n.\t\nx\n");
        assert_eq!(text("", false), "");
    }

    #[test]
    fn header_names_end_where_the_headers_do() {
        assert_eq!(header_names(b"To: a\r\n more: x\r\nCC : b\r\n\r\nFrom: c"), ["to", "cc"]);
        assert!(header_names(b"just text\nFrom: c").is_empty());
        assert_eq!(header(b"A: 1\r\nFrom: x\r\n y\r\nB: 2\r\n", b"From:"), b"From: x\r\n y\r\n");
    }
}
