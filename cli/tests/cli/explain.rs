//! `mailbearer explain`.

use crate::run::{bare, run};

#[test]
fn words_are_explained_from_arguments_and_from_standard_input() {
    let home = tempfile::tempdir().unwrap();
    let said =
        |words: &[&str], input: &str| run(&mut bare(home.path(), &[&["explain"], words].concat()), input);
    let reply =
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.";
    for ran in [said(&[reply], ""), said(&reply.split(' ').collect::<Vec<_>>(), ""), said(&[], reply)] {
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(
            ran.stdout.starts_with(
                "535 5.7.139: SMTP AUTH is switched off for the whole organisation (smtp_auth_disabled)\n  "
            ) && ran.stdout.contains("Set-TransportConfig"),
            "{ran:?}"
        );
    }
    let ran = said(&["hello"], "");
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{ran:?}");
    assert!(ran.stderr.contains("nothing in this text is known"), "{ran:?}");
}

#[test]
fn a_token_is_taken_from_standard_input_alone_and_never_printed() {
    let home = tempfile::tempdir().unwrap();
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL3N0cy53aW5kb3dzLm5ldC90LyIsImF1ZCI6Imh0dHBzOi8vZ3JhcGgubWljcm9zb2Z0LmNvbSIsInNjcCI6Ik1haWwuU2VuZCIsImV4cCI6NDAwMDAwMDAwMH0.c2lnbmF0dXJl";
    let ran = run(&mut bare(home.path(), &["explain", token]), "");
    assert_eq!(ran.code, 64, "{ran:?}");
    let read = run(&mut bare(home.path(), &["explain"]), token);
    assert_eq!((read.code, read.stdout.contains("Microsoft Graph")), (0, true), "{read:?}");
    for text in [&ran.stdout, &ran.stderr, &read.stdout, &read.stderr] {
        assert!(!text.contains("eyJ") && !text.contains("c2lnbmF0dXJl"), "{text}");
    }
}
