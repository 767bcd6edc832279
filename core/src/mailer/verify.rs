//! `verify`: walks the chain from the name to MAIL FROM, and says for each link what to do.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Mailer;
use crate::address::Mailbox;
use crate::call::Call;
use crate::doctor::claims::Claims;
use crate::doctor::{Finding, Seen, Status};
use crate::error::{Error, ErrorCode, Report, Result};
use crate::input::FieldPath;
use crate::message::Message;
use crate::provider::Family;
use crate::token::{AccessToken, GetToken};
use crate::{instant, smtp};

/// What [`Mailer::verify`] does beyond walking the chain.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// Sends one real message there: the only proof of SendAs, quota and a mailbox with room.
    pub send_to: Option<String>,
    /// Returns the report even if a link failed, instead of its error.
    pub always_report: bool,
    /// Timeout and cancel.
    pub call: Call,
}

impl Mailer {
    /// Walks the chain: DNS, TCP, TLS, greeting, EHLO, token, claims, AUTH, MAIL FROM; then resets
    /// without sending, unless `send_to` says to.
    ///
    /// # Errors
    /// The first failing link's, with the whole report in it.
    pub async fn verify(&self, request: VerifyRequest) -> Result<Report> {
        let _ticket = self.running().enter()?;
        let mut walk = Walk::default();
        self.walk(&mut walk, &request).await;
        let Walk { findings, first } = walk;
        let report = Report { ok: first.is_none(), findings };
        match first {
            Some(error) if !request.always_report => Err(error.with_report(report)),
            _ => Ok(report),
        }
    }

    async fn walk(&self, walk: &mut Walk, request: &VerifyRequest) {
        let Some(route) = self.route() else {
            let seen = Seen::from("messages are kept in memory and sent nowhere".to_owned());
            return walk.link("memory", Ok(seen));
        };
        let timeout = request.call.timeout.or(self.settings().timeout).unwrap_or(VERIFY_TIME);
        let deadline = Instant::now() + timeout;
        let place = FieldPath::top(self.settings().spelling).field("from");
        let sender = self.sender().map(|sender| Mailbox::from_option(&sender, &place)).transpose();
        let sender = match sender {
            Ok(sender) => sender.map(|sender| sender.address.to_string()).unwrap_or_default(),
            Err(error) => return walk.link("mail_from", Err(error)),
        };
        let began = Instant::now();
        let token = match self.tokens() {
            Ok(tokens) => tokens.get(GetToken { call: request.call.clone(), ..GetToken::default() }).await,
            Err(error) => Err(error),
        };
        let took = began.elapsed();
        let links = smtp::probe(&route, &sender, deadline, &request.call.cancel).await;
        let mut links = links.into_iter().peekable();
        while let Some(link) = links.next_if(|link| !["auth", "mail_from"].contains(&link.name)) {
            walk.link(link.name, link.seen);
        }
        match &token {
            Ok(token) => {
                walk.link("token", Ok(self.acquired(token, took)));
                walk.link("claims", self.judge(token));
            }
            Err(error) => walk.link("token", Err(error.clone())),
        }
        for name in ["auth", "mail_from"] {
            match links.next_if(|link| link.name == name) {
                Some(link) if token.is_ok() => {
                    let seen = self.told_by_claims(link.seen, token.as_ref().ok());
                    let initial = name == "mail_from" && at_initial_domain(&sender);
                    walk.link(name, if initial { seen.map(warn_of_initial_domain) } else { seen });
                }
                _ => walk.skipped(name),
            }
        }
        match &request.send_to {
            Some(to) if walk.first.is_none() => self.send_one(walk, to, request).await,
            Some(_) => walk.skipped("message"),
            None => walk.findings.push(Finding {
                link: "message",
                status: Status::Skipped,
                seen: "no message was sent".into(),
                means:
                    "only a real message shows the right to send as another address, the quota, and a full mailbox"
                        .into(),
                cure: "For a full test: mailbearer verify --send-to YOU@example.com".into(),
                code: None,
            }),
        }
    }

    /// Which grant brought it, from where, and how long that took.
    fn acquired(&self, token: &AccessToken, took: Duration) -> Seen {
        let settings = self.settings();
        let Some(auth) = &settings.auth else { return Seen::default() };
        let from = match auth.token_host().filter(|_| auth.grant.asks_service()) {
            Some(host) => format!("{} at {host}", auth.grant.as_str()),
            None => auth.grant.as_str().to_owned(),
        };
        let until = match token.expires_at() {
            Some(at) => format!("good until {}", instant::to_rfc3339(at)),
            None => "without a known end".into(),
        };
        Seen::from(format!("{from}: a token {until}, in {:.1} s", took.as_secs_f64()))
    }

    /// Reads the token's own claims against what the provider wants of them.
    fn judge(&self, token: &AccessToken) -> Result<Seen> {
        let settings = self.settings();
        let family = settings.preset.family;
        match token.claims() {
            Some(claims) if family == Family::Microsoft => {
                Claims(&claims).for_exchange(settings.username.as_deref(), SystemTime::now())
            }
            Some(_) => Ok(Seen::from("the token is a JWT; this provider's claims are its own".to_owned())),
            None => {
                let granted = token.scopes().join(" ");
                let wanted = match family {
                    Family::Google => "https://mail.google.com/",
                    Family::Microsoft => "SMTP.Send",
                    Family::Plain => "",
                };
                if granted.is_empty() || granted.contains(wanted) {
                    return Ok(Seen::from(format!("the token is opaque; granted: {granted}")));
                }
                let what = format!("the token was granted {granted}, and not {wanted}");
                Err(Error::new(ErrorCode::AuthRejected, what).with_hint(format!(
                    "Ask for {wanted} (leave auth.scopes out), sign in again, and leave its box ticked on the consent page."
                )))
            }
        }
    }

    /// Of a refused token whose claims are right, what is left to look at.
    fn told_by_claims(&self, seen: Result<Seen>, token: Option<&AccessToken>) -> Result<Seen> {
        let settings = self.settings();
        seen.map_err(|error| match (token.and_then(AccessToken::claims), &settings.username) {
            (Some(claims), Some(mailbox))
                if error.code() == ErrorCode::AuthRejected && settings.preset.family == Family::Microsoft =>
            {
                let claims = Claims(&claims);
                match claims.for_exchange(Some(mailbox), SystemTime::now()) {
                    Ok(_) => error.with_hint(claims.refused_by_exchange(mailbox)),
                    Err(_) => error,
                }
            }
            _ => error,
        })
    }

    async fn send_one(&self, walk: &mut Walk, to: &str, request: &VerifyRequest) {
        let message = Message::from_json(
            serde_json::json!({
                "to": [to],
                "subject": "mailbearer verify",
                "text": "This message proves that sending works. Nothing needs to be done.\n",
            }),
            Vec::new(),
            crate::input::Spelling::Snake,
        );
        let sent = match message {
            Ok(message) => self.send(&message, request.call.clone()).await,
            Err(error) => Err(error),
        };
        walk.link("message", sent.map(|receipt| Seen::from(format!("accepted: {}", receipt.reply))));
    }
}

/// Microsoft 365's first domain of every organisation, from which little may be sent (5.7.236).
fn at_initial_domain(sender: &str) -> bool {
    sender.rsplit('@').next().is_some_and(|domain| domain.to_ascii_lowercase().ends_with(".onmicrosoft.com"))
}

fn warn_of_initial_domain(seen: Seen) -> Seen {
    Seen::warning(
        seen.seen,
        "a sender at onmicrosoft.com reaches 100 recipients outside the organisation a day (550 5.7.236)",
        "Send from a domain of your own: add it in the Microsoft 365 admin centre and set `from`.",
    )
}

#[derive(Default)]
struct Walk {
    findings: Vec<Finding>,
    first: Option<Error>,
}

impl Walk {
    fn skipped(&mut self, link: &'static str) {
        self.findings.push(Finding {
            link,
            status: Status::Skipped,
            seen: "not tried, because of the failure above".into(),
            means: String::new(),
            cure: String::new(),
            code: None,
        });
    }

    fn link(&mut self, link: &'static str, seen: Result<Seen>) {
        let error = match seen {
            Ok(Seen { seen, means, cure }) => {
                let status = if cure.is_empty() { Status::Ok } else { Status::Warning };
                return self.findings.push(Finding { link, status, seen, means, cure, code: None });
            }
            Err(error) => error,
        };
        self.findings.push(Finding {
            link,
            status: Status::Failed,
            seen: error.message().to_owned(),
            means: error.code().row().meaning.to_owned(),
            cure: without_this_walk(error.hint().unwrap_or_default()),
            code: Some(error.code().as_str()),
        });
        self.first.get_or_insert(error);
    }
}

/// A hint that sends people here would send them in a circle.
fn without_this_walk(hint: &str) -> String {
    match hint.strip_prefix(RUN_VERIFY) {
        Some(rest) => rest.split_once(". ").map_or(COMPARE_CLAIMS, |(_, causes)| causes).to_owned(),
        None => hint.to_owned(),
    }
}

const RUN_VERIFY: &str = "Run `mailbearer verify`";
const COMPARE_CLAIMS: &str =
    "Compare the claims above with what this server wants: audience, user and scopes.";
const VERIFY_TIME: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_in_a_circle() {
        assert_eq!(without_this_walk(ErrorCode::AuthRejected.row().hint), COMPARE_CLAIMS);
        let causes = "Run `mailbearer verify`: it reads the token. Usual causes: a; b.";
        assert_eq!(without_this_walk(causes), "Usual causes: a; b.");
        assert_eq!(without_this_walk("Sign in again."), "Sign in again.");
    }
}
