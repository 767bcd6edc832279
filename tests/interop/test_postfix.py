"""Every face through Postfix, with Dovecot judging the emulator's tokens by its published keys."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

from conftest import Options
from faces import Face
from messages import BLOBS, BUILT, MODES, RAW, REFUSED
from servers import Postfix

HELLO = {"to": ["ada@example.test"], "subject": "Hello", "text": "Hi\n"}


def parsed(octets: bytes) -> EmailMessage:
    found = message_from_bytes(octets, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def display_name(octets: bytes) -> str:
    """By the older parser: the newer one puts blanks between encoded words of a phrase (RFC 2047 §6.2)."""
    name, _ = parseaddr(message_from_bytes(octets, policy=policy.compat32)["From"])
    return str(make_header(decode_header(name)))


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("mechanism", ["auto", "xoauth2", "oauthbearer"])
@pytest.mark.parametrize("grant", ["client_credentials", "refresh_token"])
def test_signing_in(face: Face, postfix: Postfix, options: Options, security: str, mechanism: str, grant: str) -> None:
    smtp = {"security": security, "mechanism": mechanism}
    answer = face.call({"op": "send", "options": options(postfix, grant, smtp=smtp), "message": HELLO})
    assert answer["ok"]["accepted"] == ["ada@example.test"], answer
    arrived = parsed(postfix.mailbox.wait_for(answer["ok"]["message_id"]))
    assert arrived["Subject"] == "Hello" and arrived.get_content() == "Hi\n"


def test_a_token_on_the_auth_line_that_is_cut_goes_in_two_steps(face: Face, postfix: Postfix, options: Options) -> None:
    """Postfix cuts AUTH lines at 2,048 octets, silently, and Dovecot then speaks of base64."""
    given = options(postfix, smtp={"initial_response": "always"})
    refused = face.call({"op": "send", "options": given, "message": HELLO})
    assert refused["error"]["code"] == "auth_rejected" and "base64" in refused["error"]["smtp"]["text"], refused
    # What is sent by default finds its own way; provider microsoft365 sends the long line first.
    answer = face.call({"op": "send", "options": options(postfix), "message": HELLO})
    assert answer["ok"]["attempts"] == 1, answer


def test_a_refused_token_is_told_with_the_servers_own_challenge(face: Face, postfix: Postfix, options: Options) -> None:
    over = {"auth": {"grant": "access_token", "access_token": "eyJhbGciOiJub25lIn0.e30."}}
    answer = face.call({"op": "send", "options": {**options(postfix), **over}, "message": HELLO})
    error = answer["error"]
    assert (error["code"], error["smtp"]["code"], error["smtp"]["enhanced"]) == ("auth_rejected", 535, "5.7.8"), error
    assert "status 401" in error["message"] and error["hint"], error


def test_another_persons_token_is_refused(face: Face, postfix: Postfix, options: Options) -> None:
    given = options(postfix, "refresh_token", "ada@contoso.com")
    answer = face.call({"op": "send", "options": {**given, "username": "eve@contoso.com"}, "message": HELLO})
    assert answer["error"]["code"] in ("auth_rejected", "interaction_required", "account_mismatch"), answer


def test_each_recipient_has_a_verdict(face: Face, postfix: Postfix, options: Options) -> None:
    message = {**HELLO, "to": ["ada@example.test", "refused@example.test", "later@example.test"]}
    answer = face.call({"op": "send", "options": options(postfix), "message": message})["ok"]
    assert answer["accepted"] == ["ada@example.test"]
    found = {r["address"]: (r["reply"]["code"], r["retryable"]) for r in answer["rejected"]}
    assert found == {"refused@example.test": (550, False), "later@example.test": (450, True)}


def test_finished_mail_arrives_as_it_was(face: Face, postfix: Postfix, options: Options) -> None:
    envelope = {"mail_from": "noreply@contoso.com", "rcpt_to": ["ada@example.test"]}
    request: dict[str, Any] = {"options": options(postfix)}
    wrong = []
    for name, (sent, expected) in RAW.items():
        postfix.mailbox.clear()
        answer = face.call({"op": "send_raw", "raw": base64.b64encode(sent).decode(), "envelope": envelope, **request})
        request = {}
        assert "ok" in answer, (name, answer)
        arrived = postfix.mailbox.wait_for(answer["ok"]["message_id"]).replace(b"\n", b"\r\n")
        if arrived != expected:
            wrong.append((name, arrived[:400], expected[:400]))
    assert not wrong, wrong
    for name, octets in REFUSED.items():
        answer = face.call({"op": "send_raw", "raw": base64.b64encode(octets).decode(), "envelope": envelope})
        assert answer["error"]["code"] == "message_invalid", (name, answer)


def test_built_mail_is_read_as_it_was_meant(face: Face, postfix: Postfix, options: Options) -> None:
    request: dict[str, Any] = {"options": options(postfix)}
    for name, (fields, expected) in BUILT.items():
        if face.name == "cli" and name == "inline-image":
            # The command line takes text and files, no octets.
            continue
        answer = face.call({"op": "send", "message": fields, "blobs": BLOBS, **request})
        request = {}
        assert "ok" in answer, (name, answer)
        octets = postfix.mailbox.wait_for(answer["ok"]["message_id"])
        arrived = parsed(octets)
        assert not arrived.defects, (name, arrived.defects)
        assert str(arrived["Subject"]) == expected["subject"], name
        body = arrived.get_body(("plain",))
        # Base64 keeps the line ends of the wire.
        assert body is not None and body.get_content().replace("\r\n", "\n") == expected["text"], name
        if "from" in expected:
            assert display_name(octets) == expected["from"], name
        if "filename" in expected:
            assert [part.get_filename() for part in arrived.walk() if part.get_filename()][0] == expected["filename"], name


def test_25_megabytes_from_a_path(face: Face, postfix: Postfix, options: Options, tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    content = bytes(range(256)) * (25 * 4096)
    big.write_bytes(content)
    message = {**HELLO, "attachments": [str(big)]}
    answer = face.call({"op": "send", "options": options(postfix), "message": message})
    assert "ok" in answer, answer
    arrived = parsed(postfix.mailbox.wait_for(answer["ok"]["message_id"]))
    (attachment,) = arrived.iter_attachments()
    assert attachment.get_content() == content and attachment.get_filename() == "big.bin"
    postfix.mailbox.clear()


@pytest.mark.parametrize("smtp", MODES, ids=str)
def test_many_messages(face: Face, postfix: Postfix, options: Options, smtp: dict[str, str]) -> None:
    postfix.mailbox.clear()
    messages = [{**HELLO, "subject": f"number {n}", "tag": str(n)} for n in range(60)]
    answer = face.call({"op": "send_many", "options": options(postfix, smtp=smtp), "messages": messages})
    results = answer["ok"]["results"]
    assert [r["outcome"] for r in results] == ["sent"] * 60, answer
    for result in results:
        arrived = parsed(postfix.mailbox.wait_for(result["receipt"]["message_id"]))
        assert arrived["Subject"] == f"number {result['tag']}"
    assert postfix.mailbox.count() == 60
