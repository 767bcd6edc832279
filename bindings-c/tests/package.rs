//! What `install.sh` lays down is what other programs need: names, symbols, flags, and it may be moved.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Program, emulator, has, here, install, prefix, succeeded};
use mailbearer_emulator::{DEFAULT_USERNAME, Decision};

#[test]
fn the_shared_library_has_its_name_and_stays_loaded() {
    let lib = prefix().join("lib");
    let version = env!("CARGO_PKG_VERSION");
    let (abi, _) = version.rsplit_once('.').unwrap();
    for link in [format!("libmailbearer.so.{abi}"), "libmailbearer.so".to_owned()] {
        assert_eq!(fs::read_link(lib.join(link)).unwrap(), Path::new(&format!("libmailbearer.so.{version}")));
    }
    let dynamic = said("readelf", &["-d", &lib.join("libmailbearer.so").display().to_string()]);
    assert!(dynamic.contains(&format!("soname: [libmailbearer.so.{abi}]")), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn nothing_is_exported_but_the_header() {
    let symbols =
        said("nm", &["-D", "--defined-only", &prefix().join("lib/libmailbearer.so").display().to_string()]);
    let header = fs::read_to_string(prefix().join("include/mailbearer.h")).unwrap();
    let mut count = 0;
    for symbol in symbols.lines().filter_map(|line| line.split_whitespace().last()) {
        assert!(symbol.starts_with("mailbearer_"), "{symbol}");
        assert!(header.contains(&format!("{symbol}(")), "{symbol} is not in the header");
        count += 1;
    }
    assert!(count > 70, "{count}");
}

#[test]
fn the_header_serves_c_and_cxx() {
    let include = format!("-I{}", prefix().join("include").display());
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("uses.c");
    fs::write(
        &source,
        "#include <mailbearer.h>\n#include <mailbearer.h>\n\
         int main(void) { return mailbearer_version() == 0; }\n",
    )
    .unwrap();
    let strict = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x"];
    for (compiler, language, standard) in [
        ("cc", "c", "-std=c99"),
        ("cc", "c", "-std=c11"),
        ("c++", "c++", "-std=c++11"),
        ("c++", "c++", "-std=c++20"),
    ] {
        if has(compiler) {
            let output = Command::new(compiler)
                .args(strict)
                .args([language, standard, &include])
                .arg(&source)
                .output()
                .unwrap();
            succeeded(&output);
        }
    }
}

#[test]
fn the_installed_tree_may_be_moved_and_linked_statically() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    install(&first, "lib/somewhere");
    fs::rename(&first, &second).unwrap();
    let pc = second.join("lib/somewhere/pkgconfig");
    let flags = |arguments: &[&str]| {
        let output = Command::new("pkg-config")
            .args(arguments)
            .arg("mailbearer")
            .env("PKG_CONFIG_PATH", &pc)
            .output()
            .unwrap();
        succeeded(&output);
        String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(flags(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    // Without the shared library -lmailbearer can only be the static one.
    for file in fs::read_dir(second.join("lib/somewhere")).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().to_string_lossy().contains(".so") {
            fs::remove_file(file).unwrap();
        }
    }
    // Against the system's shared libraries, and without any.
    for (name, how) in [("send", &[][..]), ("send-alone", &["-static"])] {
        let program = folder.path().join(name);
        let output = Command::new("cc")
            .args(how)
            .arg("-o")
            .arg(&program)
            .arg(here().join("examples/send.c"))
            .args(flags(&["--cflags", "--libs", "--static"]))
            .output()
            .unwrap();
        succeeded(&output);
        let linked = said("readelf", &["-d", &program.display().to_string()]);
        assert_eq!(linked.contains("NEEDED"), how.is_empty(), "{linked}");
        let emulator = emulator();
        let output = Command::new(&program)
            .arg("ada@example.com")
            .envs(emulator.environ("client_credentials", DEFAULT_USERNAME).unwrap())
            .output()
            .unwrap();
        succeeded(&output);
        assert_eq!(emulator.messages().len(), 1);
    }
}

#[test]
fn cmake_finds_both_libraries() {
    let config = prefix().join("lib/cmake/mailbearer");
    for name in ["mailbearerConfig.cmake", "mailbearerConfigVersion.cmake"] {
        let text = fs::read_to_string(config.join(name)).unwrap();
        assert!(!text.contains('@'), "{name} is filled in: {text}");
    }
    if !has("cmake") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let list = format!(
        "cmake_minimum_required(VERSION 3.10)\nproject(uses C)\n\
         find_package(mailbearer {} REQUIRED)\n\
         add_executable(shared {source})\ntarget_link_libraries(shared mailbearer::shared)\n\
         add_executable(static {source})\ntarget_link_libraries(static mailbearer::static)\n\
         add_executable(plain {source})\ntarget_link_libraries(plain mailbearer::mailbearer)\n",
        env!("CARGO_PKG_VERSION"),
        source = here().join("examples/tokens.c").display(),
    );
    fs::write(folder.path().join("CMakeLists.txt"), list).unwrap();
    let emulator = emulator();
    for (choice, alone) in [("OFF", false), ("ON", true)] {
        let build = folder.path().join(choice);
        let static_only = format!("-DMAILBEARER_USE_STATIC={choice}");
        for arguments in [
            vec![
                "-S".into(),
                folder.path().into(),
                "-B".into(),
                build.clone(),
                prefix_option(),
                static_only.into(),
            ],
            vec!["--build".into(), build.clone()],
        ] {
            succeeded(&Command::new("cmake").args(arguments).output().unwrap());
        }
        let linked = said("readelf", &["-d", &build.join("plain").display().to_string()]);
        assert_eq!(!linked.contains("libmailbearer"), alone, "{linked}");
        for program in ["shared", "static", "plain"] {
            let output = Command::new(build.join(program))
                .envs(emulator.environ("client_credentials", DEFAULT_USERNAME).unwrap())
                .output()
                .unwrap();
            succeeded(&output);
        }
    }
}

#[test]
fn the_examples_run() {
    let emulator = emulator();
    let with = |source| Program::new(source).with(&emulator, "client_credentials");
    assert!(with("examples/send.c").run(&["ada@example.com"]).starts_with("sent <"));
    assert_eq!(emulator.messages().len(), 1);
    let bulk = with("examples/bulk.c");
    let mut running = bulk.start(&[]);
    running.say("bob@example.com\ncarl@example.com");
    assert_eq!(running.end(), "2 sent, 0 failed, 0 uncertain\n");
    let wire = with("examples/tokens.c").run(&[]);
    assert!(wire.starts_with("dXNlcj1ub3JlcGx5QGNvbnRvc28uY29t"), "{wire}");
    let login = Program::new("examples/login.c").with(&emulator, "device_code");
    let mut running = login.start(&[]);
    let message = running.line();
    let code = message
        .split_whitespace()
        .find(|word| emulator.approve(word, DEFAULT_USERNAME, Decision::Approve).is_ok());
    assert!(code.is_some(), "{message}");
    assert_eq!(running.end(), format!("signed in as {DEFAULT_USERNAME}\n"));
}

#[test]
fn nothing_leaks() {
    if !has("valgrind") {
        return;
    }
    let emulator = emulator();
    let suppressions = format!("--suppressions={}", here().join("tests/valgrind.supp").display());
    let valgrind = [
        "valgrind",
        &suppressions,
        "--quiet",
        "--leak-check=full",
        // The cipher's assembly fills buffers in ways that memcheck cannot follow.
        "--undef-value-errors=no",
        // What the library keeps for the process (its threads, its tables) stays reachable.
        "--show-leak-kinds=definite",
        "--errors-for-leak-kinds=definite",
        "--error-exitcode=99",
    ];
    let with = |source| Program::new(source).with(&emulator, "client_credentials");
    with("examples/send.c").run_under(&valgrind, &["ada@example.com"]);
    with("tests/c/arguments.c").run_under(&valgrind, &[]);
    assert_eq!(emulator.messages().len(), 1);
}

fn prefix_option() -> std::path::PathBuf {
    format!("-DCMAKE_PREFIX_PATH={}", prefix().display()).into()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    succeeded(&output);
    String::from_utf8(output.stdout).unwrap()
}
