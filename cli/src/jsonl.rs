//! Messages from a file with one JSON object a line, read on a thread of its own: a source that is
//! slow, or never ends, holds up neither the results nor Ctrl-C.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mailbearer::{Error, Mailer, Message};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::failure::{Failure, Result};

/// The lines to come. Two are held at most, so memory stays flat whatever the file's size.
pub(crate) struct Lines {
    receiver: mpsc::Receiver<io::Result<Line>>,
    name: PathBuf,
    read: Arc<AtomicU64>,
    /// Octets in the file, where it is one.
    pub(crate) size: Option<u64>,
}

/// One line that is not empty.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// From 1.
    number: u64,
    /// `None`: it is too long to be held.
    text: Option<Vec<u8>>,
}

impl Lines {
    /// Opens `path`, or standard input for `-`.
    ///
    /// # Errors
    /// `Input`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let (source, size): (Box<dyn Read + Send>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = std::fs::File::open(path).map_err(|e| Failure::input(path, &e))?;
            let size = file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
            (Box::new(file), size)
        };
        let (sender, receiver) = mpsc::channel(1);
        let read = Arc::new(AtomicU64::new(0));
        let counter = read.clone();
        let pull = move || {
            let mut reader = BufReader::with_capacity(64 * 1024, source);
            let mut number = 0;
            loop {
                let line = match next_line(&mut reader, &mut number, &counter, LONGEST) {
                    Ok(None) => return,
                    Ok(Some(line)) => Ok(line),
                    Err(error) => Err(error),
                };
                let last = line.is_err();
                // A receiver that is gone wants no more.
                if sender.blocking_send(line).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("mailbearer-jsonl".into())
            .spawn(pull)
            .map_err(|e| Failure::input(path, &e))?;
        Ok(Self { receiver, name: path.to_owned(), read, size })
    }

    /// The next line; `None` at the end. May be dropped and called again.
    ///
    /// # Errors
    /// `Input`, once; it is the end too.
    pub(crate) async fn next(&mut self) -> Option<Result<Line>> {
        Some(self.receiver.recv().await?.map_err(|e| Failure::input(&self.name, &e)))
    }

    /// Octets read so far.
    pub(crate) fn position(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl Line {
    /// Its number, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Tells lines apart: FNV-1a of the text, which is the same for every version of this program.
    pub(crate) fn fingerprint(&self) -> String {
        let octets = self.text.as_deref().unwrap_or_default().trim_ascii();
        let hash = octets.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
            (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        format!("{hash:016x}")
    }

    /// The caller's own string, if the line has one.
    pub(crate) fn tag(&self) -> Option<String> {
        let value: Value = serde_json::from_slice(self.text.as_deref()?).ok()?;
        value["tag"].as_str().map(str::to_owned)
    }

    /// The message that the line describes, for `mailer`.
    ///
    /// # Errors
    /// `message_invalid`, naming the line.
    pub(crate) fn message(self, mailer: &Mailer) -> mailbearer::Result<Message> {
        let number = self.number;
        let wrong = |what: String| Error::invalid_message("", format!("line {number} {what}"));
        let Some(text) = self.text else {
            return Err(wrong(format!("is longer than {} MiB", LONGEST >> 20)));
        };
        let value: Value = serde_json::from_slice(&text).map_err(|e| {
            wrong(format!("is not JSON: {e}"))
                .with_hint("Write one JSON object a line, with to, subject and text.")
        })?;
        if !value.is_object() {
            return Err(wrong("is not a JSON object".into()));
        }
        mailer.message(value, Vec::new())
    }
}

/// Reads to the next line that is not blank; a line over `longest` is passed over without being held.
fn next_line(
    reader: &mut impl BufRead,
    number: &mut u64,
    counter: &AtomicU64,
    longest: usize,
) -> io::Result<Option<Line>> {
    loop {
        let (mut text, mut length) = (Vec::new(), 0_usize);
        *number += 1;
        loop {
            let chunk = match reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                break;
            }
            let end = chunk.iter().position(|b| *b == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            length = length.saturating_add(taken);
            if length <= longest {
                text.extend_from_slice(&chunk[..taken]);
            } else {
                text = Vec::new();
            }
            reader.consume(taken);
            counter.fetch_add(taken as u64, Ordering::Relaxed);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        if length > longest {
            return Ok(Some(Line { number: *number, text: None }));
        }
        if !text.trim_ascii().is_empty() {
            return Ok(Some(Line { number: *number, text: Some(text) }));
        }
    }
}

/// Room for the largest message that a provider takes, attachments in base64 and all.
const LONGEST: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], longest: usize) -> Vec<(u64, Option<String>)> {
        let mut reader = BufReader::with_capacity(4, text);
        let (mut number, counter) = (0, AtomicU64::new(0));
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut reader, &mut number, &counter, longest).unwrap() {
            lines.push((line.number, line.text.map(|t| String::from_utf8(t).unwrap().trim().to_owned())));
        }
        assert_eq!(counter.load(Ordering::Relaxed), text.len() as u64);
        lines
    }

    #[test]
    fn blank_lines_are_passed_over_and_long_ones_not_held() {
        assert_eq!(
            all(b"one\n\n  \r\nfour\r\nmuch too long\nsix", 8),
            [(1, Some("one".into())), (4, Some("four".into())), (5, None), (6, Some("six".into()))]
        );
        assert_eq!(all(b"", 8), []);
    }

    #[test]
    fn a_bad_line_is_named() {
        let options = serde_json::json!({ "provider": "memory" });
        let mailer = Mailer::from_json(options, mailbearer::Host::default()).unwrap();
        let message = |text: Option<Vec<u8>>| Line { number: 7, text }.message(&mailer);
        let error = |text: &[u8]| message(Some(text.to_vec())).unwrap_err();
        assert!(error(b"{\"to\": ").message().contains("line 7 is not JSON"));
        assert!(error(b"[]").message().contains("line 7"));
        assert_eq!(error(b"{\"too\": \"a@x.org\"}").code(), mailbearer::ErrorCode::MessageInvalid);
        assert!(message(None).is_err());
    }
}
