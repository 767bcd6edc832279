//! STARTTLS and implicit TLS with a real handshake, and certificates that must not be taken.

use std::io::Write;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::server::Do::{Read, Tls};
use super::*;

/// A self-signed certificate: the server's side, and the roots that trust it.
struct Certificate {
    server: Arc<ServerConfig>,
    pem: tempfile::NamedTempFile,
}

fn certificate(name: &str, last_year: i32) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let mut pem = tempfile::NamedTempFile::new().unwrap();
    pem.write_all(certificate.pem().as_bytes()).unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], der)
        .unwrap();
    Certificate { server: Arc::new(server), pem }
}

fn secured(server: &Server, certificate: &Certificate, security: Security) -> Route<Tokens> {
    let mut route = route(server.address);
    Arc::make_mut(&mut route.settings).security = security;
    route.roots = Roots::File(certificate.pem.path().to_owned());
    route
}

fn upgrade(certificate: &Certificate) -> Vec<Do> {
    vec![
        Say("220 mx.test\r\n"),
        Hear("EHLO"),
        // What it offers in the clear counts for nothing.
        Say("250-mx.test\r\n250-STARTTLS\r\n250 AUTH LOGIN\r\n"),
        Hear("STARTTLS"),
        Say("220 go\r\n"),
        Tls(certificate.server.clone()),
    ]
}

fn hello_again() -> Vec<Do> {
    hello().into_iter().skip(1).collect()
}

#[tokio::test]
async fn starttls_and_implicit_tls_carry_messages() {
    let certificate = certificate("127.0.0.1", 2100);
    let auth = [Hear("AUTH XOAUTH2 "), Say("235 ok\r\n")];
    let rest = || with(with(with(hello_again(), auth.clone()), one_message()), with(one_message(), [Eof]));
    let implicit = with(vec![Tls(certificate.server.clone()), Say("220 mx.test\r\n")], rest());
    for (script, security) in
        [(with(upgrade(&certificate), rest()), Security::Starttls), (implicit, Security::Tls)]
    {
        let server = Server::start([script]).await;
        let route = secured(&server, &certificate, security);
        send(&route, transaction(b"x\r\n")).await.unwrap();
        send(&route, transaction(b"y\r\n")).await.unwrap();
        close_idle(&route).await;
        assert!(server.seen().await[0].contains("y\r\n.\r\nQUIT\r\n"));
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let good = certificate("127.0.0.1", 2100);
    let table = [
        (certificate("127.0.0.1", 2021), None, "has expired"),
        (certificate("mx.elsewhere.test", 2100), None, "another name"),
        (certificate("127.0.0.1", 2100), Some(&good), "not"),
    ];
    for (bad, trusted, words) in &table {
        let server = Server::start([upgrade(bad)]).await;
        let route = secured(&server, trusted.unwrap_or(bad), Security::Starttls);
        let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
        assert_eq!(judged(&error), (ErrorCode::CertificateInvalid, Delivery::None, false), "{error}");
        assert!(error.message().contains(words), "{error}");
        let seen = server.seen().await.remove(0);
        assert!(!seen.contains("AUTH") && !seen.contains("MAIL"));
    }
}

#[tokio::test]
async fn a_probe_over_starttls_names_its_links_in_order() {
    let certificate = certificate("127.0.0.1", 2100);
    let script = with(upgrade(&certificate), hello_again());
    let script = with(
        script,
        [Hear("AUTH"), Say("535 5.7.139 x, SmtpClientAuthentication is disabled for the Tenant.\r\n"), Eof],
    );
    let server = Server::start([script]).await;
    let route = secured(&server, &certificate, Security::Starttls);
    let links = probe(&route, "me@x", soon(), &Cancel::default()).await;
    let names: Vec<_> = links.iter().map(|link| link.name).collect();
    assert_eq!(names, ["dns", "tcp", "greeting", "tls", "ehlo", "auth"]);
    let secured = links[3].seen.as_ref().unwrap();
    let whose = ["TLSv1.3, certificate of", "good until 2100-01-01"];
    assert!(whose.iter().all(|part| secured.seen.contains(part)), "{secured:?}");
    assert_eq!(links[5].seen.as_ref().unwrap_err().code(), ErrorCode::SmtpAuthDisabled);
    server.seen().await;
}

#[tokio::test]
async fn what_the_server_said_before_it_closed_is_read_in_tls_too() {
    let certificate = certificate("127.0.0.1", 2100);
    let begun = || {
        with(with(upgrade(&certificate), hello_again()), [Hear("AUTH"), Say("235 ok\r\n"), Group("DATA\r\n")])
    };
    let go = Say("250 ok\r\n250 ok\r\n354 go\r\n");
    let early = with(begun(), [go.clone(), Read(50_000), Say("552 5.3.4 message too big\r\n"), Close]);
    let server = Server::start([early]).await;
    let route = secured(&server, &certificate, Security::Starttls);
    let body = b"a line of text\r\n".repeat(600_000);
    let error = send(&route, transaction(&body)).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::MessageTooLarge, Delivery::None, false), "{error}");

    let dropped = with(begun(), [go, Body, Close]);
    let server = Server::start([dropped]).await;
    let route = secured(&server, &certificate, Security::Starttls);
    let error = send(&route, transaction(b"x\r\n")).await.unwrap_err();
    assert_eq!(judged(&error), (ErrorCode::DeliveryUncertain, Delivery::Uncertain, false));
}
