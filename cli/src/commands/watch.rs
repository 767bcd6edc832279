//! `mailbearer watch`: a program's numbers, live in a terminal, from where it shows them to Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use mailbearer::Cancel;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::arguments::Watch;
use crate::exposition::{self, Sample};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::progress::spoken;
use crate::{exit, interrupt};

pub(super) fn run(arguments: &Watch, output: Output) -> Result<i32> {
    let cancel = Cancel::default();
    interrupt::block_on(&cancel, async {
        let mut before: Option<(Instant, Vec<Sample>)> = None;
        loop {
            let samples = exposition::read(&read(&arguments.from).await?);
            let now = Instant::now();
            if !samples.iter().any(|sample| sample.name.starts_with("mailbearer_")) {
                return Err(Failure::Usage(
                    format!("{} shows no numbers of mailbearer", arguments.from),
                    "The program shows there what its own mailbearer's `prometheus` function gives.",
                ));
            }
            let view = View::of(&samples, before.as_ref().map(|(at, old)| (now - *at, old.as_slice())));
            if output.json {
                output.value(&json!(view.rows))?;
            } else {
                if std::io::stdout().is_terminal() {
                    // Home, and nothing below.
                    print!("\x1b[H\x1b[2J");
                }
                output.data(&view.text())?;
            }
            if arguments.once {
                return Ok(exit::OK);
            }
            before = Some((now, samples));
            tokio::select! {
                () = tokio::time::sleep(arguments.interval) => {}
                () = cancel.cancelled() => return Ok(exit::OK),
            }
        }
    })?
}

/// A file, or a page over HTTP.
async fn read(from: &str) -> Result<String> {
    let failed = |what: String| Failure::Input(format!("cannot read {from}: {what}"));
    let Some(rest) = from.strip_prefix("http://") else {
        if from.contains("://") {
            return Err(Failure::Usage(
                format!("{from} is neither a file nor an address that begins with http://"),
                "Over https, let curl write it into a file, and watch that.",
            ));
        }
        return std::fs::read_to_string(from).map_err(|e| Failure::input(from, &e));
    };
    let (place, path) = rest.split_once('/').unwrap_or((rest, "metrics"));
    let address = if place.contains(':') { place.to_owned() } else { format!("{place}:80") };
    let asked = async {
        let mut stream = TcpStream::connect(&address).await?;
        // 1.0: the answer ends with the connection, and is not cut into chunks.
        let request = format!("GET /{path} HTTP/1.0\r\nHost: {place}\r\nAccept: text/plain\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = tokio::time::timeout(PATIENCE, asked)
        .await
        .map_err(|_| failed("no answer in time".into()))?
        .map_err(|e| failed(e.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    let status = head.split_whitespace().nth(1).unwrap_or("nothing");
    match status {
        "200" => Ok(body.to_owned()),
        status => Err(failed(format!("it answered {status}"))),
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const MOST: u64 = 16 << 20;

/// A table of mailboxes and one of tokens.
struct View {
    rows: Vec<serde_json::Value>,
    lines: Vec<String>,
}

impl View {
    /// `before`: what was seen that long ago.
    fn of(samples: &[Sample], before: Option<(Duration, &[Sample])>) -> Self {
        let mut rows = Vec::new();
        // Two lines a mailbox: that fits eighty columns.
        let mut lines = vec![
            "mailbox  server".to_owned(),
            columns(
                ["sent", "a min", "failed", "uncertain", "conns", "queue", "95 %", "24 h"].map(str::to_owned),
            ),
        ];
        for (server, mailbox) in keys(samples, "mailbearer_connections_open", ["server", "mailbox"]) {
            let is_its =
                |sample: &Sample| sample.label("server") == server && sample.label("mailbox") == mailbox;
            let sum = |of: &[Sample], name: &str| -> f64 {
                of.iter().filter(|s| s.name == name && is_its(s)).fold(0.0, |sum, s| sum + s.value)
            };
            let one = |name: &str| sum(samples, name);
            let sent = one("mailbearer_messages_sent_total");
            let rate = before.map(|(passed, old)| {
                (sent - sum(old, "mailbearer_messages_sent_total")).max(0.0) / passed.as_secs_f64() * 60.0
            });
            let slow = percentile(samples, 0.95, |s| is_its(s) && s.label("stage") == "total");
            let row = json!({
                "mailbox": mailbox, "server": server, "sent": sent, "sent_per_minute": rate,
                "failed": one("mailbearer_messages_failed_total"),
                "uncertain": one("mailbearer_messages_uncertain_total"),
                "connections_open": one("mailbearer_connections_open"),
                "connections_idle": one("mailbearer_connections_idle"),
                "waiting": one("mailbearer_sends_waiting"),
                "paused": one("mailbearer_paused_seconds"),
                "recipients_last_day": one("mailbearer_recipients_last_day"),
                "seconds_95": slow,
            });
            lines.push(shortened(&format!("{mailbox}  {server}")));
            lines.push(columns([
                sent.to_string(),
                rate.map_or_else(|| "-".into(), |rate| format!("{rate:.0}")),
                one("mailbearer_messages_failed_total").to_string(),
                one("mailbearer_messages_uncertain_total").to_string(),
                format!("{}/{}", one("mailbearer_connections_idle"), one("mailbearer_connections_open")),
                one("mailbearer_sends_waiting").to_string(),
                slow.map_or_else(|| "-".into(), |seconds| format!("{seconds} s")),
                one("mailbearer_recipients_last_day").to_string(),
            ]));
            let failed = samples.iter().filter(|s| s.name == "mailbearer_messages_failed_total" && is_its(s));
            for sample in failed.filter(|sample| sample.value > 0.0) {
                lines.push(shortened(&format!("    {} × {}", sample.value, sample.label("code"))));
            }
            if one("mailbearer_paused_seconds") > 0.0 {
                lines.push(format!("    paused for {:.0} s", one("mailbearer_paused_seconds")));
            }
            rows.push(row);
        }
        for (service, grant) in keys(samples, "mailbearer_tokens_refreshed_total", ["service", "grant"]) {
            let is_its =
                |sample: &&Sample| sample.label("service") == service && sample.label("grant") == grant;
            let one = |name: &str| {
                samples.iter().filter(is_its).filter(|s| s.name == name).fold(0.0, |sum, s| sum + s.value)
            };
            let least = |name: &str| {
                samples.iter().filter(is_its).filter(|s| s.name == name).map(|s| s.value).reduce(f64::min)
            };
            let (refreshed, failed) =
                (one("mailbearer_tokens_refreshed_total"), one("mailbearer_token_refreshes_failed_total"));
            let ends = [
                ("token", least("mailbearer_token_expires_in_seconds")),
                ("sign-in", least("mailbearer_login_expires_in_seconds")),
                ("certificate", least("mailbearer_credential_expires_in_seconds")),
            ];
            lines.push(shortened(&format!("tokens: {grant} {service}")));
            let mut line = format!("    {refreshed} acquired, {failed} failed");
            for (what, left) in ends.iter().filter_map(|(what, left)| Some((what, (*left)?))) {
                let _ = write!(line, ", {what} for {}", spoken(left));
            }
            lines.push(shortened(&line));
            rows.push(json!({
                "service": service, "grant": grant, "refreshed": refreshed, "failed": failed,
                "token_expires_in": ends[0].1, "login_expires_in": ends[1].1, "credential_expires_in": ends[2].1,
            }));
        }
        Self { rows, lines }
    }

    fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// The pairs of labels that samples of this name have.
fn keys(samples: &[Sample], name: &str, labels: [&str; 2]) -> Vec<(String, String)> {
    let mut found: Vec<_> = samples
        .iter()
        .filter(|sample| sample.name == name)
        .map(|sample| (sample.label(labels[0]).to_owned(), sample.label(labels[1]).to_owned()))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The least bound that so many of the sends kept.
fn percentile(samples: &[Sample], share: f64, is_its: impl Fn(&Sample) -> bool) -> Option<f64> {
    let mut within: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    for sample in samples.iter().filter(|s| s.name == "mailbearer_send_seconds_bucket" && is_its(s)) {
        let bound: f64 = sample.label("le").replace("+Inf", "inf").parse().ok()?;
        within.entry(bound.to_bits()).or_insert((bound, 0.0)).1 += sample.value;
    }
    let all = within.values().map(|(_, count)| *count).fold(0.0, f64::max);
    within.values().find(|(_, count)| all > 0.0 && *count >= share * all).map(|(bound, _)| *bound)
}

/// The numbers of a mailbox, below their names.
fn columns([sent, rate, failed, uncertain, connections, queue, slow, day]: [String; 8]) -> String {
    format!("{sent:>12} {rate:>7} {failed:>8} {uncertain:>9} {connections:>8} {queue:>7} {slow:>8} {day:>8}")
}

/// At most as long as a line of the terminal.
fn shortened(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.chars().count() <= WIDTH {
        true => text,
        false => text.chars().take(WIDTH - 1).chain(['…']).collect(),
    }
}

/// The narrowest terminal that people use.
const WIDTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
mailbearer_messages_sent_total{server="a:587",mailbox="x@y"} 30
mailbearer_messages_failed_total{server="a:587",mailbox="x@y",code="throttled"} 2
mailbearer_connections_open{server="a:587",mailbox="x@y"} 3
mailbearer_connections_idle{server="a:587",mailbox="x@y"} 1
mailbearer_send_seconds_bucket{server="a:587",mailbox="x@y",stage="total",le="0.5"} 20
mailbearer_send_seconds_bucket{server="a:587",mailbox="x@y",stage="total",le="1"} 29
mailbearer_send_seconds_bucket{server="a:587",mailbox="x@y",stage="total",le="+Inf"} 30
mailbearer_tokens_refreshed_total{service="login",grant="client_credentials"} 4
mailbearer_token_expires_in_seconds{service="login",grant="client_credentials"} 3000
"#;

    #[test]
    fn the_table_says_what_goes_on() {
        let samples = exposition::read(TEXT);
        let old = exposition::read(
            &TEXT.replace("} 30\nmailbearer_messages_failed", "} 20\nmailbearer_messages_failed"),
        );
        let view = View::of(&samples, Some((Duration::from_secs(20), &old)));
        assert_eq!((&view.rows[0]["sent"], &view.rows[0]["sent_per_minute"]), (&json!(30.0), &json!(30.0)));
        assert_eq!(view.rows[0]["seconds_95"], json!(1.0));
        let text = view.text();
        for part in [
            "x@y",
            "2 × throttled",
            "1/3",
            "tokens: client_credentials login\n    4 acquired, 0 failed, token for 50 min",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn it_fits_eighty_columns() {
        let long = format!("{}@{}.example.com", "m".repeat(70), "d".repeat(60));
        let text = TEXT
            .replace("x@y", &long)
            .replace("} 30", "} 1234567890")
            .replace("code=\"throttled\"", "code=\"temporarily_refused\"");
        let view = View::of(&exposition::read(&text), None);
        for line in view.text().lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert!(view.text().contains("ddd…") && view.text().contains("1234567890"), "{}", view.text());
    }
}
