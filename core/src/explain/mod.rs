//! What somebody else's words mean and what to do about them: a mail server's reply, a sign-in service's refusal, a
//! bounce (RFC 3464), an access token. All of it comes from the tables by which this crate judges its own errors.
//!
//! Nothing here asks anybody, and nothing that was given is said again but codes, numbers and addresses: the text may
//! hold a token.

mod bounce;
mod explanation;
mod known;
mod replies;
mod service;
mod texts;
mod token;

use std::time::SystemTime;

pub use self::explanation::Explanation;
pub use self::known::{KnownText, known_texts};

/// Explains any reply line of a mail server, AADSTS message, answer of a token endpoint, bounce or access token. Each
/// thing that is recognised has its own explanation; none is recognised in an empty list.
pub fn explain(text: &str) -> Vec<Explanation> {
    explain_at(text, SystemTime::now())
}

fn explain_at(text: &str, now: SystemTime) -> Vec<Explanation> {
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if let Some(found) = token::explain(text, now) {
        return vec![found];
    }
    let mut all = service::explain(text);
    if all.is_empty() {
        all = bounce::explain(text);
    }
    if all.is_empty() {
        all = replies::explain(text);
    }
    let mut seen: Vec<Explanation> = Vec::new();
    for one in all {
        if seen.len() < MOST && !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

/// Octets that are looked at: a bounce brings the whole message along.
const LONGEST: usize = 1 << 20;
/// Explanations at most.
const MOST: usize = 20;

#[cfg(test)]
mod tests;
