//! `docs/errors.md`, `docs/events.md` and the words that Python's type checkers know are generated from core's tables;
//! `MAILBEARER_WRITE_DOCS=1` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write;
use std::path::Path;

use mailbearer::{CODES, EVENTS, KnownText, known_texts, provider};

#[test]
fn the_page_of_errors_is_the_table() {
    is_up_to_date("docs/errors.md", &errors());
}

#[test]
fn the_page_of_events_is_the_table() {
    is_up_to_date("docs/events.md", &events());
}

#[test]
fn pythons_words_are_the_tables() {
    is_up_to_date("bindings-python/python/mailbearer/words.py", &python_words());
}

fn is_up_to_date(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::env::var_os("MAILBEARER_WRITE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "{name} is not up to date: run `make docs`");
}

fn errors() -> String {
    let mut out = String::from(
        "<!-- Generated from core's own tables by `make docs`. -->\n\n# Errors\n\n\
         Every error has a stable `code` and `number`, a `message`, mostly a `hint`, and says whether the same call may be\n\
         repeated (`retryable`) and whether the message may have gone out all the same (`delivery`). Codes and numbers\n\
         never change and are never reused. An error may bring a more exact hint than the one here.\n\n\
         Below each code stand the words of mail servers and sign-in services that become it. `mailbearer explain` says the\n\
         same of any text: `mailbearer explain \"535 5.7.139 Authentication unsuccessful\"`.\n",
    );
    let texts = known_texts();
    for row in CODES {
        let retry = if row.retryable { "yes" } else { "no" };
        let delivery = match row.name {
            "delivery_uncertain" => "uncertain",
            "cancelled" => "none, or uncertain after the message was handed over",
            _ => "none",
        };
        let (name, meaning, number) = (row.name, row.meaning, row.number);
        write!(
            out,
            "\n## {name}\n\n{meaning} · number {number} · retryable: {retry} · delivery: {delivery}\n"
        )
        .unwrap();
        if !row.hint.is_empty() {
            write!(out, "\n{}\n", plain(row.hint)).unwrap();
        }
        let mut marks: Vec<&str> = Vec::new();
        for text in texts.iter().filter(|text| text.code == row.code) {
            if !marks.contains(&text.mark.as_str()) {
                marks.push(&text.mark);
            }
        }
        for mark in marks {
            write!(out, "\n### {mark}\n").unwrap();
            for text in texts.iter().filter(|text| text.code == row.code && text.mark == mark) {
                told(&mut out, text, row.hint);
            }
        }
    }
    out
}

fn told(out: &mut String, known: &KnownText, usual: &str) {
    if !known.text.is_empty() {
        write!(out, "\n```text\n{}\n```\n", known.text).unwrap();
    }
    let mut cause = known.cause.clone();
    cause[..1].make_ascii_uppercase();
    write!(out, "\n{}.", plain(&cause)).unwrap();
    if !known.cure.is_empty() && known.cure != usual {
        write!(out, " {}", plain(&known.cure)).unwrap();
    }
    out.push('\n');
}

/// Text that Markdown leaves alone.
fn plain(text: &str) -> String {
    text.replace('<', "\\<")
}

fn events() -> String {
    let mut out = String::from(
        "<!-- Generated from core/src/event.rs by `make docs`. -->\n\n# Events\n\n\
         What happens is told to whoever listens, per mailer and never to a global logger: Python\'s `on_event` and\n\
         `logging.getLogger(\"mailbearer\")`, Node\'s `mailer.on(name, …)` and the `logger` option, C\'s event callback. No\n\
         field ever holds a token, a secret, a code or an AUTH line. Durations are seconds; a field that does not apply is\n\
         null or absent. Node writes field names in camelCase.\n\n\
         | event | when | fields |\n|---|---|---|\n",
    );
    for kind in EVENTS {
        let fields: Vec<_> = kind.fields.iter().map(|field| format!("`{field}`")).collect();
        writeln!(out, "| `{}` | {} | {} |", kind.name, kind.meaning, fields.join(" ")).unwrap();
    }
    out
}

fn python_words() -> String {
    let mut out = String::from(
        "# Generated from core's tables by `make docs`.\n\
         \"\"\"The words that a code, an event's name and a provider may be.\"\"\"\n\n\
         from typing import Literal\n",
    );
    let codes: Vec<_> = CODES.iter().map(|row| row.name).collect();
    let events: Vec<_> = EVENTS.iter().map(|kind| kind.name).collect();
    let providers: Vec<_> = provider::names();
    for (name, meaning, words) in [
        ("ErrorCode", "What stands in `Error.code`.", codes),
        ("EventName", "What stands in `Event.name`.", events),
        ("Provider", "Whose mail service it is.", providers),
    ] {
        write!(out, "\n#: {meaning}\n{name} = Literal[\n").unwrap();
        for word in words {
            writeln!(out, "    \"{word}\",").unwrap();
        }
        out.push_str("]\n");
    }
    out
}
