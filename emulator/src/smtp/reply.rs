//! The replies, in Exchange's words and in Gmail's.

use crate::clock;
use crate::config::{AuthRefusal, Config, Dialect};
use crate::random;

/// One reply, lines ending with CRLF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl Reply {
    pub(crate) fn new(text: &str) -> Self {
        let mut octets = Vec::with_capacity(text.len() + 2);
        for line in text.split('\n') {
            octets.extend_from_slice(line.as_bytes());
            octets.extend_from_slice(b"\r\n");
        }
        Self(octets)
    }

    /// 2xx or 3xx.
    pub(crate) fn is_positive(&self) -> bool {
        matches!(self.0.first(), Some(b'2' | b'3'))
    }

    /// The server closes after it (RFC 5321 §3.8).
    pub(crate) fn closes(&self) -> bool {
        self.0.starts_with(b"421") || self.0.starts_with(b"221")
    }

    /// The first line, for the log.
    pub(crate) fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        text.lines().next().unwrap_or_default().to_owned()
    }
}

/// The words of one connection: host and session id stay the same.
pub(crate) struct Words {
    dialect: Dialect,
    session: String,
}

const EXCHANGE_HOST: &str = "LO2P265CA0123.outlook.office365.com";
const EXCHANGE_NODE: &str = "LO2P265CA0123.GBRP265.PROD.OUTLOOK.COM";
const EXCHANGE_MAILBOX: &str = "LO2P265MB4567.GBRP265.PROD.OUTLOOK.COM";

impl Words {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let session = match dialect {
            Dialect::Microsoft => random::guid().replace('-', "")[..16].to_uppercase(),
            Dialect::Google => format!("{}-20020a05", &random::guid()[..8]),
        };
        Self { dialect, session }
    }

    fn pick(&self, microsoft: String, google: String) -> Reply {
        Reply::new(match self.dialect {
            Dialect::Microsoft => &microsoft,
            Dialect::Google => &google,
        })
    }

    /// `[host date id]`, which Exchange puts behind its refusals.
    fn bracket(&self, now: f64) -> String {
        format!("[{EXCHANGE_NODE} {} {}]", clock::exchange(now), self.session)
    }

    pub(crate) fn greeting(&self, now: f64) -> Reply {
        self.pick(
            format!("220 {EXCHANGE_HOST} Microsoft ESMTP MAIL Service ready at {}", clock::rfc2822(now)),
            format!("220 smtp.gmail.com ESMTP {} - gsmtp", self.session),
        )
    }

    pub(crate) fn ehlo(&self, config: &Config, peer: &str, tls: bool) -> Reply {
        let mut lines = vec![match self.dialect {
            Dialect::Microsoft => format!("{EXCHANGE_HOST} Hello [{peer}]"),
            Dialect::Google => format!("smtp.gmail.com at your service, [{peer}]"),
        }];
        for keyword in self.keywords() {
            let line = match *keyword {
                "SIZE" => format!("SIZE {}", self.size_limit(config)),
                "STARTTLS" if tls || !config.starttls => continue,
                "AUTH" if !tls => continue,
                "AUTH" => match self.mechanisms(config) {
                    words if words.is_empty() => continue,
                    words => format!("AUTH {words}"),
                },
                keyword => keyword.to_owned(),
            };
            if config.offers(keyword) {
                lines.push(line);
            }
        }
        lines.extend(config.extensions.iter().cloned());
        let last = lines.len() - 1;
        let lines: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' }))
            .collect();
        Reply::new(&lines.join("\n"))
    }

    fn keywords(&self) -> &'static [&'static str] {
        match self.dialect {
            Dialect::Microsoft => &[
                "SIZE",
                "PIPELINING",
                "DSN",
                "ENHANCEDSTATUSCODES",
                "STARTTLS",
                "AUTH",
                "8BITMIME",
                "BINARYMIME",
                "CHUNKING",
                "SMTPUTF8",
            ],
            Dialect::Google => &[
                "SIZE",
                "8BITMIME",
                "STARTTLS",
                "AUTH",
                "ENHANCEDSTATUSCODES",
                "PIPELINING",
                "CHUNKING",
                "SMTPUTF8",
            ],
        }
    }

    /// Whether the server knows the extension and the configuration does not withhold it.
    pub(crate) fn offers(&self, config: &Config, keyword: &str) -> bool {
        config.offers(keyword)
            && (self.keywords().contains(&keyword)
                || config.extensions.iter().any(|line| {
                    line.split(' ').next().is_some_and(|first| first.eq_ignore_ascii_case(keyword))
                }))
    }

    pub(crate) fn mechanisms(&self, config: &Config) -> String {
        match (&config.mechanisms, self.dialect) {
            (Some(own), _) => own.join(" "),
            (None, Dialect::Microsoft) => "LOGIN XOAUTH2".into(),
            (None, Dialect::Google) => "LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH".into(),
        }
    }

    pub(crate) fn size_limit(&self, config: &Config) -> u64 {
        config.size_limit.unwrap_or(match self.dialect {
            Dialect::Microsoft => 157_286_400,
            Dialect::Google => 35_882_577,
        })
    }

    pub(crate) fn recipient_limit(&self, config: &Config) -> usize {
        config.max_recipients.unwrap_or(match self.dialect {
            Dialect::Microsoft => 500,
            Dialect::Google => 100,
        })
    }

    pub(crate) fn auth_refusal(&self, config: &Config) -> AuthRefusal {
        config.auth_refusal.unwrap_or(match self.dialect {
            Dialect::Microsoft => AuthRefusal::Direct,
            Dialect::Google => AuthRefusal::Challenge,
        })
    }

    pub(crate) fn helo(&self, peer: &str) -> Reply {
        self.pick(format!("250 {EXCHANGE_HOST} Hello [{peer}]"), "250 smtp.gmail.com at your service".into())
    }

    pub(crate) fn starttls(&self) -> Reply {
        self.pick("220 2.0.0 SMTP server ready".into(), "220 2.0.0 Ready to start TLS".into())
    }

    pub(crate) fn authenticated(&self) -> Reply {
        self.pick("235 2.7.0 Authentication successful".into(), "235 2.7.0 Accepted".into())
    }

    pub(crate) fn not_authenticated(&self, now: f64) -> Reply {
        self.pick(
            format!("535 5.7.3 Authentication unsuccessful {}", self.bracket(now)),
            format!(
                "535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials {} - gsmtp",
                self.session
            ),
        )
    }

    pub(crate) fn basic_disabled(&self, now: f64) -> Reply {
        self.pick(
            format!(
                "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. {}",
                self.bracket(now)
            ),
            format!(
                "534-5.7.9 Application-specific password required. For more information, go to\n534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor {} - gsmtp",
                self.session
            ),
        )
    }

    /// The JSON of an error challenge.
    pub(crate) fn error_challenge(&self) -> &'static str {
        match self.dialect {
            Dialect::Microsoft => {
                r#"{"status":"401","schemes":"bearer","scope":"https://outlook.office.com/"}"#
            }
            Dialect::Google => r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#,
        }
    }

    pub(crate) fn too_many_connections(&self, now: f64) -> Reply {
        self.pick(
            format!(
                "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. {}",
                self.bracket(now)
            ),
            format!(
                "454 4.7.0 Too many login attempts, please try again later. {} - gsmtp",
                self.session
            ),
        )
    }

    pub(crate) fn unknown_mechanism(&self) -> Reply {
        self.pick(
            "504 5.7.4 Unrecognized authentication type".into(),
            format!("504 5.7.4 Unrecognized Authentication Type {} - gsmtp", self.session),
        )
    }

    pub(crate) fn tls_first(&self) -> Reply {
        self.pick(
            "504 5.7.4 Unrecognized authentication type".into(),
            format!("530 5.7.0 Must issue a STARTTLS command first. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn auth_first(&self, now: f64) -> Reply {
        self.pick(
            format!("530 5.7.57 Client not authenticated to send mail. {}", self.bracket(now)),
            format!(
                "530-5.7.0 Authentication Required. For more information, go to\n530 5.7.0  https://support.google.com/mail/?p=WantAuthError {} - gsmtp",
                self.session
            ),
        )
    }

    pub(crate) fn mail(&self) -> Reply {
        self.pick("250 2.1.0 Sender OK".into(), format!("250 2.1.0 OK {} - gsmtp", self.session))
    }

    pub(crate) fn rcpt(&self) -> Reply {
        self.pick("250 2.1.5 Recipient OK".into(), format!("250 2.1.5 OK {} - gsmtp", self.session))
    }

    pub(crate) fn nested_mail(&self) -> Reply {
        self.pick(
            "503 5.5.2 Sender already specified".into(),
            format!("503 5.5.1 MAIL already in progress. {} - gsmtp", self.session),
        )
    }

    /// `what` is `hello`, `mail` or `rcpt`.
    pub(crate) fn need(&self, what: &str) -> Reply {
        let google = match what {
            "hello" => "503 5.5.1 EHLO/HELO first.",
            "mail" => "503 5.5.1 MAIL first.",
            _ => "503 5.5.1 RCPT first.",
        };
        self.pick(
            match what {
                "hello" => "503 5.5.2 Send hello first".into(),
                what => format!("503 5.5.2 Need {what} command"),
            },
            format!("{google} {} - gsmtp", self.session),
        )
    }

    pub(crate) fn out_of_order(&self) -> Reply {
        self.pick(
            "503 5.5.2 Bad sequence of commands".into(),
            format!("503 5.5.1 Bad sequence of commands. {} - gsmtp", self.session),
        )
    }

    /// Refuses what is no address, such as one without a domain.
    pub(crate) fn bad_address(&self, of_sender: bool) -> Reply {
        let (digit, which) = if of_sender { (7, "sender") } else { (3, "recipient") };
        self.pick(
            format!("501 5.1.{digit} Invalid address"),
            format!(
                "553-5.1.{digit} The {which} address is not a valid RFC 5321 address. For more information, go\n553-5.1.{digit} to\n553-5.1.{digit}  https://support.google.com/a/answer/3221692 and review RFC 5321\n553 5.1.{digit} specifications. {} - gsmtp",
                self.session
            ),
        )
    }

    pub(crate) fn bad_parameter(&self) -> Reply {
        self.pick(
            "501 5.5.4 Unrecognized parameter".into(),
            format!("555 5.5.2 Syntax error, unrecognized parameter. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn too_large(&self) -> Reply {
        self.pick(
            "552 5.3.4 Message size exceeds fixed maximum message size".into(),
            format!("552 5.3.4 Your message exceeded Google's message size limits. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn too_many_recipients(&self) -> Reply {
        self.pick(
            "452 4.5.3 Too many recipients".into(),
            format!("452 4.5.3 Your message has too many recipients. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn data(&self) -> Reply {
        self.pick(
            "354 Start mail input; end with <CRLF>.<CRLF>".into(),
            format!("354 Go ahead {} - gsmtp", self.session),
        )
    }

    pub(crate) fn chunk(&self, octets: u64) -> Reply {
        self.pick(
            format!("250 2.0.0 {octets} octets received"),
            format!("250 2.0.0 {octets} octets received {} - gsmtp", self.session),
        )
    }

    pub(crate) fn queued(&self, message_id: &str, now: f64) -> Reply {
        self.pick(
            format!("250 2.0.0 OK {message_id} [Hostname={EXCHANGE_MAILBOX}]"),
            format!("250 2.0.0 OK  {} {} - gsmtp", now as i64, self.session),
        )
    }

    /// A Message-ID as Exchange gives one to a message without.
    pub(crate) fn own_message_id(&self) -> String {
        format!("<{}{}@{EXCHANGE_MAILBOX}>", &self.session, &random::guid()[..8])
    }

    pub(crate) fn no_recipients(&self) -> Reply {
        self.pick(
            "554 5.5.1 No valid recipients".into(),
            format!("554 5.5.1 No valid recipients. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn send_as_denied(&self, username: &str, from: &str) -> Reply {
        self.pick(
            format!(
                "554 5.2.252 SendAsDenied; {username} not allowed to send as {from}; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message. 0.35250:0A00D500, 1.36674:0A000000[EndDiagnosticData] [Hostname={EXCHANGE_MAILBOX}]"
            ),
            format!("553 5.7.1 {from} is not a verified sender of {username}. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn reset(&self) -> Reply {
        self.pick("250 2.0.0 Resetting".into(), format!("250 2.1.5 Flushed {} - gsmtp", self.session))
    }

    pub(crate) fn noop(&self) -> Reply {
        self.pick("250 2.0.0 OK".into(), format!("250 2.0.0 OK {} - gsmtp", self.session))
    }

    pub(crate) fn vrfy(&self) -> Reply {
        self.pick(
            "252 2.1.5 Cannot VRFY user".into(),
            format!("252 2.1.5 Send some mail, I'll try my best {} - gsmtp", self.session),
        )
    }

    pub(crate) fn help(&self) -> Reply {
        self.pick(
            "214 This server supports the following commands:\n214 HELO EHLO STARTTLS RCPT DATA RSET MAIL QUIT HELP AUTH BDAT".replacen("214 ", "214-", 1),
            format!("214 2.0.0  https://www.google.com/search?btnI&q=RFC+5321 {} - gsmtp", self.session),
        )
    }

    pub(crate) fn quit(&self) -> Reply {
        self.pick(
            "221 2.0.0 Service closing transmission channel".into(),
            format!("221 2.0.0 closing connection {} - gsmtp", self.session),
        )
    }

    pub(crate) fn malformed(&self) -> Reply {
        self.pick(
            "501 5.5.4 Invalid arguments".into(),
            format!("555 5.5.2 Syntax error. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn unknown(&self, verb: &str) -> Reply {
        let verb: String = verb.chars().filter(char::is_ascii_graphic).take(40).collect();
        self.pick(
            format!("500 5.3.3 Unrecognized command '{verb}'"),
            format!("502 5.5.1 Unrecognized command. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn line_too_long(&self) -> Reply {
        self.pick(
            "500 5.5.2 Line too long".into(),
            format!(
                "555-5.5.2 Syntax error, command line too long. For more information, go to\n555 5.5.2  https://support.google.com/a/answer/3221692 {} - gsmtp",
                self.session
            ),
        )
    }

    pub(crate) fn idle(&self) -> Reply {
        self.pick(
            format!("421 4.4.2 Message submission rate or idle time for this client has exceeded the configured limit [{EXCHANGE_NODE}]"),
            format!("421 4.4.2 Timeout - closing connection. {} - gsmtp", self.session),
        )
    }

    pub(crate) fn cancelled(&self) -> Reply {
        self.pick(
            "501 5.7.0 Authentication cancelled".into(),
            format!("501 5.7.0 Authentication canceled {} - gsmtp", self.session),
        )
    }

    pub(crate) fn not_base64(&self) -> Reply {
        self.pick(
            "501 5.5.4 Invalid arguments".into(),
            format!("501 5.5.2 Cannot Decode response {} - gsmtp", self.session),
        )
    }
}
