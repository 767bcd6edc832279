//! What one reply, refusal or token means, and how that is shown.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::{ErrorCode, docs_url};

/// What one reply, refusal or token means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `smtp_reply`, `sign_in_refusal` or `access_token`.
    pub kind: &'static str,
    /// What was recognised, such as `535 5.7.139` or `AADSTS7000215`.
    pub seen: String,
    /// The error that a send or a sign-in would end with; none for a token that is as it should be.
    pub code: Option<ErrorCode>,
    /// What it means, in lower case and without a full stop.
    pub meaning: String,
    /// What to do: a sentence or a command.
    pub cure: Option<String>,
    /// Whether it may go better later, without a change.
    pub retryable: bool,
    /// Whom a bounce is about.
    pub recipient: Option<String>,
}

impl Explanation {
    pub(super) fn of_code(kind: &'static str, seen: String, code: ErrorCode) -> Self {
        let row = code.row();
        Self {
            kind,
            seen,
            code: Some(code),
            meaning: row.meaning.to_owned(),
            cure: (!row.hint.is_empty()).then(|| row.hint.to_owned()),
            retryable: row.retryable,
            recipient: None,
        }
    }

    /// The page that explains the code.
    pub fn docs_url(&self) -> Option<String> {
        self.code.map(docs_url)
    }
}

/// Lines for a person.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seen)?;
        if let Some(recipient) = &self.recipient {
            write!(f, " for {recipient}")?;
        }
        write!(f, ": {}", self.meaning)?;
        if let Some(code) = self.code {
            write!(f, " ({})", code.as_str())?;
        }
        if let Some(cure) = &self.cure {
            write!(f, "\n  {}", cure.replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

/// The shape that crosses into other languages: every field always present.
impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            kind: &'static str,
            seen: &'a str,
            code: Option<&'static str>,
            meaning: &'a str,
            cure: Option<&'a str>,
            retryable: bool,
            recipient: Option<&'a str>,
            docs_url: Option<String>,
        }
        Shape {
            kind: self.kind,
            seen: &self.seen,
            code: self.code.map(ErrorCode::as_str),
            meaning: &self.meaning,
            cure: self.cure.as_deref(),
            retryable: self.retryable,
            recipient: self.recipient.as_deref(),
            docs_url: self.docs_url(),
        }
        .serialize(serializer)
    }
}
