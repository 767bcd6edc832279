//! Line ends as SMTP wants them (RFC 5321 §2.3.8): CRLF, and no CR or LF alone.

use std::borrow::Cow;

use memchr::{memchr_iter, memchr2};

/// Makes every bare CR and bare LF a CRLF; borrows if there is none.
pub(crate) fn to_crlf(octets: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut at) = next_bare(octets, 0) else { return Cow::Borrowed(octets) };
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
    let mut copied = 0;
    loop {
        out.extend_from_slice(&octets[copied..at]);
        out.extend_from_slice(b"\r\n");
        copied = at + 1;
        match next_bare(octets, copied) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.extend_from_slice(&octets[copied..]);
    Cow::Owned(out)
}

/// Whether a line has more than `limit` octets, its CRLF not counted.
pub(crate) fn has_line_over(octets: &[u8], limit: usize) -> bool {
    let mut start = 0;
    for at in memchr_iter(b'\n', octets) {
        let end = if at > start && octets[at - 1] == b'\r' { at - 1 } else { at };
        if end - start > limit {
            return true;
        }
        start = at + 1;
    }
    octets.len() - start > limit
}

/// The longest line that RFC 5322 §2.1.1 allows, without its CRLF.
pub(crate) const LINE_LIMIT: usize = 998;

/// Where the next CR without LF, or LF without CR, stands. `from` is never between CR and LF.
fn next_bare(octets: &[u8], mut from: usize) -> Option<usize> {
    while let Some(offset) = memchr2(b'\r', b'\n', &octets[from..]) {
        let at = from + offset;
        if octets[at] == b'\r' && octets.get(at + 1) == Some(&b'\n') {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bare_line_end_becomes_crlf_and_nothing_else_changes() {
        for (input, want) in [
            ("", ""),
            ("a", "a"),
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb", "a\r\nb"),
            ("a\rb", "a\r\nb"),
            ("\r", "\r\n"),
            ("\n", "\r\n"),
            ("a\r", "a\r\n"),
            ("a\r\n\r", "a\r\n\r\n"),
            ("\r\r\n", "\r\n\r\n"),
            ("\n\r", "\r\n\r\n"),
            ("\r\n\n", "\r\n\r\n"),
            ("a\n.\nb", "a\r\n.\r\nb"),
            ("a\r.\rb", "a\r\n.\r\nb"),
        ] {
            assert_eq!(to_crlf(input.as_bytes()), want.as_bytes(), "{input:?}");
        }
    }

    #[test]
    fn all_short_inputs_agree_with_the_definition() {
        // Every string over {CR, LF, x} up to eight octets, against the rule read literally.
        for len in 0..=8u32 {
            for n in 0..3usize.pow(len) {
                let input: Vec<u8> = (0..len).map(|i| b"\r\nx"[n / 3usize.pow(i) % 3]).collect();
                let mut want = Vec::new();
                let mut i = 0;
                while i < input.len() {
                    match input[i] {
                        b'\r' | b'\n' => {
                            want.extend_from_slice(b"\r\n");
                            i += usize::from(input[i] == b'\r' && input.get(i + 1) == Some(&b'\n'));
                        }
                        other => want.push(other),
                    }
                    i += 1;
                }
                let got = to_crlf(&input);
                assert_eq!(*got, *want, "{input:?}");
                assert_eq!(matches!(got, Cow::Borrowed(_)), want == input);
                assert!(matches!(to_crlf(&got), Cow::Borrowed(_)));
            }
        }
    }

    #[test]
    fn lines_are_measured_without_their_end() {
        assert!(!has_line_over(b"abc\r\nabc\r\n", 3));
        assert!(has_line_over(b"abc\r\nabcd\r\n", 3));
        assert!(has_line_over(b"abcd", 3));
        assert!(!has_line_over(b"", 0));
    }
}
