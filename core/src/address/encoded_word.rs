//! Encoded words (RFC 2047): text of any script in headers that are ASCII.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `text` as encoded words of at most 75 characters, folded; the first line has `used` characters.
///
/// For what lettre leaves bare and a reader would take for something else: text that looks like an
/// encoded word, spaces at the ends, words too long for a line.
pub(crate) fn encode(text: &str, used: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut room = LINE.saturating_sub(used);
    while !rest.is_empty() {
        // Whole characters in each word (RFC 2047 §5), at least one.
        let fits = room.saturating_sub(OVERHEAD) / 4 * 3;
        let mut end = (0..=fits.min(rest.len())).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
        if end == 0 {
            if room < LINE - 1 {
                out.push_str("\r\n ");
                room = LINE - 1;
                continue;
            }
            end = rest.chars().next().map_or(rest.len(), char::len_utf8);
        }
        if !out.is_empty() && !out.ends_with(' ') {
            out.push_str("\r\n ");
        }
        out.push_str(PREFIX);
        STANDARD.encode_string(&rest[..end], &mut out);
        out.push_str("?=");
        rest = &rest[end..];
        room = LINE - 1;
    }
    out
}

/// Decodes what is encoded in UTF-8, ASCII or Latin-1; the rest stays as it is.
pub(crate) fn decode(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut pending: Vec<u8> = Vec::new();
    while let Some(start) = rest.find("=?") {
        let (before, from) = rest.split_at(start);
        let Some((octets, after)) = word(from) else {
            flush(&mut pending, &mut out);
            out.push_str(before);
            out.push_str("=?");
            rest = &from[2..];
            continue;
        };
        // White space between two encoded words is not part of the text (RFC 2047 §6.2).
        if pending.is_empty() || !before.trim().is_empty() {
            flush(&mut pending, &mut out);
            out.push_str(before);
        }
        pending.extend(octets);
        rest = after;
    }
    flush(&mut pending, &mut out);
    out.push_str(rest);
    out
}

const PREFIX: &str = "=?utf-8?b?";
const OVERHEAD: usize = PREFIX.len() + 2;
const LINE: usize = 76;

/// A character may be cut in two by careless software, so neighbours are decoded together.
fn flush(pending: &mut Vec<u8>, out: &mut String) {
    out.push_str(&String::from_utf8_lossy(pending));
    pending.clear();
}

/// The word at the start as UTF-8, and what follows it.
fn word(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut parts = text.strip_prefix("=?")?.splitn(3, '?');
    let charset = parts.next()?.split('*').next()?;
    let encoding = parts.next()?;
    let (data, after) = parts.next()?.split_once("?=")?;
    if data.contains([' ', '?']) {
        return None;
    }
    let octets = match encoding {
        "b" | "B" => STANDARD.decode(data).ok()?,
        "q" | "Q" => q_decode(data)?,
        _ => return None,
    };
    let octets = if charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii") {
        octets
    } else if charset.eq_ignore_ascii_case("iso-8859-1") {
        octets.into_iter().map(char::from).collect::<String>().into_bytes()
    } else {
        return None;
    };
    Some((octets, after))
}

fn q_decode(data: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    let mut octets = data.bytes();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'_' => b' ',
            b'=' => {
                let pair = [octets.next()?, octets.next()?];
                u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        for text in [
            "a",
            " a ",
            "=?utf-8?q?x?=",
            "Grüße aus Köln",
            "日本語のとても長い件名です。".repeat(9).as_str(),
            &"x".repeat(2000),
        ] {
            for used in [0, 9, 60, 75, 90] {
                let encoded = encode(text, used);
                // A header's value may begin with a fold.
                let value = encoded.strip_prefix("\r\n ").unwrap_or(&encoded);
                assert_eq!(decode(&value.replace("\r\n", "")), *text);
                for (at, line) in encoded.split("\r\n").enumerate() {
                    assert!(
                        line.len() + if at == 0 && !line.is_empty() { used } else { 0 } <= 76 || used > 50,
                        "{line}"
                    );
                }
            }
        }
    }

    #[test]
    fn others_words_are_read() {
        assert_eq!(decode("=?ISO-8859-1?Q?Andr=E9?= x =?utf-8*en?b?w6k=?="), "André x é");
        assert_eq!(decode("=?utf-8?b?w6?= =?utf-8?b?w6k=?="), "=?utf-8?b?w6?= é");
        assert_eq!(decode("=?koi8-r?q?=C1?="), "=?koi8-r?q?=C1?=");
        assert_eq!(decode("a =? b"), "a =? b");
        // One character over two words.
        assert_eq!(decode("=?utf-8?q?=C3?= =?utf-8?q?=A9?="), "é");
    }
}
