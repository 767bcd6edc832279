//! Where words go: data to standard output, the rest to standard error.

use std::io::{self, Write};

use mailbearer::{Event, EventSink, Kept, Receipt};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// The two streams. A reader of standard output that went away is no failure: nobody is left to tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    /// All that happens is shown.
    pub(crate) trace: bool,
}

impl Output {
    pub(crate) fn new(json: bool, trace: bool) -> Self {
        Self { json, trace }
    }

    /// A line, or several, of data for people.
    pub(crate) fn data(&self, text: &str) -> Result<()> {
        unless_nobody_reads(line(io::stdout().lock(), &printable(text)))
    }

    /// One line of data for programs.
    pub(crate) fn value(&self, value: &Value) -> Result<()> {
        unless_nobody_reads(line(io::stdout().lock(), &value.to_string()))
    }

    /// A line for whoever watches. Standard error that cannot be written is nobody's to report.
    pub(crate) fn note(&self, text: &str) {
        let _ = line(io::stderr().lock(), &printable(text));
    }

    /// One line for the program that watches.
    pub(crate) fn note_value(&self, value: &Value) {
        let _ = line(io::stderr().lock(), &value.to_string());
    }

    /// Says why the command ended, and gives its exit code.
    pub(crate) fn failure(&self, failure: &Failure) -> i32 {
        if self.json {
            self.note_value(&failure.to_json());
            return failure.exit();
        }
        self.note(&format!("mailbearer: {}", failure.message()));
        if let Failure::Core(error) = failure {
            if let Some(reply) = error.smtp() {
                let command = reply.command.as_deref().map(|c| format!(" (to {c})")).unwrap_or_default();
                self.note(&format!("  the server said: {reply}{command}"));
            }
            for rejection in error.rejected() {
                self.note(&format!("  refused {}: {}", rejection.address, rejection.reply));
            }
            if let Some(oauth) = error.oauth() {
                let id = oauth.correlation_id.as_deref().map(|id| format!(" (correlation id {id})"));
                self.note(&format!("  the sign-in service said: {}{}", oauth.error, id.unwrap_or_default()));
            }
            if let Some(id) = error.message_id().filter(|id| !id.is_empty()) {
                self.note(&format!("  message: {id}"));
            }
        }
        if let Some(hint) = failure.hint() {
            self.note(&format!("  {hint}"));
        }
        failure.exit()
    }

    /// A receipt as data; refused recipients also where people look.
    pub(crate) fn receipt(&self, receipt: &Receipt) -> Result<()> {
        if self.json {
            return self.value(&json!(receipt));
        }
        let count = receipt.accepted.len();
        let recipients = if count == 1 { "1 recipient".to_owned() } else { format!("{count} recipients") };
        self.data(&format!("sent {} to {recipients}: {}", receipt.message_id, receipt.reply))?;
        self.refused(receipt);
        Ok(())
    }

    /// What a message would be: its octets as data, who would get it where people look.
    pub(crate) fn preview(&self, message: &Kept, quiet: bool) -> Result<()> {
        let Kept { message_id, tag, envelope, bytes } = message;
        if self.json {
            return self.value(&json!({
                "message_id": message_id, "tag": tag, "envelope": envelope, "size": bytes.len(),
                "raw": String::from_utf8_lossy(bytes),
            }));
        }
        unless_nobody_reads(io::stdout().lock().write_all(bytes))?;
        if !quiet {
            let (from, to) = (&envelope.mail_from, envelope.rcpt_to.join(", "));
            self.note(&format!("not sent: from {from} to {to}, {} octets", bytes.len()));
        }
        Ok(())
    }

    /// Who was refused although others were not.
    pub(crate) fn refused(&self, receipt: &Receipt) {
        for rejection in &receipt.rejected {
            self.note(&format!("mailbearer: refused {}: {}", rejection.address, rejection.reply));
        }
    }

    /// A line of a connection as people write such down; of other events all there is.
    fn traced(self, event: &Event) {
        if self.json {
            return self.note_value(&json!({ "event": event.name, "fields": event.fields }));
        }
        let text = |name: &str| event.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        if event.name == "smtp.trace" {
            let who = match text("direction") {
                "client" => "C:",
                "server" => "S:",
                _ => "  ",
            };
            let number =
                event.fields.get("connection").and_then(|number| number.as_u64()).unwrap_or_default();
            return self.note(&format!("[{number}] {who} {}", text("line")));
        }
        let fields = event.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect::<String>();
        self.note(&format!("-- {}{fields}", event.name));
    }

    /// Shows core's warnings; its other events are for programs.
    pub(crate) fn events(self) -> EventSink {
        EventSink::new(move |event: &Event| {
            if self.trace {
                return self.traced(event);
            }
            if !["warning", "login.expiring", "credential.expiring"].contains(&event.name) {
                return;
            }
            if self.json {
                return self.note_value(&json!({ "event": event.name, "fields": event.fields }));
            }
            let text = ["text", "message", "hint"].iter().find_map(|key| event.fields.get(*key)?.as_str());
            self.note(&format!("mailbearer: warning: {}", text.unwrap_or("unknown")));
        })
    }
}

/// A line at once: the program may end while a task of core's tells of something, and half a line is none.
fn line(mut to: impl Write, text: &str) -> io::Result<()> {
    to.write_all(format!("{text}\n").as_bytes())?;
    to.flush()
}

/// Text from a server may hold what a terminal obeys.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

fn unless_nobody_reads(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::output("standard output", &error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_move_the_cursor() {
        assert_eq!(printable("250 \u{1b}[2Jok\r\n\tüx"), "250 \u{fffd}[2Jok\u{fffd}\n\tüx");
    }
}
