//! The options of `sendmail`: those of getopt, as Sendmail 8 and Postfix read them, and a few of ours.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::failure::{Failure, Result};

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Request {
    /// A message is to be sent.
    Send(SendmailOptions),
    /// How to call it.
    Help,
}

/// What was asked for; the many options that mean nothing here are gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SendmailOptions {
    /// `-t`: the headers name the recipients.
    pub(super) from_headers: bool,
    /// `-f`, `-r`: the reverse-path.
    pub(super) sender: Option<String>,
    /// `-F`: the sender's name.
    pub(super) full_name: Option<String>,
    /// `-i`, `-oi`: a line with a single dot is text.
    pub(super) ignore_dots: bool,
    /// `-v`: say what was done.
    pub(super) verbose: bool,
    /// `--tempfail-75`.
    pub(super) tempfail_75: bool,
    /// `--json`.
    pub(super) json: bool,
    /// `--trace`.
    pub(super) trace: bool,
    /// `--config`.
    pub(super) config: Option<PathBuf>,
    /// `--aliases`.
    pub(super) aliases: Option<PathBuf>,
    /// `--profile`.
    pub(super) profile: Option<String>,
    /// All others.
    pub(super) recipients: Vec<String>,
}

/// Reads the words.
///
/// # Errors
/// `Usage` for what is unknown, and for the modes of a mail server, which this is not.
pub(super) fn read(words: &[OsString]) -> Result<Request> {
    let mut out = SendmailOptions::default();
    let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        if word == "--" {
            out.recipients.extend(words);
            break;
        }
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let mut value =
                || value.clone().or_else(|| words.next()).ok_or_else(|| lacks(&format!("--{name}")));
            match name {
                "help" => return Ok(Request::Help),
                "tempfail-75" => out.tempfail_75 = true,
                "json" => out.json = true,
                "trace" => out.trace = true,
                "config" => out.config = Some(value()?.into()),
                "aliases" => out.aliases = Some(value()?.into()),
                "profile" => out.profile = Some(value()?),
                _ => return Err(unknown(&format!("--{name}"))),
            }
            continue;
        }
        match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => {
                let mut rest = letters.chars();
                while let Some(letter) = rest.next() {
                    if FLAGS.contains(letter) {
                        out.flag(letter);
                        continue;
                    }
                    if !VALUED.contains(letter) {
                        return Err(unknown(&format!("-{letter}")));
                    }
                    let attached = rest.as_str();
                    let value = match attached.is_empty() {
                        // -d and -q take a value only where it is attached.
                        true if ATTACHED_ONLY.contains(letter) => String::new(),
                        true => words.next().ok_or_else(|| lacks(&format!("-{letter}")))?,
                        false => attached.to_owned(),
                    };
                    out.value(letter, value)?;
                    break;
                }
            }
            _ => out.recipients.push(word),
        }
    }
    Ok(Request::Send(out))
}

impl SendmailOptions {
    fn flag(&mut self, letter: char) {
        match letter {
            't' => self.from_headers = true,
            'i' => self.ignore_dots = true,
            'v' => self.verbose = true,
            _ => {}
        }
    }

    fn value(&mut self, letter: char, value: String) -> Result<()> {
        match letter {
            'f' | 'r' => self.sender = Some(value),
            'F' => self.full_name = Some(value),
            'o' if value == "i" => self.ignore_dots = true,
            'O' if value.eq_ignore_ascii_case("IgnoreDots=true") => self.ignore_dots = true,
            'b' if value != "m" => {
                return Err(Failure::Usage(
                    format!("-b{value} is not for this program"),
                    "It sends one message from standard input; it neither listens nor keeps a queue.",
                ));
            }
            'q' => {
                return Err(Failure::Usage(
                    "there is no queue to run".into(),
                    "A message is sent at once or not at all.",
                ));
            }
            _ => {}
        }
        Ok(())
    }
}

fn lacks(word: &str) -> Failure {
    Failure::Usage(format!("{word} lacks its value"), "")
}

fn unknown(word: &str) -> Failure {
    Failure::Usage(format!("unknown option {word}"), "See mailbearer sendmail --help.")
}

/// Letters alone: -t -i -v, and those without a meaning here.
const FLAGS: &str = "tivnmsUGIcx";
/// Letters with a value, in the same word or the next.
const VALUED: &str = "fFrobqBNORVhLXpCeAdM";
const ATTACHED_ONLY: &str = "qd";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> SendmailOptions {
        match read(&line.iter().map(OsString::from).collect::<Vec<_>>()).unwrap() {
            Request::Send(words) => words,
            Request::Help => panic!("help"),
        }
    }

    #[test]
    fn clusters_and_values_are_read_as_getopt_does() {
        let read = words(&[
            "-ti",
            "-fada@x.org",
            "-F",
            "Ada L",
            "-oem",
            "-N",
            "never",
            "-R",
            "hdrs",
            "-B8BITMIME",
            "bob@y.org",
        ]);
        assert_eq!(
            read,
            SendmailOptions {
                from_headers: true,
                ignore_dots: true,
                sender: Some("ada@x.org".into()),
                full_name: Some("Ada L".into()),
                recipients: vec!["bob@y.org".into()],
                ..SendmailOptions::default()
            }
        );
        assert!(words(&["-oi"]).ignore_dots && words(&["-o", "i"]).ignore_dots);
        assert_eq!(words(&["a@x.org", "-t", "--", "-b@x.org"]).recipients, ["a@x.org", "-b@x.org"]);
        assert_eq!(words(&["-bm", "--config=/a b", "--tempfail-75", "-f", ""]).config, Some("/a b".into()));
    }

    #[test]
    fn the_modes_of_a_server_are_refused() {
        for line in [&["-bs"][..], &["-bd"], &["-bp"], &["-q"], &["-f"], &["-Z"], &["--queue"]] {
            assert!(read(&line.iter().map(OsString::from).collect::<Vec<_>>()).is_err(), "{line:?}");
        }
        assert_eq!(read(&["--help".into()]).unwrap(), Request::Help);
    }
}
