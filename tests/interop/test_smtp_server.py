"""Every face against nodemailer's `smtp-server`: AUTH in two steps, and its error challenge."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Certificates
from conftest import Options
from faces import Face
from messages import RAW
from servers import BUILD

SERVER = Path(__file__).resolve().parent / "peers" / "smtp_server.cjs"
HELLO = {"to": ["ada@example.test"], "subject": "Hello", "text": "Hi\n"}


class SmtpServer:
    """One running server."""

    def __init__(self, certificates: Certificates, options: dict[str, Any]) -> None:
        self.certificates = certificates
        given = {"certificate": str(certificates.certificate), "key": str(certificates.key), **options}
        self.process = subprocess.Popen(
            ["node", SERVER, json.dumps(given)],
            cwd=BUILD,
            env={**os.environ, "NODE_PATH": str(BUILD / "node_modules")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = self.tls_port = json.loads(self.process.stdout.readline())["port"]
        self._seen: dict[str, Any] | None = None

    def seen(self) -> dict[str, Any]:
        """Ends the server; what it saw."""
        if self._seen is None:
            self._seen = json.loads(self.process.communicate(timeout=20)[0])
        return self._seen


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., SmtpServer]]:
    started: list[SmtpServer] = []
    certificates = Certificates(tmp_path)

    def start(**options: Any) -> SmtpServer:
        started.append(SmtpServer(certificates, options))
        return started[-1]

    yield start
    for server in started:
        server.seen()


def lines(seen: dict[str, Any], word: str) -> list[str]:
    return [line for line in seen["lines"] if line.startswith(word)]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("initial_response", ["never", "always", "auto"])
def test_signing_in(
    face: Face, serve: Callable[..., SmtpServer], options: Options, security: str, initial_response: str
) -> None:
    server = serve(secure=security == "tls")
    given = options(server, smtp={"security": security, "initial_response": initial_response})
    answer = face.call({"op": "send", "options": given, "message": HELLO})
    assert answer["ok"]["accepted"] == ["ada@example.test"], answer
    face.call({"op": "close"})
    seen = server.seen()
    (signed_in,) = seen["signIns"]
    assert (signed_in["method"], signed_in["username"]) == ("XOAUTH2", "noreply@contoso.com")
    # A prompt stands there only if the token did not come along.
    assert bool(lines(seen, "S: 334")) == (initial_response == "never"), seen["lines"]
    assert seen["messages"][0]["mailFrom"] == "noreply@contoso.com"


def test_bodies_arrive_as_they_were(face: Face, serve: Callable[..., SmtpServer], options: Options) -> None:
    server = serve()
    request: dict[str, Any] = {"options": options(server, smtp={"pipelining": "chain"})}
    envelope = {"mail_from": "noreply@contoso.com", "rcpt_to": ["ada@example.test"]}
    for name, (sent, _) in RAW.items():
        answer = face.call({"op": "send_raw", "raw": base64.b64encode(sent).decode(), "envelope": envelope, **request})
        assert "ok" in answer, (name, answer)
        request = {}
    face.call({"op": "close"})
    arrived = [base64.b64decode(message["body"]) for message in server.seen()["messages"]]
    for (name, (_, expected)), body in zip(RAW.items(), arrived, strict=True):
        assert body == expected, name


def test_chained_messages_have_their_own_envelopes(
    face: Face, serve: Callable[..., SmtpServer], options: Options
) -> None:
    server = serve()
    messages = [{**HELLO, "from": f"sender{n}@contoso.com", "to": [f"to{n}@example.test"]} for n in range(40)]
    given = options(server, smtp={"pipelining": "chain"}, limits={"max_connections": 1})
    answer = face.call({"op": "send_many", "options": given, "messages": messages})
    assert [r["outcome"] for r in answer["ok"]["results"]] == ["sent"] * 40, answer
    face.call({"op": "close"})
    seen = {(m["mailFrom"], *m["rcptTo"]) for m in server.seen()["messages"]}
    assert seen == {(f"sender{n}@contoso.com", f"to{n}@example.test") for n in range(40)}


def test_an_error_challenge_is_answered_and_a_fresh_token_tried_on_the_same_connection(
    face: Face, serve: Callable[..., SmtpServer], options: Options, tmp_path: Path
) -> None:
    server = serve(refuse=1)
    store = tmp_path / "tokens.json"
    given = options(server, "refresh_token", store={"kind": "file", "path": str(store)})
    first = face.call({"op": "token", "options": given})["ok"]["secret"]
    grow_old(store, 120_000)
    answer = face.call({"op": "send", "options": given, "message": HELLO})
    assert answer["ok"]["attempts"] == 1, answer
    face.call({"op": "close"})
    seen = server.seen()
    tokens = [signed_in["token"] for signed_in in seen["signIns"]]
    assert len(tokens) == 2 and tokens[0] == first and tokens[1] != first
    # The challenge, our empty line, the refusal, and the next AUTH, without a new EHLO between them.
    conversation = [line for line in seen["lines"] if line.startswith(("S: 334 ey", "S: 535", "C: EHLO", "S: 235"))]
    assert [line[:6] for line in conversation[-3:]] == ["S: 334", "S: 535", "S: 235"], seen["lines"]


def test_refused_for_good(face: Face, serve: Callable[..., SmtpServer], options: Options, tmp_path: Path) -> None:
    server = serve(refuse=99)
    store = tmp_path / "tokens.json"
    given = options(server, "refresh_token", store={"kind": "file", "path": str(store)})
    face.call({"op": "token", "options": given})
    grow_old(store, 120_000)
    error = face.call({"op": "send", "options": given, "message": HELLO})["error"]
    assert (error["code"], error["retryable"], error["smtp"]["code"]) == ("auth_rejected", False, 535), error
    assert "401" in error["message"]
    face.call({"op": "close"})
    assert len(server.seen()["signIns"]) == 2, "one more try, and no third"


def test_a_server_without_tokens(face: Face, serve: Callable[..., SmtpServer], options: Options) -> None:
    server = serve(authMethods=["PLAIN", "LOGIN"])
    error = face.call({"op": "send", "options": options(server), "message": HELLO})["error"]
    assert error["code"] == "capability_missing" and "PLAIN LOGIN" in error["message"], error
    assert server.seen()["signIns"] == []


def grow_old(store: Path, milliseconds: int) -> None:
    """A token younger than a minute is not worth another: this one was acquired earlier."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: v - milliseconds if k == "acquired_at" else walk(v) for k, v in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    before = json.loads(store.read_text())
    after = walk(before)
    assert after != before
    store.write_text(json.dumps(after))
