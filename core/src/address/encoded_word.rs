//! Encoded words (RFC 2047): text of any script in headers that are ASCII.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Free text for a header (RFC 5322 §2.2.1): ASCII words as they are, folded at blanks, the others as encoded words.
/// The first line has `used` characters.
///
/// Readers drop the blanks between two encoded words (RFC 2047 §6.2), so those stand inside one. Encoded is also what
/// a reader would take for something else: words that look encoded or are too long for a line, blanks at the ends.
pub(crate) fn encode_text(text: &str, used: usize) -> String {
    let mut words = words(text);
    if words.is_empty() {
        return encode(text, used);
    }
    for (start, end, encoded) in &mut words {
        let word = &text[*start..*end];
        *encoded = !word.is_ascii() || word.contains("=?") || word.len() > LONGEST_WORD;
    }
    if let Some((start, _, encoded)) = words.first_mut().filter(|(start, ..)| *start > 0) {
        (*start, *encoded) = (0, true);
    }
    if let Some((_, end, encoded)) = words.last_mut().filter(|(_, end, _)| *end < text.len()) {
        (*end, *encoded) = (text.len(), true);
    }
    for at in 1..words.len() {
        if words[at].0 - words[at - 1].1 > MOST_BLANKS {
            (words[at - 1].2, words[at].2) = (true, true);
        }
    }
    words.dedup_by(|next, last| {
        let joined = next.2 && last.2;
        if joined {
            last.1 = next.1;
        }
        joined
    });
    lay_out(text, &words, used)
}

/// ASCII whose syntax knows no encoded words, folded at blanks. The first line has `used` characters.
pub(crate) fn fold(text: &str, used: usize) -> String {
    let text = text.trim_matches(' ');
    lay_out(text, &words(text), used)
}

/// Where each word begins and ends, and whether it is to be encoded.
fn words(text: &str) -> Vec<(usize, usize, bool)> {
    let mut out = Vec::new();
    let mut start = 0;
    for word in text.split(' ') {
        if !word.is_empty() {
            out.push((start, start + word.len(), false));
        }
        start += word.len() + 1;
    }
    out
}

fn lay_out(text: &str, words: &[(usize, usize, bool)], used: usize) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let (mut column, mut behind) = (used, 0);
    for &(start, end, encoded) in words {
        let word = &text[start..end];
        if start > behind {
            let blanks = start - behind;
            let width = if encoded { OVERHEAD + 16 } else { word.len() };
            if column + blanks + width > LINE {
                out.push_str("\r\n");
                column = 0;
            }
            column += blanks;
            out.extend(std::iter::repeat_n(' ', blanks));
        }
        if encoded {
            let word = encode(word, column);
            column = word.rsplit_once("\r\n").map_or(column + word.len(), |(_, last)| last.len());
            out.push_str(&word);
        } else {
            out.push_str(word);
            column += word.len();
        }
        behind = end;
    }
    out
}

/// `text` as encoded words of at most 75 characters, folded; the first line has `used` characters.
pub(crate) fn encode(text: &str, used: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    // The line has 76 characters at most, and a word 75 (RFC 2047 §2).
    let mut room = LINE.saturating_sub(used).min(LINE - 1);
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

/// Whether a whole encoded word is in it, in whatever charset.
pub(crate) fn is_in(text: &str) -> bool {
    text.match_indices("=?").any(|(at, _)| {
        let mut parts = text[at + 2..].splitn(3, '?');
        let (_, encoding, data) = (parts.next(), parts.next(), parts.next());
        encoding.is_some_and(|e| e.eq_ignore_ascii_case("b") || e.eq_ignore_ascii_case("q"))
            && data.is_some_and(|data| data.contains("?="))
    })
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

/// With the longest name of a header it still fits a line (RFC 5322 §2.1.1).
const LONGEST_WORD: usize = 880;

/// More blanks in a row are encoded, since a line cannot be broken among them.
const MOST_BLANKS: usize = 20;

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
    fn free_text_keeps_its_blanks() {
        let long = "x".repeat(881);
        for (text, want) in [
            ("Hello", "Hello"),
            ("two  blanks", "two  blanks"),
            ("Grüße  Jürgen", "=?utf-8?b?R3LDvMOfZSAgSsO8cmdlbg==?="),
            ("Grüße an Jürgen", "=?utf-8?b?R3LDvMOfZQ==?= an =?utf-8?b?SsO8cmdlbg==?="),
            ("a  é  b", "a  =?utf-8?b?w6k=?=  b"),
            (" a", "=?utf-8?b?IGE=?="),
            ("a b ", "a =?utf-8?b?YiA=?="),
            ("  ", "=?utf-8?b?ICA=?="),
            ("", ""),
            ("a =?x", "a =?utf-8?b?PT94?="),
        ] {
            assert_eq!(encode_text(text, 9), want, "{text:?}");
        }
        for text in [long.as_str(), &format!("a{}b", " ".repeat(500)), &format!("a {long} b")] {
            let encoded = encode_text(text, 78);
            assert!(encoded.split("\r\n").all(|line| line.len() <= 76), "{encoded}");
            let value = encoded.strip_prefix("\r\n ").unwrap_or(&encoded);
            assert_eq!(decode(&value.replace("\r\n", "")), *text);
        }
    }

    #[test]
    fn what_has_a_syntax_is_folded_and_never_encoded() {
        let ids = format!("<{}@x> <=?utf-8?q?a?=@x>", "a".repeat(100));
        assert_eq!(fold(&ids, 13), format!("<{}@x>\r\n <=?utf-8?q?a?=@x>", "a".repeat(100)));
        assert_eq!(fold(" a  b ", 9), "a  b");
        assert_eq!(fold("", 9), "");
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
