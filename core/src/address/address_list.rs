//! Address lists as headers write them (RFC 5322 §3.4, with the obsolete forms of §4.4): groups,
//! comments, quoted strings, routes, empty entries. Tolerant in what separates, strict in what it
//! hands out: each address is still checked by [`Address`](crate::address::addr_spec::Address).

use super::encoded_word;

/// What a list held.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct List {
    /// The mailboxes, those in groups included.
    pub(crate) entries: Vec<ListEntry>,
    /// The names of the groups among them, also of empty ones.
    pub(crate) groups: Vec<Option<String>>,
}

/// One mailbox, its address not yet checked.
#[derive(Debug, PartialEq)]
pub(crate) struct ListEntry {
    /// The display name, encoded words decoded.
    pub(crate) name: Option<String>,
    /// `local@domain`, comments and folding white space taken out.
    pub(crate) address: String,
}

/// Reads an unfolded list, or says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<List, String> {
    let mut list = List::default();
    let mut tokens = tokens(text)?.into_iter();
    let mut phrase: Vec<Token> = Vec::new();
    while let Some(token) = tokens.next() {
        match token.kind {
            TokenKind::Special('<') => {
                let address = angle(&mut tokens)?;
                let name = display_name(&std::mem::take(&mut phrase));
                list.entries.push(ListEntry { name, address });
                // Only a comment may stand between the address and the next separator.
                for after in tokens.by_ref() {
                    match after.kind {
                        TokenKind::Comment(_) => {}
                        TokenKind::Special(',' | ';') => break,
                        _ => return Err("has text after `>`".to_owned()),
                    }
                }
            }
            TokenKind::Special(':') => {
                list.groups.push(display_name(&std::mem::take(&mut phrase)));
            }
            TokenKind::Special(',' | ';') => list.entries.extend(bare(std::mem::take(&mut phrase))?),
            TokenKind::Special('>') => return Err("has `>` without `<`".to_owned()),
            _ => phrase.push(token),
        }
    }
    list.entries.extend(bare(phrase)?);
    Ok(list)
}

#[derive(Debug)]
struct Token {
    kind: TokenKind,
    /// White space stood before it.
    spaced: bool,
}

#[derive(Debug)]
enum TokenKind {
    /// Anything that is not special, dots and `@` included; a domain literal with its brackets.
    Word(String),
    /// A quoted string: as written, and what it says.
    Quoted(String, String),
    /// What a comment says.
    Comment(String),
    /// A character of `< > , ; :`.
    Special(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let mut spaced = false;
    while let Some(c) = chars.next() {
        let kind = match c {
            ' ' | '\t' | '\r' | '\n' => {
                spaced = true;
                continue;
            }
            '<' | '>' | ',' | ';' | ':' => TokenKind::Special(c),
            '"' => {
                let (raw, said) = delimited(&mut chars, None, '"').ok_or("has a quote that is not closed")?;
                TokenKind::Quoted(format!("\"{raw}\""), said)
            }
            '(' => {
                let (_, said) =
                    delimited(&mut chars, Some('('), ')').ok_or("has a comment that is not closed")?;
                TokenKind::Comment(said)
            }
            '[' => {
                let (raw, _) = delimited(&mut chars, None, ']').ok_or("has a `[` that is not closed")?;
                TokenKind::Word(format!("[{raw}]"))
            }
            _ => {
                let mut word = String::from(c);
                while let Some(&next) = chars.peek() {
                    if " \t\r\n<>,;:\"([".contains(next) {
                        break;
                    }
                    word.push(next);
                    chars.next();
                }
                TokenKind::Word(word)
            }
        };
        out.push(Token { kind, spaced });
        spaced = false;
    }
    Ok(out)
}

/// Up to the closing character, `open` nesting: as written, and with quoted pairs resolved.
fn delimited(
    chars: &mut impl Iterator<Item = char>,
    open: Option<char>,
    close: char,
) -> Option<(String, String)> {
    let (mut raw, mut said) = (String::new(), String::new());
    let mut depth = 0;
    while let Some(c) = chars.next() {
        if c == '\\' {
            let pair = chars.next()?;
            raw.extend([c, pair]);
            said.push(pair);
            continue;
        }
        if c == close {
            if depth == 0 {
                return Some((raw, said));
            }
            depth -= 1;
        } else if Some(c) == open {
            depth += 1;
        }
        raw.push(c);
        said.push(c);
    }
    None
}

/// The address up to `>`; an obsolete route (`@a,@b:c@d`) is left out, as RFC 5322 §4.4 says.
fn angle(tokens: &mut impl Iterator<Item = Token>) -> Result<String, String> {
    let mut address = String::new();
    for token in tokens {
        match token.kind {
            TokenKind::Special('>') => {
                return match address.split_once(':') {
                    Some((route, rest)) if route.starts_with('@') => Ok(rest.to_owned()),
                    _ => Ok(address),
                };
            }
            TokenKind::Special(c @ (':' | ',')) if address.starts_with('@') => address.push(c),
            TokenKind::Special(c) => return Err(format!("has `{c}` between `<` and `>`")),
            TokenKind::Comment(_) => {}
            TokenKind::Word(text) | TokenKind::Quoted(text, _) => join(&mut address, &text, token.spaced)?,
        }
    }
    Err("has `<` without `>`".to_owned())
}

/// An address without angle brackets; its comment, if it has one, is the name (RFC 5322 §3.4).
fn bare(phrase: Vec<Token>) -> Result<Option<ListEntry>, String> {
    let mut address = String::new();
    let mut name = None;
    for token in phrase {
        match token.kind {
            TokenKind::Comment(said) => name = Some(encoded_word::decode(&said)),
            TokenKind::Word(text) | TokenKind::Quoted(text, _) => join(&mut address, &text, token.spaced)?,
            TokenKind::Special(c) => return Err(format!("has `{c}` where an address should be")),
        }
    }
    if address.is_empty() {
        return Ok(None);
    }
    Ok(Some(ListEntry { name: name.filter(|n| !n.is_empty()), address }))
}

/// White space may stand around dots and `@` only (RFC 5322 §4.4).
fn join(address: &mut String, next: &str, spaced: bool) -> Result<(), String> {
    let loose = address.is_empty() || address.ends_with(['.', '@']) || next.starts_with(['.', '@']);
    if spaced && !loose {
        return Err(format!("has `{address} {next}` where an address should be"));
    }
    address.push_str(next);
    Ok(())
}

fn display_name(phrase: &[Token]) -> Option<String> {
    let mut name = String::new();
    for token in phrase {
        if token.spaced && !name.is_empty() {
            name.push(' ');
        }
        match &token.kind {
            TokenKind::Word(text) | TokenKind::Quoted(_, text) => name.push_str(text),
            TokenKind::Comment(text) => name.extend(["(", text, ")"]),
            TokenKind::Special(_) => {}
        }
    }
    let name = encoded_word::decode(name.trim());
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        parse(text).unwrap().entries.into_iter().map(|e| e.address).collect()
    }

    #[test]
    fn every_form_of_the_rfc_gives_its_addresses() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a@x", &["a@x"]),
            ("a@x, b@y", &["a@x", "b@y"]),
            ("a@x,,b@y,", &["a@x", "b@y"]),
            ("a@x; b@y", &["a@x", "b@y"]),
            ("Ada <a@x>, \"Doe, Jane\" <j@x>", &["a@x", "j@x"]),
            ("ada@x.org <a@x>", &["a@x"]),
            ("undisclosed-recipients:;", &[]),
            ("A Group:Ed <ed@x>,joe@y , John <j@z>;", &["ed@x", "joe@y", "j@z"]),
            ("one: a@x; , b@y, two: c@z;", &["a@x", "b@y", "c@z"]),
            ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &["pete@silly.test"]),
            ("a@x (Ada (the (first)))", &["a@x"]),
            ("\"a, b\"@x", &["\"a, b\"@x"]),
            ("Mary <@machine.tld,@other:mary@example.net>", &["mary@example.net"]),
            ("john . doe @ example . org", &["john.doe@example.org"]),
            ("=?utf-8?q?J=C3=BCrgen?= <j@x>", &["j@x"]),
            ("a@[127.0.0.1], b@[IPv6:::1]", &["a@[127.0.0.1]", "b@[IPv6:::1]"]),
            ("Ädä <ädä@x>", &["ädä@x"]),
            ("<a@x>", &["a@x"]),
            ("\"\" <a@x>", &["a@x"]),
        ];
        for (text, want) in cases {
            assert_eq!(addresses(text), *want, "{text:?}");
        }
        assert_eq!(
            parse("undisclosed-recipients:;").unwrap().groups,
            [Some("undisclosed-recipients".to_owned())]
        );
    }

    #[test]
    fn names_are_unquoted_and_decoded() {
        for (text, want) in [
            ("Ada Lovelace <a@x>", "Ada Lovelace"),
            ("\"Lovelace, \\\"Ada\\\"\" <a@x>", "Lovelace, \"Ada\""),
            ("J. R. Smith <a@x>", "J. R. Smith"),
            ("Ada (Sales) <a@x>", "Ada (Sales)"),
            ("a@x (Ada)", "Ada"),
            ("=?utf-8?b?SsO8cmdlbg==?= =?utf-8?q?_M?= <a@x>", "Jürgen M"),
            ("Жанна <a@x>", "Жанна"),
        ] {
            assert_eq!(parse(text).unwrap().entries[0].name.as_deref(), Some(want), "{text:?}");
        }
        assert_eq!(parse("\"\" <a@x>").unwrap().entries[0].name, None);
    }

    #[test]
    fn what_is_not_a_list_is_refused() {
        for text in ["\"a", "(a", "a <b", "a <b@x", "<a@x> b", "a@x b@y", "a>", "<a;b>", "[a", "a\\"] {
            let list = parse(text);
            let bad = list.is_err()
                || list
                    .unwrap()
                    .entries
                    .iter()
                    .any(|e| crate::address::addr_spec::Address::parse(&e.address).is_err());
            assert!(bad, "{text:?}");
        }
    }
}
