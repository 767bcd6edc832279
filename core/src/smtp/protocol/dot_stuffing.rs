//! The body on the wire: dots doubled at line starts, the terminator behind (RFC 5321 §4.5.2).

use bytes::Bytes;

/// Gives a body's octets for DATA, piece by piece: what goes in is never copied whole.
#[derive(Clone, Debug)]
pub(crate) struct DotStuffing {
    piece: Bytes,
    at: usize,
    /// The body goes as it is.
    plain: bool,
    /// The last octets given, if there were any: CR and LF, or one of them.
    last: [u8; 2],
    begun: bool,
    /// No further piece will come.
    whole: bool,
    finished: bool,
}

impl DotStuffing {
    /// For a body that comes piece by piece, with CRLF line ends; a last line without one is given it.
    pub(crate) fn new() -> Self {
        Self {
            piece: Bytes::new(),
            at: 0,
            plain: false,
            last: *b"\r\n",
            begun: false,
            whole: false,
            finished: false,
        }
    }

    /// The next octets of the body; only when it [wants](Self::wants_more) more.
    pub(crate) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.wants_more());
        (self.piece, self.at, self.plain) = (piece, 0, false);
    }

    /// Takes whole lines of which none begins with a dot; they are not copied.
    pub(crate) fn push_plain(&mut self, piece: Bytes) {
        debug_assert!(self.last == *b"\r\n" && (piece.is_empty() || piece.ends_with(b"\r\n")));
        self.push(piece);
        self.plain = true;
    }

    /// What is left of such lines.
    pub(crate) fn plain_rest(&self) -> &[u8] {
        if self.plain { &self.piece[self.at..] } else { &[] }
    }

    /// The first `n` octets of it went.
    pub(crate) fn plain_went(&mut self, n: usize) {
        self.at += n;
        self.begun = true;
    }

    /// The body has no more.
    pub(crate) fn end(&mut self) {
        self.whole = true;
    }

    /// All that came was given, and there may be more.
    pub(crate) fn wants_more(&self) -> bool {
        self.at == self.piece.len() && !self.whole
    }

    /// Appends about `room` octets; with the last ones goes the terminator, so that one write has both.
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>, room: usize) {
        let full = out.len().saturating_add(room);
        while !self.plain && self.at < self.piece.len() && out.len() < full {
            let rest = &self.piece[self.at..];
            if self.last[1] == b'\n' && rest[0] == b'.' {
                out.push(b'.');
            }
            let rest = &rest[..rest.len().min(full - out.len() + 1)];
            // Up to the next line that starts with a dot; LF alone counts, lest a bare one smuggle.
            let end = line_before_dot(rest).unwrap_or(rest.len());
            out.extend_from_slice(&rest[..end]);
            self.at += end;
            self.last = [if end > 1 { rest[end - 2] } else { self.last[1] }, rest[end - 1]];
            self.begun = true;
        }
        if self.at == self.piece.len() && self.whole && !self.finished {
            self.finished = true;
            if self.begun && self.last != *b"\r\n" {
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

    /// The body in pieces of `pieces` octets, given out by `room`.
    fn stuffed(body: &'static str, pieces: usize, room: usize) -> String {
        let mut stuffing = DotStuffing::new();
        let mut left = body.as_bytes().chunks(pieces);
        let mut out = Vec::new();
        for _ in 0..10_000 {
            if stuffing.is_finished() {
                break;
            }
            if stuffing.wants_more() {
                match left.next() {
                    Some(piece) => stuffing.push(Bytes::from_static(piece)),
                    None => stuffing.end(),
                }
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
            for (pieces, room) in
                [1, 2, 3, 5, 64_000].into_iter().flat_map(|p| [1, 2, 3, 64_000].map(|r| (p, r)))
            {
                assert_eq!(stuffed(body, pieces, room), wire, "{body:?} in {pieces} by {room}");
            }
        }
    }
}
