//! All that services are known to say, with the code and the cure that the tables give it: the page of errors.

use super::texts::{REPLIES, entra_cause};
use super::{replies, service};
use crate::error::{ErrorCode, OAuthDetail};
use crate::oauth::hints::{self, Asked};
use crate::smtp::protocol::classify::classify;

/// A text that a service is known to say.
#[derive(Clone, Debug)]
pub struct KnownText {
    /// The error that it becomes.
    pub code: ErrorCode,
    /// What to look for: `535 5.7.139`, `AADSTS7000215`, `invalid_grant`.
    pub mark: String,
    /// The service's words; empty where the mark says it all.
    pub text: String,
    /// The cause, in one sentence.
    pub cause: String,
    /// The cure; empty where the code's own is all there is.
    pub cure: String,
}

/// All of them, in the order of the tables.
pub fn known_texts() -> Vec<KnownText> {
    replies_known().chain(entra_known()).chain(google_known()).collect()
}

fn replies_known() -> impl Iterator<Item = KnownText> {
    REPLIES.iter().filter_map(|(stage, text, _, cause)| {
        let reply = replies::read(text)?;
        let meaning = classify(*stage, &reply);
        let mark = reply
            .enhanced
            .as_ref()
            .map_or_else(|| reply.code.to_string(), |status| format!("{} {status}", reply.code));
        Some(KnownText {
            code: meaning.code,
            mark,
            text: (*text).to_owned(),
            cause: (*cause).to_owned(),
            cure: meaning.hint.unwrap_or_default().to_owned(),
        })
    })
}

fn entra_known() -> impl Iterator<Item = KnownText> {
    hints::entra_numbers().map(|number| {
        let detail = OAuthDetail { codes: vec![number], ..OAuthDetail::default() };
        let (code, hint) = hints::judge(&detail, 400, Asked::Refresh);
        KnownText {
            code,
            mark: format!("AADSTS{number}"),
            text: String::new(),
            cause: entra_cause(number).unwrap_or(code.row().meaning).to_owned(),
            cure: hint.unwrap_or_default().to_owned(),
        }
    })
}

fn google_known() -> impl Iterator<Item = KnownText> {
    hints::google_sentences().map(|(error, words)| {
        let detail =
            OAuthDetail { error: error.to_owned(), description: words.to_owned(), ..OAuthDetail::default() };
        let (code, hint) = hints::judge(&detail, 400, service::asked(words, error));
        KnownText {
            code,
            mark: if words.is_empty() { error.to_owned() } else { format!("{error}: {words}") },
            text: String::new(),
            cause: code.row().meaning.to_owned(),
            cure: hint.unwrap_or_default().to_owned(),
        }
    })
}
