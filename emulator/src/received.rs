//! A message as the server took it.

use std::sync::OnceLock;

use serde::Serialize;

use crate::mime;

/// So many octets of a text are searched.
const SEARCHED: usize = 100_000;

/// One accepted message: the envelope, and exactly the octets that the client meant.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Its number since the emulator was started or cleared, from 1.
    pub number: usize,
    /// The reverse-path; empty for `<>`.
    pub mail_from: String,
    /// The recipients that were accepted, in order.
    pub rcpt_to: Vec<String>,
    /// The message after dots were unstuffed or chunks joined; not changed otherwise.
    #[serde(skip)]
    pub raw: Vec<u8>,
    /// Octets in `raw`.
    pub size: usize,
    /// The mailbox that had authenticated.
    pub username: String,
    /// The SASL mechanism it used.
    pub mechanism: String,
    /// Seconds since the Unix epoch.
    pub received_at: f64,
    /// The header Message-ID with its angle brackets; empty if there is none.
    pub message_id: String,
    /// The header Subject, decoded.
    pub subject: String,
    /// The parameters of MAIL, such as `SIZE=1024` and `BODY=8BITMIME`, as they came.
    pub mail_params: Vec<String>,
    /// The parameters of each accepted RCPT, in the order of `rcpt_to`.
    pub rcpt_params: Vec<Vec<String>>,
    /// The name that the client gave in EHLO.
    pub hello: String,
    /// Which connection it came over, from 1.
    pub connection: usize,
    /// It came by BDAT (RFC 3030) instead of DATA.
    pub chunked: bool,
    /// What searching looks at, once somebody has searched.
    #[serde(skip)]
    pub(crate) words: OnceLock<String>,
}

impl Received {
    /// Whether headers, envelope or text contain this, in any case.
    pub(crate) fn contains(&self, search: &str) -> bool {
        search.is_empty() || self.words.get_or_init(|| self.to_words()).contains(&search.to_lowercase())
    }

    fn to_words(&self) -> String {
        let mut words = format!("{} {} {}", self.mail_from, self.rcpt_to.join(" "), self.username);
        for (_, value) in mime::headers(&self.raw) {
            words.push('\n');
            words.push_str(&value);
        }
        let reading = mime::whole(&self.raw);
        for text in [reading.text(), reading.html()].into_iter().flatten() {
            words.push('\n');
            words.extend(text.chars().take(SEARCHED));
        }
        for file in reading.files() {
            words.push('\n');
            words.push_str(file.name.as_deref().unwrap_or_default());
        }
        words.to_lowercase()
    }
}
