//! What a mail server answered (RFC 5321 §4.2, RFC 3463), and whom it refused.

use std::fmt;

use serde::Serialize;

/// One SMTP reply (RFC 5321 §4.2), with its enhanced status code (RFC 3463) where it had one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// Such as `5.7.3`.
    pub enhanced: Option<String>,
    /// The server's words; lines joined by a newline, codes taken off, bytes that are not UTF-8 replaced.
    pub text: String,
    /// The command it answers, such as `RCPT TO`; never with arguments that hold a secret.
    pub command: Option<String>,
}

impl Reply {
    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text.replace('\n', " "))?;
        }
        Ok(())
    }
}

/// A recipient that the server did not take, and its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The address as it was given.
    pub address: String,
    /// The error code that the reply stands for.
    pub code: &'static str,
    /// The server's reply to RCPT.
    pub reply: Reply,
    /// 4xx: the same recipient may be tried later.
    pub retryable: bool,
}
