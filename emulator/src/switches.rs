//! The faults and settings that the page has switches for.

use crate::config::Config;
use crate::fault::Fault;

/// A name, what people read, and where it goes wrong with what.
pub(crate) struct Switch {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    at: &'static str,
    says: Says,
}

impl Switch {
    /// The fault that this switch sets; `times` 0 is for ever.
    pub(crate) fn fault(&self, times: i64) -> Fault {
        let mut fault = Fault { times, ..Fault::at(self.at) };
        match self.says {
            Reply(reply) => fault.reply = Some(reply.to_owned()),
            Status(status, body) => {
                fault.status = Some(status);
                fault.body = Some(body.to_owned());
            }
            Drop => fault.drop = true,
            Wait(seconds) => fault.delay = seconds,
        }
        fault
    }

    /// Whether this switch has set the fault.
    pub(crate) fn is(&self, fault: &Fault) -> bool {
        *fault == self.fault(fault.times)
    }
}

/// The switch of this name.
pub(crate) fn named(name: &str) -> Option<&'static Switch> {
    SWITCHES.iter().find(|switch| switch.name == name)
}

/// A part of the configuration that is on or off.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) of: fn(&Config) -> bool,
}

/// In the order of the page.
pub(crate) const SETTINGS: [Setting; 1] = [Setting {
    name: "delayed_refusals",
    text: "Refuse senders and clients only at RCPT, as Postfix does",
    of: |config| config.delayed_refusals,
}];

enum Says {
    Reply(&'static str),
    Status(u16, &'static str),
    Drop,
    Wait(f64),
}

use Says::{Drop, Reply, Status, Wait};

/// In the order of the page.
pub(crate) const SWITCHES: [Switch; 15] = [
    Switch {
        name: "smtp_auth_off",
        text: "SMTP AUTH is off for the mailbox",
        at: "auth",
        says: Reply(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
        ),
    },
    Switch {
        name: "token_refused",
        text: "The token is refused",
        at: "auth",
        says: Reply("535 5.7.3 Authentication unsuccessful"),
    },
    Switch {
        name: "too_many_connections",
        text: "Too many connections",
        at: "auth",
        says: Reply("432 4.3.2 Concurrent connections limit exceeded"),
    },
    Switch {
        name: "send_as_denied",
        text: "No right to send as that address",
        at: "end",
        says: Reply("554 5.2.252 SendAsDenied; not allowed to send as that address"),
    },
    Switch {
        name: "recipient_unknown",
        text: "Recipients are unknown",
        at: "rcpt",
        says: Reply("550 5.1.1 The email account that you tried to reach does not exist"),
    },
    Switch {
        name: "sender_refused",
        text: "The sender is refused",
        at: "mail",
        says: Reply(
            "553 5.7.1 <noreply@contoso.com>: Sender address rejected: not owned by user noreply@contoso.com",
        ),
    },
    Switch {
        name: "client_blocked",
        text: "This machine is blocked",
        at: "connect",
        says: Reply(
            "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7",
        ),
    },
    Switch {
        name: "sign_in_demanded",
        text: "The server says that nobody signed in",
        at: "mail",
        says: Reply("530 5.7.0 Authentication required"),
    },
    Switch { name: "busy", text: "The server is busy", at: "mail", says: Reply("451 4.3.0 Try again later") },
    Switch { name: "drop_before", text: "The connection breaks before the body", at: "data", says: Drop },
    Switch { name: "drop_after", text: "The connection breaks after the final dot", at: "end", says: Drop },
    Switch { name: "slow", text: "The server takes five seconds for MAIL", at: "mail", says: Wait(5.0) },
    Switch {
        name: "secret_expired",
        text: "The application's secret has expired",
        at: "token",
        says: Status(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app are expired.","error_codes":[7000222]}"#,
        ),
    },
    Switch {
        name: "sign_in_needed",
        text: "A person must sign in again",
        at: "token",
        says: Status(
            400,
            r#"{"error":"invalid_grant","error_description":"AADSTS50173: The provided grant has expired due to it being revoked.","error_codes":[50173]}"#,
        ),
    },
    Switch {
        name: "sign_in_service_down",
        text: "The sign-in service is down",
        at: "token",
        says: Status(503, "<h1>Service unavailable</h1>"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;

    #[test]
    fn every_switch_is_a_fault_that_can_be() {
        let mut faults = Faults::default();
        for switch in &SWITCHES {
            faults.add(switch.fault(1)).unwrap_or_else(|e| panic!("{}: {e}", switch.name));
            assert_eq!(
                SWITCHES.iter().filter(|other| other.is(&switch.fault(3))).count(),
                1,
                "{}",
                switch.name
            );
        }
        assert!(named("nothing").is_none());
        let config = Config::default().merged(&serde_json::json!({"delayed_refusals": true})).unwrap();
        assert!(SETTINGS.iter().all(|setting| (setting.of)(&config) && !(setting.of)(&Config::default())));
    }
}
