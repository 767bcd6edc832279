//! Content-Transfer-Encodings (RFC 2045 §6): octets made fit for lines of mail.

use base64_simd::{Out, STANDARD};

/// Octets that make one full line of base64.
pub(super) const LINE_OCTETS: usize = 57;

/// Lines of 76 characters, each ended (RFC 2045 §6.8).
pub(super) fn base64(octets: &[u8], out: &mut Vec<u8>) {
    out.reserve(base64_size(octets.len() as u64) as usize);
    // Many lines are encoded at once and then laid into a block that has the ends already: filling `out` with
    // zeros first would cost as much as encoding.
    let mut characters = [0; BLOCK * 76];
    let mut lines = [0; BLOCK * 78];
    for line in lines.chunks_exact_mut(78) {
        line[76..].copy_from_slice(b"\r\n");
    }
    let mut blocks = octets.chunks_exact(BLOCK * LINE_OCTETS);
    for block in blocks.by_ref() {
        let _ = STANDARD.encode(block, Out::from_slice(&mut characters));
        for (line, characters) in lines.chunks_exact_mut(78).zip(characters.chunks_exact(76)) {
            line[..76].copy_from_slice(characters);
        }
        out.extend_from_slice(&lines);
    }
    let rest = STANDARD.encode(blocks.remainder(), Out::from_slice(&mut characters));
    for line in rest.chunks(76) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
}

/// Lines encoded at once.
const BLOCK: usize = 32;

/// How many octets `octets` of them become.
pub(super) fn base64_size(octets: u64) -> u64 {
    let line = LINE_OCTETS as u64;
    let rest = octets % line;
    let last = if rest == 0 { 0 } else { rest.div_ceil(3) * 4 + 2 };
    (octets / line).saturating_mul(78).saturating_add(last)
}

/// Lines of at most 76 characters. A dot or `From ` that would begin a line is encoded too, so that
/// neither SMTP's dots nor mbox's `>From` come near the text.
pub(super) fn quoted_printable(octets: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let rest = &octets[at..];
        if rest.starts_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            column = 0;
            at += 2;
            continue;
        }
        let plain = match octet {
            b' ' | b'\t' => rest.len() > 1 && !rest[1..].starts_with(b"\r\n"),
            b'=' => false,
            b'.' => column != 0 && column < QP_LINE,
            b'F' => !(rest.starts_with(b"From ") && (column == 0 || column >= QP_LINE)),
            other => other.is_ascii_graphic(),
        };
        if column + if plain { 1 } else { 3 } > QP_LINE {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(octet);
            column += 1;
        } else {
            out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
            column += 3;
        }
        at += 1;
    }
}

/// The 76th character is for the soft line break's `=`.
const QP_LINE: usize = 75;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    fn qp(text: &str) -> String {
        let mut out = Vec::new();
        quoted_printable(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quoted_printable_is_as_the_rfc_has_it() {
        for (text, want) in [
            ("", ""),
            ("a=b", "a=3Db"),
            ("a ", "a=20"),
            ("a \r\nb\t\r\n", "a=20\r\nb=09\r\n"),
            ("a b", "a b"),
            (".\r\n..\r\na.", "=2E\r\n=2E.\r\na."),
            ("From x\r\nFrom", "=46rom x\r\nFrom"),
            ("é\0", "=C3=A9=00"),
        ] {
            assert_eq!(qp(text), want, "{text:?}");
        }
        for text in
            ["x".repeat(1000), "é".repeat(1000), ".".repeat(1000), "From ".repeat(300), " ".repeat(500)]
        {
            for line in qp(&text).split("\r\n") {
                assert!(line.len() <= 76 && !line.starts_with('.') && !line.starts_with("From "), "{line}");
                assert!(!line.ends_with(' '), "{line:?}");
            }
        }
    }

    #[test]
    fn base64_lines_are_full_and_ended() {
        let mut out = Vec::new();
        base64(&[7; 115], &mut out);
        let lines: Vec<_> = std::str::from_utf8(&out).unwrap().split("\r\n").map(str::len).collect();
        assert_eq!(lines, [76, 76, 4, 0]);
    }
}
