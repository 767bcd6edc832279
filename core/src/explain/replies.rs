//! Replies of mail servers, wherever they stand: alone, in a log, in another library's exception.

use super::explanation::Explanation;
use super::texts::REPLIES;
use crate::error::{ErrorCode, Reply};
use crate::smtp::protocol::classify::{Stage, classify};
use crate::text::one_line;

/// Explains the refusals in a text.
pub(super) fn explain(text: &str) -> Vec<Explanation> {
    let found = in_text(text);
    found.iter().map(|reply| of_reply(guess(reply), reply)).collect()
}

/// Explains a refusing reply.
pub(super) fn of_reply(stage: Stage, reply: &Reply) -> Explanation {
    let meaning = classify(stage, reply);
    let seen = match &reply.enhanced {
        Some(status) => format!("{} {status}", reply.code),
        None => reply.code.to_string(),
    };
    let mut out = Explanation::of_code("smtp_reply", seen, meaning.code);
    out.retryable = meaning.retryable;
    if let Some(hint) = meaning.hint {
        out.cure = Some(hint.to_owned());
    }
    if let Some(cause) = cause(reply) {
        out.meaning = cause.to_owned();
    }
    out
}

/// A reply from its first line, such as `550 5.1.1 no such user` or `550-5.1.1 no`.
pub(super) fn read(text: &str) -> Option<Reply> {
    let bytes = text.as_bytes();
    let code: u16 = text.get(..3)?.parse().ok().filter(|code| (400..600).contains(code))?;
    if bytes.get(3).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'.') {
        return None;
    }
    // `535-5.7.8`, `535 5.7.8`, `(535, b'5.7.8 …')`, `550: 5.1.1`, `550 #5.1.0`.
    let rest = text[3..].trim_start_matches(|c: char| " -,:#\"'(".contains(c));
    let rest = rest.strip_prefix("b'").or_else(|| rest.strip_prefix("b\"")).unwrap_or(rest);
    let status = status(rest).filter(|status| status.as_bytes()[0] == bytes[0]);
    let words = rest[status.map_or(0, str::len)..].trim_start_matches([' ', ';', ':', ',']);
    Some(Reply { code, enhanced: status.map(str::to_owned), text: one_line(words, 500), command: None })
}

/// What the reply most probably answered.
pub(super) fn guess(reply: &Reply) -> Stage {
    let text = reply.text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let status = reply.enhanced.as_deref().unwrap_or_default();
    match reply.code {
        534 | 535 | 538 => Stage::Auth,
        454 if says(&["tls"]) => Stage::StartTls,
        454 => Stage::Auth,
        504 if says(&["auth"]) => Stage::Auth,
        501 if status.starts_with("5.5.12") => Stage::Auth,
        554 if says(&["no smtp service", "connecting", "connection refused", "blocked using"]) => {
            Stage::Greeting
        }
        _ if [
            "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "4.2.1", "4.2.2", "5.4.1", "4.5.3",
            "5.5.105",
        ]
        .contains(&status) =>
        {
            Stage::Rcpt
        }
        _ if says(&["recipient", "user unknown", "no such user", "mailbox unavailable", "rcpt to"]) => {
            Stage::Rcpt
        }
        _ if says(&["helo", "ehlo"]) => Stage::Hello,
        _ if says(&["sender", "mail from"]) => Stage::Mail,
        _ => Stage::End,
    }
}

/// The refusals in a text, in their order.
fn in_text(text: &str) -> Vec<Reply> {
    let mut found: Vec<Reply> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((at, mut reply)) = in_line(line) else { continue };
        // `535-5.7.8 …` goes on.
        let more = line.as_bytes()[at..].get(3) == Some(&b'-');
        while more
            && let Some(next) = lines.next_if(|next| next.trim_start().starts_with(&reply.code.to_string()))
        {
            let rest = read(next.trim_start()).map(|next| next.text).unwrap_or_default();
            reply.text = one_line(&format!("{} {rest}", reply.text), 500);
        }
        found.push(reply);
    }
    if found.is_empty() {
        found.extend(lone_status(text));
    }
    found
}

/// The first refusal in a line: three digits with an enhanced status code, or three digits where a reply begins.
fn in_line(line: &str) -> Option<(usize, Reply)> {
    let bytes = line.as_bytes();
    let begins = |at: usize| {
        let before = line[..at].trim_end_matches([' ', '\'', '"', '(', '[', '<']);
        before.is_empty()
            || before.ends_with([':', '<'])
            || ["said", "reply", "code", "error", "returned", "response", "S"]
                .iter()
                .any(|word| before.ends_with(word))
    };
    (0..bytes.len().saturating_sub(2)).find_map(|at| {
        let free = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'.');
        if !free || !matches!(bytes[at], b'4' | b'5') || !line.is_char_boundary(at) {
            return None;
        }
        let reply = read(&line[at..])?;
        (reply.enhanced.is_some() || begins(at) && !reply.text.is_empty()).then_some((at, reply))
    })
}

/// An enhanced status code alone, such as `5.7.139`.
fn lone_status(text: &str) -> Option<Reply> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find_map(|at| {
        let free = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'.');
        let status = status(text.get(at..).filter(|_| free)?)?;
        let rest = text[at + status.len()..].trim_start_matches([' ', ';', ':', ',']);
        Some(of_status(status, rest))
    })
}

/// The reply that a status code most probably came with.
pub(super) fn of_status(status: &str, words: &str) -> Reply {
    let signing_in = ["5.7.3", "5.7.8", "5.7.9", "5.7.139", "5.7.142", "5.7.143"].contains(&status);
    let code = match status.as_bytes().first() {
        Some(b'4') => 450,
        _ if signing_in => 535,
        _ => 550,
    };
    let words = words.lines().next().unwrap_or_default();
    Reply { code, enhanced: Some(status.to_owned()), text: one_line(words, 500), command: None }
}

/// An enhanced status code at the front of a text (RFC 3463), and no address of the internet.
fn status(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let word = text[..end].trim_end_matches('.');
    let mut parts = word.split('.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |part: &str| (1..=3).contains(&part.len());
    (parts.next().is_none() && matches!(class, "4" | "5") && number(subject) && number(detail))
        .then_some(word)
}

/// The cause of a reply whose words are known.
fn cause(reply: &Reply) -> Option<&'static str> {
    let said = reply.text.to_ascii_lowercase();
    let known = REPLIES.iter().find(|(_, text, mark, _)| {
        let same = read(text).is_some_and(|known| {
            known.enhanced == reply.enhanced && (known.enhanced.is_some() || known.code == reply.code)
        });
        same && said.contains(mark)
    });
    known.map(|(.., cause)| *cause)
}

/// Whether a reply is about the recipient's side.
pub(super) fn is_about_recipient(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::RecipientsRejected | ErrorCode::TemporarilyRefused | ErrorCode::MessageRejected)
}
