//! A line from standard input, however long. A terminal that edits lines by itself keeps 4,095 octets of one (1,024 on
//! macOS) and drops the rest without a word; the address at which a sign-in ends may be longer.

use std::io::{self, Read};

/// While it lives, a terminal gives its octets as they come. Dropped, the terminal is as it was before.
pub(crate) struct LongLines {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl LongLines {
    /// Has standard input give long lines, if it is a terminal. Signals from the keyboard and the echo stay.
    #[cfg(unix)]
    pub(crate) fn on() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut long = before.clone();
            long.local_modes.remove(LocalModes::ICANON);
            // A terminal that cannot do it still takes short lines.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &long);
        }
        Self { before }
    }

    /// Elsewhere lines are long enough.
    #[cfg(not(unix))]
    pub(crate) fn on() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for LongLines {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // There is nobody to tell, and nothing to be done.
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}

/// Reads one line, without its end.
///
/// # Errors
/// What reading says; and text that is not UTF-8.
pub(crate) fn read_line(mut from: impl Read) -> io::Result<String> {
    let mut line: Vec<u8> = Vec::new();
    let mut octet = [0];
    while line.len() < LONGEST {
        match from.read(&mut octet) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        match octet[0] {
            b'\n' | b'\r' => break,
            // What the terminal would have done: the end, a character back, the line anew.
            END if line.is_empty() => break,
            BACKSPACE | DELETE => drop(line.pop()),
            KILL => line.clear(),
            octet => line.push(octet),
        }
    }
    String::from_utf8(line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

const END: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL: u8 = 21;
const DELETE: u8 = 127;
/// No address is longer.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_long_as_it_is_and_may_be_corrected() {
        let long = "x".repeat(10_000);
        assert_eq!(read_line(format!("{long}\nrest").as_bytes()).unwrap(), long);
        for (typed, line) in [
            ("abc\r", "abc"),
            ("ab\u{7f}\u{8}c\n", "c"),
            ("wrong\u{15}right\n", "right"),
            ("\u{4}x\n", ""),
            ("no end", "no end"),
            ("\u{7f}\n", ""),
        ] {
            assert_eq!(read_line(typed.as_bytes()).unwrap(), line, "{typed:?}");
        }
        assert!(read_line(&b"\xff\n"[..]).is_err());
    }
}
