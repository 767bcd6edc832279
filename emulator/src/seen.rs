//! What the servers saw, for tests that ask; never a secret.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Value, json};

use crate::received::Received;

/// Entries kept of each kind.
const KEPT: usize = 10_000;

/// Conversations kept, and lines of each.
const TALKS_KEPT: usize = 200;
const LINES_KEPT: usize = 500;

/// One request at the token endpoint.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TokenRequest {
    pub(crate) grant: String,
    pub(crate) tenant: String,
    pub(crate) client_id: String,
    pub(crate) scope: Option<String>,
    /// How the client proved itself: `none`, `secret`, `basic`, `assertion`.
    pub(crate) client_auth: &'static str,
    pub(crate) username: Option<String>,
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
}

/// One SMTP authentication.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Auth {
    pub(crate) mechanism: String,
    pub(crate) username: String,
    /// The credentials were in the AUTH line.
    pub(crate) inline: bool,
    pub(crate) accepted: bool,
    /// The token's number among those issued so far, from 1; 0 for a token that was not issued here.
    pub(crate) token_id: usize,
    /// The verdict as it was sent.
    pub(crate) reply: String,
    /// What the client answered to an error challenge.
    pub(crate) challenge_answer: Option<String>,
    pub(crate) connection: usize,
}

/// The log, bounded: the oldest entries go first.
#[derive(Default)]
pub(crate) struct Log {
    token_requests: VecDeque<TokenRequest>,
    auth: VecDeque<Auth>,
    commands: VecDeque<(usize, Vec<String>)>,
    /// Commands and replies by connection, for the page.
    talk: VecDeque<(usize, Vec<String>)>,
    pub(crate) authorize_requests: usize,
    pub(crate) device_requests: usize,
    pub(crate) discovery_requests: usize,
    pub(crate) revocations: usize,
    pub(crate) tls_failures: usize,
    pub(crate) connections: usize,
}

impl Log {
    pub(crate) fn clear(&mut self) {
        // Connections that are still open keep their numbers.
        *self = Self { connections: 0, ..Self::default() };
    }

    pub(crate) fn token_request(&mut self, request: TokenRequest) {
        push(&mut self.token_requests, request);
    }

    pub(crate) fn auth(&mut self, auth: Auth) {
        push(&mut self.auth, auth);
    }

    /// Adds what the client of this connection answered to the error challenge of its latest authentication.
    pub(crate) fn challenge_answered(&mut self, connection: usize, answer: String) {
        // The entry is gone if the log was cleared in between.
        if let Some(auth) = self.auth.iter_mut().rev().find(|auth| auth.connection == connection) {
            auth.challenge_answer = Some(answer);
        }
    }

    /// Notes a command of a connection.
    pub(crate) fn command(&mut self, connection: usize, command: String) {
        self.say(connection, format!("C: {command}"));
        let at = self.commands.iter().rposition(|(number, _)| *number == connection);
        match at {
            Some(index) => {
                let commands = &mut self.commands[index].1;
                if commands.len() < KEPT {
                    commands.push(command);
                }
            }
            None => push(&mut self.commands, (connection, vec![command])),
        }
    }

    /// Notes a reply.
    pub(crate) fn reply(&mut self, connection: usize, octets: &[u8]) {
        for line in String::from_utf8_lossy(octets).lines() {
            self.say(connection, format!("S: {line}"));
        }
    }

    fn say(&mut self, connection: usize, line: String) {
        match self.talk.iter_mut().rev().find(|(number, _)| *number == connection) {
            Some((_, lines)) if lines.len() < LINES_KEPT => lines.push(line),
            Some(_) => {}
            None => {
                if self.talk.len() >= TALKS_KEPT {
                    self.talk.pop_front();
                }
                self.talk.push_back((connection, vec![line]));
            }
        }
    }

    /// The commands and replies of a connection that are kept; secrets are left out.
    pub(crate) fn talk(&self, connection: usize) -> &[String] {
        let found = self.talk.iter().find(|(number, _)| *number == connection);
        found.map_or(&[], |(_, lines)| lines)
    }

    /// The connections whose conversations are kept, the oldest first.
    pub(crate) fn talks(&self) -> impl DoubleEndedIterator<Item = (usize, &[String])> {
        self.talk.iter().map(|(number, lines)| (*number, lines.as_slice()))
    }

    /// The latest authentication on a connection.
    pub(crate) fn signed_in(&self, connection: usize) -> Option<&Auth> {
        self.auth.iter().rev().find(|auth| auth.connection == connection)
    }

    /// What the sign-in service was asked for, the latest last.
    pub(crate) fn tokens(&self) -> impl DoubleEndedIterator<Item = &TokenRequest> {
        self.token_requests.iter()
    }

    pub(crate) fn connected(&mut self, connection: usize) {
        self.connections += 1;
        push(&mut self.commands, (connection, Vec::new()));
    }

    pub(crate) fn to_json(&self, messages: &[std::sync::Arc<Received>]) -> Value {
        let commands: Vec<_> = self.commands.iter().map(|(_, lines)| lines).collect();
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                json!({
                    "mail_from": message.mail_from, "rcpt_to": message.rcpt_to,
                    "username": message.username, "size": message.size,
                    "subject": message.subject, "message_id": message.message_id,
                    "mail_params": message.mail_params, "rcpt_params": message.rcpt_params,
                    "chunked": message.chunked,
                    "connection": message.connection,
                })
            })
            .collect();
        json!({
            "token_requests": self.token_requests, "authorize_requests": self.authorize_requests,
            "device_requests": self.device_requests, "discovery_requests": self.discovery_requests,
            "revocations": self.revocations,
            "auth": self.auth, "connections": self.connections, "tls_failures": self.tls_failures,
            "commands": commands, "messages": messages,
        })
    }
}

fn push<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() >= KEPT {
        entries.pop_front();
    }
    entries.push_back(entry);
}
