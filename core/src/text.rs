//! Others' words, made fit to be shown: no control characters, and no more of them than a sentence bears.

/// At most `most` characters, without control characters.
pub(crate) fn shown(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

/// At most `most` characters on one line: each control character is a blank.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect();
    line.trim().to_owned()
}

/// Whether it could be a token, a scope or a code: no blanks, no control characters, and not empty.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_gets_through() {
        assert_eq!(shown("a\u{1b}[31m\r\nb", 100), "a[31mb");
        assert_eq!(shown("Grüße", 3), "Grü");
        assert_eq!(one_line(" a\r\nb\t", 100), "a  b");
        assert!(is_word("abc") && !is_word("a b") && !is_word("") && !is_word("a\u{7f}"));
    }
}
