//! The one error shape: a stable code, the server's own words, and what to do about it.
//!
//! Bindings convert an [`Error`] field by field and never match on its text. Numbers are frozen:
//! a code that goes away leaves its number unused (`docs/errors.md`, generated from [`CODES`]).

mod codes;
mod reply;
pub(crate) mod report;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

pub use self::codes::{CODES, CodeRow, ErrorCode};
pub use self::reply::{Rejection, Reply};
pub(crate) use self::report::Report;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not work.
///
/// `Display` prints the message followed by the hint, as a log line wants it; [`Error::message`] is
/// the message alone. Nothing in it ever holds a secret.
#[derive(Clone)]
pub struct Error {
    inner: Box<ErrorParts>,
}

impl Error {
    /// An error with its code's own hint and retry advice.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let row = code.row();
        Self {
            inner: Box::new(ErrorParts {
                code,
                message: message.into(),
                hint: (!row.hint.is_empty()).then(|| row.hint.to_owned()),
                field: None,
                retryable: row.retryable,
                retry_after: None,
                delivery: Delivery::None,
                message_id: None,
                tag: None,
                attempts: 0,
                rejected: Vec::new(),
                smtp: None,
                oauth: None,
                report: None,
            }),
        }
    }

    /// `config_invalid` at the option `field` (full dotted path).
    pub fn config(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ConfigInvalid, message).with_field(field)
    }

    /// `message_invalid` at the message's `field`.
    pub fn invalid_message(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorCode::MessageInvalid, message).with_field(field)
    }

    /// Replaces the hint: a sentence that a tired administrator can act on.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Replaces the message.
    #[must_use]
    pub(crate) fn reworded(mut self, message: String) -> Self {
        self.inner.message = message;
        self
    }

    /// An error that the host program's own half found, as its JSON has it; its members are `code`, `message`, `field`
    /// and `hint`.
    pub fn retold(told: &serde_json::Value) -> Self {
        let text = |name: &str| told.get(name).and_then(serde_json::Value::as_str);
        let code = text("code").and_then(ErrorCode::from_name).unwrap_or(ErrorCode::MessageInvalid);
        Self::told(code, text("message").unwrap_or_default(), text("field"), text("hint"))
    }

    /// The same with other words: message, hint and field, each by itself.
    #[must_use]
    pub(crate) fn map_text(mut self, words: impl Fn(String) -> String) -> Self {
        self.inner.message = words(self.inner.message);
        self.inner.hint = self.inner.hint.map(&words);
        self.inner.field = self.inner.field.map(&words);
        self
    }

    /// A mistake that a binding found on its own side of the border, in that language's words.
    pub fn told(
        code: ErrorCode,
        message: impl Into<String>,
        field: Option<&str>,
        hint: Option<&str>,
    ) -> Self {
        let mut error = Self::new(code, message);
        if let Some(field) = field {
            error = error.with_field(field);
        }
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Names the option or message field at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.inner.field = Some(field.into());
        self
    }

    /// Overrides the code's own retry advice.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.inner.retryable = retryable;
        self
    }

    /// The server asked to wait this long; implies nothing about `retryable`.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.inner.retry_after = after;
        self
    }

    /// The message may or may not have been delivered: never retryable.
    #[must_use]
    pub fn with_uncertain_delivery(mut self) -> Self {
        self.inner.delivery = Delivery::Uncertain;
        self.inner.retryable = false;
        self
    }

    /// Names the message this is about.
    #[must_use]
    pub fn with_message(mut self, message_id: &str, tag: Option<&str>) -> Self {
        self.inner.message_id = (!message_id.is_empty()).then(|| message_id.to_owned());
        self.inner.tag = tag.map(str::to_owned);
        self
    }

    /// How many times a send was tried.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.inner.attempts = attempts;
        self
    }

    /// The refused recipients.
    #[must_use]
    pub fn with_rejected(mut self, rejected: Vec<Rejection>) -> Self {
        self.inner.rejected = rejected;
        self
    }

    /// The SMTP reply that caused it.
    #[must_use]
    pub fn with_smtp(mut self, reply: Reply) -> Self {
        self.inner.smtp = Some(reply);
        self
    }

    /// What the token endpoint said.
    #[must_use]
    pub fn with_oauth(mut self, detail: OAuthDetail) -> Self {
        self.inner.oauth = Some(detail);
        self
    }

    /// The doctor's findings.
    #[must_use]
    pub fn with_report(mut self, report: Report) -> Self {
        self.inner.report = Some(report);
        self
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.inner.code
    }

    /// What happened: lower case, without full stop, without secrets.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The cure, as a sentence or a command, where one is known.
    pub fn hint(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }

    /// The option (dotted path) or message field at fault.
    pub fn field(&self) -> Option<&str> {
        self.inner.field.as_deref()
    }

    /// Whether the same call may be repeated without delivering twice.
    pub fn retryable(&self) -> bool {
        self.inner.retryable
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// Whether the message may have been delivered all the same.
    pub fn delivery(&self) -> Delivery {
        self.inner.delivery
    }

    /// The message's Message-ID, with its angle brackets.
    pub fn message_id(&self) -> Option<&str> {
        self.inner.message_id.as_deref()
    }

    /// The caller's own string for the message.
    pub fn tag(&self) -> Option<&str> {
        self.inner.tag.as_deref()
    }

    /// How many times a send was tried; 0 where nothing was sent.
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// Refused recipients, where that is the reason.
    pub fn rejected(&self) -> &[Rejection] {
        &self.inner.rejected
    }

    /// The SMTP reply, where there was one.
    pub fn smtp(&self) -> Option<&Reply> {
        self.inner.smtp.as_ref()
    }

    /// The token endpoint's answer, where there was one.
    pub fn oauth(&self) -> Option<&OAuthDetail> {
        self.inner.oauth.as_ref()
    }

    /// The doctor's findings, on errors of `verify`.
    pub fn report(&self) -> Option<&Report> {
        self.inner.report.as_ref()
    }

    /// The page that explains the code.
    pub fn docs_url(&self) -> String {
        docs_url(self.code())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        match self.hint() {
            Some(hint) => write!(f, ". {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.code().as_str())
            .field("message", &self.message())
            .field("hint", &self.hint())
            .field("smtp", &self.smtp())
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}

/// The shape that crosses into other languages: every field always present, times in seconds.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            code: &'static str,
            number: u16,
            message: &'a str,
            hint: Option<&'a str>,
            docs_url: String,
            field: Option<&'a str>,
            retryable: bool,
            retry_after: Option<f64>,
            delivery: Delivery,
            message_id: Option<&'a str>,
            tag: Option<&'a str>,
            attempts: u32,
            rejected: &'a [Rejection],
            smtp: Option<&'a Reply>,
            oauth: Option<&'a OAuthDetail>,
            report: Option<&'a Report>,
        }
        Shape {
            code: self.code().as_str(),
            number: self.code().number(),
            message: self.message(),
            hint: self.hint(),
            docs_url: self.docs_url(),
            field: self.field(),
            retryable: self.retryable(),
            retry_after: self.retry_after().map(|d| d.as_secs_f64()),
            delivery: self.delivery(),
            message_id: self.message_id(),
            tag: self.tag(),
            attempts: self.attempts(),
            rejected: self.rejected(),
            smtp: self.smtp(),
            oauth: self.oauth(),
            report: self.report(),
        }
        .serialize(serializer)
    }
}

/// Whether a message may have been delivered although the call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Nobody got the message.
    None,
    /// The server may have taken it: its answer to the end of the message was never read.
    Uncertain,
}

/// What an OAuth2 endpoint said when it refused (RFC 6749 §5.2, with Entra's and Google's extras).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OAuthDetail {
    /// The `error` value, such as `invalid_grant`.
    pub error: String,
    /// `error_description`, as sent.
    pub description: String,
    /// Entra's `suberror`, Google's `error_subtype`.
    pub suberror: Option<String>,
    /// Entra's AADSTS numbers.
    pub codes: Vec<u64>,
    /// Entra's correlation id: what Microsoft's support asks for.
    pub correlation_id: Option<String>,
    /// Entra's trace id.
    pub trace_id: Option<String>,
    /// A claims challenge, to be passed to the next sign-in.
    pub claims: Option<String>,
}

/// The page that explains a code.
pub(crate) fn docs_url(code: ErrorCode) -> String {
    format!("{DOCS}#{}", code.as_str())
}

const DOCS: &str = "https://mailbearer.dev/errors";

#[derive(Clone)]
struct ErrorParts {
    code: ErrorCode,
    message: String,
    hint: Option<String>,
    field: Option<String>,
    retryable: bool,
    retry_after: Option<Duration>,
    delivery: Delivery,
    message_id: Option<String>,
    tag: Option<String>,
    attempts: u32,
    rejected: Vec<Rejection>,
    smtp: Option<Reply>,
    oauth: Option<OAuthDetail>,
    report: Option<Report>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_grow() {
        for pair in CODES.windows(2) {
            assert!(pair[0].number < pair[1].number, "{} follows {}", pair[1].name, pair[0].name);
        }
        for (at, row) in CODES.iter().enumerate() {
            assert_eq!(row.code as usize, at);
            assert_eq!(ErrorCode::from_name(row.name), Some(row.code));
        }
    }

    #[test]
    fn an_uncertain_error_is_never_retryable() {
        let error = Error::new(ErrorCode::ConnectionLost, "x").with_uncertain_delivery();
        assert!(!error.retryable());
        assert_eq!(serde_json::to_value(&error).unwrap()["delivery"], "uncertain");
    }
}
