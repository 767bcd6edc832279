//! The text of a PEM file as it is met: RFC 7468 §2 lets anything stand outside of its sections, in any encoding, and a
//! variable of the environment often has `\n` written out.

use zeroize::Zeroizing;

/// The text, if a section begins in it: ASCII alone, with real line ends.
pub(crate) fn pem_text(octets: &[u8]) -> Option<Zeroizing<String>> {
    // Room for all: nothing secret is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(octets.len()));
    text.extend(octets.iter().map(|octet| if octet.is_ascii() { char::from(*octet) } else { '?' }));
    let begin = text.find("-----BEGIN ")?;
    let mut out = Zeroizing::new(String::with_capacity(octets.len()));
    let mut rest = &text[begin..];
    while let Some(at) = rest.find('\\') {
        let (line, from) = rest.split_at(at);
        out.push_str(line);
        let (sign, width) = match from.as_bytes().get(1) {
            Some(b'n') => ("\n", 2),
            Some(b'r') => ("", 2),
            _ => ("\\", 1),
        };
        out.push_str(sign);
        rest = &from[width..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_outside_is_left_out_and_line_ends_are_real() {
        let wanted = "-----BEGIN X-----\nYQ==\n-----END X-----\n";
        for text in [
            &b"-----BEGIN X-----\nYQ==\n-----END X-----\n"[..],
            b"    friendlyName: Gr\xfc\xdfe\n-----BEGIN X-----\nYQ==\n-----END X-----\n",
            b"\xef\xbb\xbf-----BEGIN X-----\nYQ==\n-----END X-----\n",
            b"-----BEGIN X-----\\nYQ==\\n-----END X-----\\n",
            b"-----BEGIN X-----\\r\\nYQ==\\r\\n-----END X-----\\r\\n",
        ] {
            assert_eq!(*pem_text(text).unwrap(), wanted);
        }
        assert!(pem_text(b"MIIB").is_none());
    }
}
