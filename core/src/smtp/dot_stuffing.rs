//! The body on the wire: dots doubled at line starts, the terminator behind (RFC 5321 §4.5.2).

use bytes::Bytes;

/// Gives a body's octets for DATA, piece by piece: a body in memory is never copied whole.
#[derive(Clone, Debug)]
pub(crate) struct DotStuffing {
    body: Bytes,
    at: usize,
    /// The octet at `at` starts a line.
    line_start: bool,
    finished: bool,
}

impl DotStuffing {
    /// For a body with CRLF line ends; a last line without one is given it.
    pub(crate) fn new(body: Bytes) -> Self {
        Self { body, at: 0, line_start: true, finished: false }
    }

    /// Appends about `room` octets; with the last ones goes the terminator, so that one write has both.
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>, room: usize) {
        let full = out.len().saturating_add(room);
        while self.at < self.body.len() && out.len() < full {
            let rest = &self.body[self.at..];
            if self.line_start && rest[0] == b'.' {
                out.push(b'.');
            }
            let rest = &rest[..rest.len().min(full - out.len() + 1)];
            // Up to the next line that starts with a dot; LF alone counts, lest a bare one smuggle.
            let end = line_before_dot(rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..end]);
            self.at += end;
            self.line_start = rest[end - 1] == b'\n';
        }
        if self.at == self.body.len() && !self.finished {
            self.finished = true;
            if !self.body.is_empty() && !self.body.ends_with(b"\r\n") {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b".\r\n");
        }
    }

    /// Everything was given, the terminator too.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }
}

/// Where, behind a line feed, a dot stands.
fn line_before_dot(octets: &[u8]) -> Option<usize> {
    memchr::memmem::find(octets, b"\n.").map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuffed(body: &'static str, room: usize) -> String {
        let mut stuffing = DotStuffing::new(Bytes::from_static(body.as_bytes()));
        let mut out = Vec::new();
        for _ in 0..10_000 {
            if stuffing.is_finished() {
                break;
            }
            let mut piece = Vec::new();
            stuffing.fill(&mut piece, room);
            assert!(!piece.is_empty());
            out.extend(piece);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_are_doubled_at_line_starts_only() {
        let table = [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("..\r\n", "...\r\n.\r\n"),
            ("a.b\r\n.c\r\n\r\n.\r\n", "a.b\r\n..c\r\n\r\n..\r\n.\r\n"),
            ("a\n.b\r\n", "a\n..b\r\n.\r\n"),
            ("a\r\n\r\n", "a\r\n\r\n.\r\n"),
        ];
        for (body, wire) in table {
            for room in [1, 2, 3, 5, 64_000] {
                assert_eq!(stuffed(body, room), wire, "{body:?} by {room}");
            }
        }
    }
}
