//! The body after DATA (RFC 5321 §4.5.2): where it ends, and the dots that were stuffed.

/// Takes a body as it arrives.
pub(crate) struct DataReader {
    body: Vec<u8>,
    limit: u64,
    /// Octets that belong to the body, kept or not.
    size: u64,
    at: At,
}

/// Where in a line the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Behind a CRLF, or at the very start.
    LineStart,
    /// Behind a dot at the start of a line.
    Dot,
    /// Behind that dot and a CR.
    DotCr,
    /// Behind a CR.
    Cr,
    Middle,
    End,
}

impl DataReader {
    /// Keeps at most `limit` octets, and reads on to the end nevertheless.
    pub(crate) fn new(limit: u64) -> Self {
        Self { body: Vec::new(), limit, size: 0, at: At::LineStart }
    }

    /// Takes octets up to the end of the body; says how many it took.
    pub(crate) fn take(&mut self, octets: &[u8]) -> usize {
        let mut taken = 0;
        while taken < octets.len() && self.at != At::End {
            let rest = &octets[taken..];
            let octet = rest[0];
            taken += 1;
            match self.at {
                At::LineStart if octet == b'.' => self.at = At::Dot,
                At::Dot if octet == b'\r' => self.at = At::DotCr,
                At::DotCr if octet == b'\n' => self.at = At::End,
                At::DotCr => {
                    // The dot was stuffing; the CR was a bare one.
                    self.keep(b"\r");
                    taken -= 1;
                    self.at = At::Cr;
                }
                // RFC 5321: the first dot of a longer line is deleted.
                At::Dot => {
                    taken -= 1;
                    self.at = At::Middle;
                }
                At::Cr if octet == b'\n' => {
                    self.keep(b"\n");
                    self.at = At::LineStart;
                }
                At::LineStart | At::Middle | At::Cr => {
                    if octet == b'\r' {
                        self.keep(b"\r");
                        self.at = At::Cr;
                        continue;
                    }
                    let run = rest.iter().position(|octet| *octet == b'\r').unwrap_or(rest.len());
                    self.keep(&rest[..run]);
                    taken += run - 1;
                    self.at = At::Middle;
                }
                At::End => {}
            }
        }
        taken
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at == At::End
    }

    /// The body, or None if it was larger than allowed.
    pub(crate) fn into_body(self) -> Option<Vec<u8>> {
        (self.size <= self.limit).then_some(self.body)
    }

    fn keep(&mut self, octets: &[u8]) {
        self.size += octets.len() as u64;
        if self.size <= self.limit {
            self.body.extend_from_slice(octets);
        } else {
            self.body = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body and how many octets are left over, fed whole and octet by octet.
    fn read(octets: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut whole = DataReader::new(1000);
        let taken = whole.take(octets);
        let mut single = DataReader::new(1000);
        let mut count = 0;
        for octet in octets {
            if single.is_done() {
                break;
            }
            count += single.take(&[*octet]);
        }
        assert_eq!(whole.is_done(), single.is_done());
        if !whole.is_done() {
            return None;
        }
        assert_eq!(taken, count);
        let body = whole.into_body().unwrap();
        assert_eq!(single.into_body().unwrap(), body);
        Some((body, octets.len() - taken))
    }

    #[test]
    fn a_body_ends_with_crlf_dot_crlf_only() {
        assert_eq!(read(b"a\r\n.\r\nRSET\r\n"), Some((b"a\r\n".to_vec(), 6)));
        assert_eq!(read(b".\r\n"), Some((Vec::new(), 0)));
        for smuggled in [
            &b"a\n.\n"[..],
            b"a\n.\r\n",
            b"a\r\n.\n",
            b"a\r.\r\n",
            b"a\r\n.\r",
            b"a\r.\r",
            b"a\r\n\0.\r\n",
            b"a\r\n..\r\n",
        ] {
            assert_eq!(read(smuggled), None, "{smuggled:?}");
        }
    }

    #[test]
    fn stuffed_dots_are_taken_away_and_nothing_else() {
        for (sent, meant) in [
            (&b"..\r\n.\r\n"[..], &b".\r\n"[..]),
            (b"...a\r\n.\r\n", b"..a\r\n"),
            (b".a\r\n.\r\n", b"a\r\n"),
            (b"a.\r\nb\n.c\r.d\r\n.\r\n", b"a.\r\nb\n.c\r.d\r\n"),
            (b".\r.\r\n\r\n.\r\n", b"\r.\r\n\r\n"),
            (b"\r\r\n.\r\n", b"\r\r\n"),
            (b".\ra\r\n.\r\n", b"\ra\r\n"),
        ] {
            assert_eq!(read(sent).unwrap().0, meant, "{sent:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_read_to_its_end() {
        let mut reader = DataReader::new(3);
        assert_eq!(reader.take(b"abcd\r\n.\r\nQUIT"), 9);
        assert!(reader.is_done());
        assert!(reader.into_body().is_none());
    }
}
