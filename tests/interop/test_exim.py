"""Every face through Exim: the one server found that keeps an envelope which it should have dropped."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from conftest import Options
from faces import Face
from messages import MODES, RAW
from servers import Exim

HELLO = {"to": ["ada@example.test"], "subject": "Hello", "text": "Hi\n"}


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_one_message(face: Face, exim: Exim, options: Options, security: str) -> None:
    answer = face.call({"op": "send", "options": options(exim, smtp={"security": security}), "message": HELLO})
    assert answer["ok"]["accepted"] == ["ada@example.test"], answer
    assert b"Subject: Hello\n" in exim.mailbox.wait_for(answer["ok"]["message_id"])


@pytest.mark.parametrize("chunking", ["off", "on"])
def test_finished_mail_arrives_as_it_was(face: Face, exim: Exim, options: Options, chunking: str) -> None:
    envelope = {"mail_from": "noreply@contoso.com", "rcpt_to": ["ada@example.test"]}
    request: dict[str, Any] = {"options": options(exim, smtp={"chunking": chunking})}
    for name, (sent, expected) in RAW.items():
        exim.mailbox.clear()
        answer = face.call({"op": "send_raw", "raw": base64.b64encode(sent).decode(), "envelope": envelope, **request})
        request = {}
        assert "ok" in answer, (name, answer)
        arrived = exim.mailbox.wait_for(answer["ok"]["message_id"]).replace(b"\n", b"\r\n")
        assert arrived == expected, name


@pytest.mark.parametrize("smtp", MODES, ids=str)
def test_a_message_behind_a_refused_one_has_its_own_sender(
    face: Face, exim: Exim, options: Options, smtp: dict[str, str]
) -> None:
    messages = [
        {
            "from": f"sender{n}@contoso.com",
            "to": ["refused@example.test" if n % 3 == 0 else "ada@example.test"],
            "subject": f"number {n}",
            "text": "x\n",
            "tag": str(n),
        }
        for n in range(30)
    ]
    given = options(exim, smtp=smtp, limits={"max_connections": 1})
    answer = face.call({"op": "send_many", "options": given, "messages": messages})
    results = answer["ok"]["results"]
    assert len(results) == 30, answer
    for result in results:
        number = int(result["tag"])
        if number % 3 == 0:
            assert result["error"]["code"] == "recipients_rejected", result
            continue
        message_id = result["receipt"]["message_id"]
        arrived = exim.mailbox.wait_for(message_id)
        assert f"Subject: number {number}\n".encode() in arrived
        assert result["receipt"]["envelope"]["mail_from"] == f"sender{number}@contoso.com"
        assert exim.mailbox.return_path(message_id) == f"sender{number}@contoso.com"
