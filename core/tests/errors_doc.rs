//! `docs/errors.md` is generated from the table of codes; `MAILBEARER_WRITE_DOCS=1` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write;
use std::path::Path;

use mailbearer::CODES;

#[test]
fn the_page_of_errors_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = page();
    if std::env::var_os("MAILBEARER_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/errors.md is not up to date: run `make docs`");
}

fn page() -> String {
    let mut out = String::from(
        "<!-- Generated from core/src/error.rs by `make docs`. -->\n\n# Errors\n\n\
         Every error has a stable `code` and `number`, a `message`, mostly a `hint`, and says whether the same call may be\n\
         repeated (`retryable`) and whether the message may have gone out all the same (`delivery`). Codes and numbers\n\
         never change and are never reused. An error may bring a more exact hint than the one here.\n",
    );
    for row in CODES {
        let retry = if row.retryable { "yes" } else { "no" };
        write!(out, "\n## {}\n\n{} · number {} · retryable: {retry}\n", row.name, row.meaning, row.number)
            .unwrap();
        if !row.hint.is_empty() {
            write!(out, "\n{}\n", row.hint).unwrap();
        }
    }
    out
}
