//! `include/mailbearer.h` is what cbindgen makes of the sources, and of this version.
//!
//! `MAILBEARER_WRITE_HEADER=1 cargo test -p mailbearer-c --test header` rewrites it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_committed_header_is_the_generated_one() {
    let path = here().join("../include/mailbearer.h");
    let made = generate();
    if std::env::var_os("MAILBEARER_WRITE_HEADER").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let first = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(made == committed, "run `make header`: include/mailbearer.h differs, first at {first:?}");
}

#[test]
fn every_function_says_its_name_its_threads_and_who_frees_what_it_gives() {
    let header = generate();
    let mut count = 0;
    let mut rest = header.as_str();
    while let Some((_, after)) = rest.split_once("/**\n") {
        let (comment, after) = after.split_once("*/\n").unwrap();
        rest = after;
        let declared = after.split([';', '{']).next().unwrap();
        if declared.starts_with("typedef") || declared.starts_with("#define") {
            continue;
        }
        let name = declared.split('(').next().unwrap().rsplit([' ', '*']).next().unwrap();
        count += 1;
        assert!(comment.starts_with(&format!(" * {name}() ")), "{name}: {comment}");
        assert!(comment.contains("Threads: "), "{name}: {comment}");
        let gives = declared.matches("**").count() > usize::from(declared.contains("**err"));
        let returns = declared.lines().next().unwrap().split(name).next().unwrap().contains('*');
        if gives || returns {
            assert!(comment.contains("Owner: "), "{name}: {comment}");
            let freed = ["_free()", "borrowed from", "nobody frees it"];
            assert!(freed.iter().any(|word| comment.contains(word)), "{name}: {comment}");
        }
        if declared.contains("**err") {
            assert!(comment.contains("Errors: "), "{name}: {comment}");
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn no_file_uses_one_that_uses_it_back() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let mut found = BTreeSet::new();
        for part in code.split("crate::").skip(1) {
            let names = part.strip_prefix('{').map_or(part, |list| list.split('}').next().unwrap());
            let names =
                if names.len() == part.len() { names.split([':', ';']).next().unwrap() } else { names };
            found.extend(names.split(',').map(|one| one.split(':').next().unwrap().trim().to_owned()));
        }
        uses.insert(name, found);
    }
    // Takes away what uses nothing that is left; a circle stays.
    while let Some(free) = uses
        .iter()
        .find(|(_, used)| used.iter().all(|one| !uses.contains_key(one)))
        .map(|(name, _)| name.clone())
    {
        uses.remove(&free);
    }
    assert!(uses.is_empty(), "these use each other in a circle: {uses:#?}");
}

#[test]
fn no_source_but_ffi_is_dangerous() {
    for path in sources() {
        let dangerous = path.file_name().unwrap() == "ffi.rs";
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap().replace("#[unsafe(no_mangle)]", "");
            assert!(dangerous || !code.contains("unsafe"), "{}:{}: {line}", path.display(), at + 1);
            assert!(!code.contains("extern \"C\" fn mailbearer") || !dangerous, "{line}");
        }
    }
}

/// One file per object, in the order in which a reader meets them.
const ORDER: &[&str] = &[
    "status", "config", "event", "call", "message", "mailer", "receipt", "result", "login", "account",
    "tokens", "report", "outbox", "explain", "error", "string",
];

fn generate() -> String {
    let mut config = cbindgen::Config::from_file(here().join("cbindgen.toml")).unwrap();
    config.after_includes = Some(version_macros());
    let builder = ORDER.iter().fold(cbindgen::Builder::new().with_config(config), |builder, name| {
        builder.with_src(here().join(format!("src/{name}.rs")))
    });
    let mut out = Vec::new();
    builder.generate().unwrap().write(&mut out);
    String::from_utf8(out).unwrap()
}

fn version_macros() -> String {
    let number = |text: &str| text.parse::<u32>().unwrap();
    let (major, minor, patch) = (
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    );
    format!(
        "\n/** The version that was compiled against; mailbearer_version() tells the one that runs. */\n\
         #define MAILBEARER_VERSION \"{version}\"\n\
         #define MAILBEARER_VERSION_MAJOR {major}\n\
         #define MAILBEARER_VERSION_MINOR {minor}\n\
         #define MAILBEARER_VERSION_PATCH {patch}\n\
         /** Grows with every version: 10000 * major + 100 * minor + patch. */\n\
         #define MAILBEARER_VERSION_NUMBER {}\n",
        major * 10_000 + minor * 100 + patch,
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn sources() -> Vec<PathBuf> {
    let files = fs::read_dir(here().join("src")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    // Each file that exports something is in the header.
    for file in &files {
        let exports = fs::read_to_string(file).unwrap().contains("#[unsafe(no_mangle)]\npub extern");
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert_eq!(exports || name == "event", ORDER.contains(&name), "{name}");
    }
    files
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
