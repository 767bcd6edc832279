//! What `verify` found: one finding a link of the chain, as data and as a readable report.

use std::fmt;

use serde::Serialize;

/// The whole chain, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// No link failed.
    pub ok: bool,
    /// What was seen at each link.
    pub findings: Vec<Finding>,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `dns`, `tcp`, `tls`, `greeting`, `ehlo`, `token`, `claims`, `auth`, `mail_from` or `message`.
    pub link: &'static str,
    /// How it went.
    pub status: Status,
    /// What was seen.
    pub seen: String,
    /// What that means.
    pub means: String,
    /// What to do about it; empty where there is nothing to do.
    #[serde(rename = "do")]
    pub cure: String,
    /// The error code, where it failed.
    pub code: Option<&'static str>,
}

/// How a link went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The link is as it should be.
    Ok,
    /// The link works, but somebody should look at it.
    Warning,
    /// Nothing after it can work.
    Failed,
    /// Not tried, because of an earlier failure.
    Skipped,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = match finding.status {
                Status::Ok => "ok     ",
                Status::Warning => "warning",
                Status::Failed => "FAILED ",
                Status::Skipped => "skipped",
            };
            writeln!(f, "{mark}  {:<10} {}", finding.link, finding.seen)?;
            for (word, text) in [("means", &finding.means), ("do", &finding.cure)] {
                if !text.is_empty() {
                    // Its lines stand below each other.
                    writeln!(f, "         {word:<10} {}", text.replace('\n', "\n                    "))?;
                }
            }
        }
        Ok(())
    }
}
