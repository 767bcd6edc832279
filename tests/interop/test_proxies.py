"""Through proxies: tinyproxy and microsocks to Postfix, and one of our own to the sign-in service, which stands
on loopback, where no proxy is asked."""

from __future__ import annotations

import base64
import http.server
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Certificates
from conftest import Options, skip
from faces import Face
from proxies import PASSWORD, USER, Proxy
from servers import Postfix, missing

HELLO = {"to": ["ada@example.test"], "subject": "Hello", "text": "Hi\n"}
NAME = "login.mailbearer.test"


@pytest.fixture(scope="module", params=["http", "socks5", "socks5h"])
def proxy(request: pytest.FixtureRequest, folder: Path) -> Iterator[Proxy]:
    why = missing("tinyproxy", "microsocks")
    if why:
        skip(why)
    made = Proxy(request.param, folder / "proxy")
    yield made
    made.close()


def test_mail_goes_through(face: Face, postfix: Postfix, options: Options, proxy: Proxy) -> None:
    given = options(postfix, smtp={"proxy": proxy.url()})
    answer = face.call({"op": "send", "options": given, "message": HELLO})
    assert answer["ok"]["accepted"] == ["ada@example.test"], answer
    postfix.mailbox.wait_for(answer["ok"]["message_id"])


def test_a_wrong_password_and_a_closed_port(face: Face, postfix: Postfix, options: Options, proxy: Proxy) -> None:
    given = options(postfix, smtp={"proxy": proxy.url(password="hunter2")})
    error = face.call({"op": "send", "options": given, "message": HELLO})["error"]
    assert (error["code"], error["retryable"], error["delivery"]) == ("connect_failed", False, "none"), error
    assert "refuses the user or password" in error["message"] and str(proxy.port) in error["message"], error
    assert error["hint"] and "hunter2" not in str(error)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    given = options(postfix, smtp={"proxy": proxy.url(), "port": port}, retry={"attempts": 1})
    error = face.call({"op": "send", "options": given, "message": HELLO})["error"]
    assert (error["code"], error["retryable"]) == ("connect_failed", True), error


class Connecting(threading.Thread):
    """A CONNECT proxy that leads every name to one port, and remembers which were asked for."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.behind = port
        self.asked: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            octets = client.recv(4096)
            if not octets:
                return client.close()
            head += octets
        self.asked.append(head.split()[1].decode())
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode())
        if b"Basic " + wanted not in head:
            client.sendall(b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
            return client.close()
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        server = socket.create_connection(("127.0.0.1", self.behind))
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=pump, args=(one, other), daemon=True).start()

    def close(self) -> None:
        self.listener.close()


def pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while octets := one.recv(65536):
            other.sendall(octets)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        other.close()


@pytest.fixture(scope="module")
def sign_in(emulator: Any, folder: Path) -> Iterator[tuple[Connecting, Path]]:
    """The emulator's token endpoint under a name that only the proxy knows, over TLS."""
    place = folder / "login"
    place.mkdir()
    certificates = Certificates(place, NAME)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {"Content-Type": self.headers["Content-Type"]}
            asked = urllib.request.Request(emulator.url + self.path, body, headers)
            with urllib.request.urlopen(asked, timeout=10) as answer:
                octets = answer.read()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = Connecting(server.server_address[1])
    yield proxy, certificates.ca
    proxy.close()
    server.shutdown()


def test_the_sign_in_service_is_asked_through_the_proxy(
    face: Face, postfix: Postfix, options: Options, sign_in: tuple[Connecting, Path]
) -> None:
    proxy, ca = sign_in
    given = options(postfix)
    roots = Path(given["tls"]["roots"])
    roots.write_text(roots.read_text() + ca.read_text())
    path = "/contoso.com/oauth2/v2.0/token"
    given["auth"] = {**given["auth"], "token_endpoint": f"https://{NAME}{path}"}
    given["http"] = {"proxy": f"http://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}"}
    proxy.asked.clear()
    answer = face.call({"op": "send", "options": given, "message": HELLO})
    assert answer["ok"]["accepted"] == ["ada@example.test"], answer
    assert proxy.asked == [f"{NAME}:443"]
    given["http"] = {"proxy": f"http://{USER}:hunter2@127.0.0.1:{proxy.port}"}
    given["retry"] = {"attempts": 1}
    error = face.call({"op": "send", "options": given, "message": HELLO})["error"]
    assert error["code"] == "token_endpoint_unavailable" and "http.proxy" in error["hint"].replace("Proxy", ".proxy"), error
    assert "proxy" in error["message"] and "hunter2" not in str(error), error
