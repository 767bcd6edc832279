//! `include/mailbearer.h` is what cbindgen makes of the sources, and of this version.
//!
//! `MAILBEARER_WRITE_HEADER=1 cargo test -p mailbearer-c --test header` rewrites it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

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
    "tokens", "report", "error", "string",
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
