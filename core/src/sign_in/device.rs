//! A sign-in on another device (RFC 8628): its beginning, and the pace of the polls.

use std::time::Duration;

use url::Url;

use super::service::SignInService;
use crate::error::{Error, ErrorCode, Result};
use crate::input::Secret;
use crate::text;

/// What the service answered (RFC 8628 §3.2).
pub(crate) struct Authorization {
    pub(crate) device_code: Secret,
    /// What the person types.
    pub(crate) user_code: String,
    /// Where.
    pub(crate) url: String,
    /// The address with the code in it, if the service gives one.
    pub(crate) complete_url: Option<String>,
    /// A sentence to show.
    pub(crate) message: String,
    pub(crate) expires_in: Duration,
    pub(crate) pace: Pace,
}

/// How long to wait before each poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// What the service asks for.
    interval: Duration,
    /// The next one, if it is longer.
    next: Duration,
}

impl Pace {
    /// A pace of one poll every `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self::every(interval.clamp(SHORTEST, LONGEST))
    }

    fn every(interval: Duration) -> Self {
        Self { interval, next: interval }
    }

    /// What the service asks for.
    pub(crate) fn interval(self) -> Duration {
        self.interval
    }

    /// The wait before the next poll, the first included.
    pub(crate) fn wait(self) -> Duration {
        self.next
    }

    /// What a poll's failure means (RFC 8628 §3.5): the pace to go on with, or `None` to stop.
    pub(crate) fn after(self, error: &Error) -> Option<Self> {
        match error.oauth().map(|detail| detail.error.as_str()) {
            Some("authorization_pending") => return Some(Self::every(self.interval)),
            // For this and all later polls.
            Some("slow_down") => return Some(Self::every(self.interval + SLOW_DOWN)),
            _ => {}
        }
        // An outage is not the person's answer. What would be the same at the next poll ends it.
        let passing = error.retryable();
        let asked = error.retry_after().unwrap_or_default();
        let slower = (self.next * 2).min(LONGEST.max(self.interval)).max(asked);
        passing.then_some(Self { next: slower, ..self })
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// Begins it.
///
/// # Errors
/// `config_invalid` where the service has no such endpoint; the 300s.
pub(crate) async fn begin(
    SignInService { service, application, sign_in }: SignInService<'_>,
) -> Result<Authorization> {
    let answer = service.authorize_device(application, sign_in).await?;
    let shown = |text: &str| Some(printable(text)).filter(|text| !text.is_empty());
    let web = |text: &str| shown(text).filter(|url| is_web(url));
    let code = answer.device_code().secret();
    let user_code = shown(answer.user_code().secret());
    let (Some(user_code), Some(url), false) = (user_code, web(answer.verification_uri()), code.is_empty())
    else {
        return Err(Error::new(
            ErrorCode::TokenEndpointUnavailable,
            "the sign-in service's answer to the device sign-in lacks a code or an address",
        ));
    };
    let message = answer.extra_fields().message.as_deref().and_then(shown);
    let message = message.unwrap_or_else(|| format!("To sign in, open {url} and enter the code {user_code}"));
    Ok(Authorization {
        device_code: Secret::new(code.clone()),
        user_code,
        complete_url: answer.verification_uri_complete().and_then(|uri| web(uri.secret())),
        url,
        message,
        expires_in: answer.expires_in(),
        pace: Pace::new(answer.interval()),
    })
}

/// Removes control characters: terminals show the text.
fn printable(text: &str) -> String {
    text::one_line(text, 2000)
}

fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| ["https", "http"].contains(&url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OAuthDetail;

    fn said(error: &str) -> Error {
        let detail = OAuthDetail { error: error.into(), ..OAuthDetail::default() };
        Error::new(ErrorCode::GrantRejected, error).with_oauth(detail)
    }

    #[test]
    fn the_pace_is_rfc_8628() {
        let seconds = Duration::from_secs;
        let five = Pace::new(seconds(5));
        assert_eq!((five.wait(), Pace::new(seconds(0)).wait()), (seconds(5), seconds(1)));
        assert_eq!(five.after(&said("authorization_pending")), Some(five));
        let slower = five.after(&said("slow_down")).unwrap();
        assert_eq!(slower.wait(), seconds(10));
        assert_eq!(slower.after(&said("authorization_pending")).unwrap().wait(), seconds(10), "for good");
        assert_eq!(slower.after(&said("slow_down")).unwrap().wait(), seconds(15));
        let outage = Error::new(ErrorCode::TokenEndpointUnavailable, "HTTP 503");
        assert_eq!(five.after(&outage).unwrap().wait(), seconds(10));
        let asked = outage.clone().with_retry_after(Some(seconds(30)));
        assert_eq!(five.after(&asked).unwrap().wait(), seconds(30));
        let (mut pace, mut polls) = (five, 0);
        for _ in 0..20 {
            pace = pace.after(&outage).unwrap();
            polls += 1;
        }
        assert_eq!((pace.wait(), polls), (LONGEST, 20));
        assert_eq!(pace.after(&said("authorization_pending")), Some(five), "an outage is no reason for ever");
        assert_eq!(five.after(&outage.with_retryable(false)), None, "it would be the same at the next poll");
        let unreadable = Error::config("auth.client_secret", "cannot be read");
        for error in [said("authorization_declined"), said("expired_token"), unreadable] {
            assert_eq!(five.after(&error), None, "{error}");
        }
    }
}
