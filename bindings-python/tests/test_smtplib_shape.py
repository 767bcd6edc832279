"""`sendmail` and `send_message` read their arguments as smtplib does."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

import mailbearer
from mailbearer import Mailer

RAW = b"From: Me <me@example.com>\r\nTo: a@example.com\r\nCc: c@example.com\r\nSubject: x\r\n\r\nx\r\n"


@pytest.mark.parametrize(
    ("from_addr", "to_addrs", "sent"),
    [
        ("Me <me@example.com>", ["Jane <a@example.com>"], ("me@example.com", ("a@example.com",))),
        ("<me@example.com>", "a@example.com", ("me@example.com", ("a@example.com",))),
        ('"Me, myself" <me@example.com>', ("<a@example.com>", "b@example.com"), ("me@example.com", ("a@example.com", "b@example.com"))),
        ("<>", ["a@example.com"], ("", ("a@example.com",))),
        ("", ["a@example.com"], ("", ("a@example.com",))),
        ("me@bücher.example", ["a@bücher.example"], ("me@xn--bcher-kva.example", ("a@xn--bcher-kva.example",))),
        # The address stands in the angle brackets, whatever the name looks like.
        ('"boss@evil.example" <j@x.example>', ['"boss@evil.example" <j@x.example>'], ("j@x.example", ("j@x.example",))),
    ],
)
def test_sendmail(from_addr: str, to_addrs: Any, sent: tuple[str, tuple[str, ...]]) -> None:
    with Mailer(provider="memory") as mailer:
        assert mailer.sendmail(from_addr, to_addrs, RAW) == {}
        envelope = mailer.outbox[0].envelope
    assert (envelope.mail_from, envelope.rcpt_to) == sent


@pytest.mark.parametrize("wrong", ["a@example.com, b@example.com", "nobody", "a@example.com\r\nRCPT TO:<b@example.com>"])
def test_sendmail_refuses_what_is_no_mailbox(wrong: str) -> None:
    with Mailer(provider="memory") as mailer:
        with pytest.raises(mailbearer.MessageError) as caught:
            mailer.sendmail("me@example.com", ["a@example.com", wrong], RAW)
    assert isinstance(caught.value, ValueError) and caught.value.field == "envelope.rcpt_to[1]"


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Cc"], made["Bcc"] = "Me <me@example.com>", "a@example.com", "c@example.com", "b@example.com"
    made.set_content("x")
    return made


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, ("me@example.com", ("a@example.com", "c@example.com", "b@example.com"))),
        ({"to_addrs": "Jane <j@example.com>"}, ("me@example.com", ("j@example.com",))),
        ({"to_addrs": ["j@example.com"]}, ("me@example.com", ("j@example.com",))),
        ({"from_addr": "You <you@example.com>"}, ("you@example.com", ("a@example.com", "c@example.com", "b@example.com"))),
        ({"from_addr": "<>", "to_addrs": ["j@example.com"]}, ("", ("j@example.com",))),
    ],
)
def test_send_message(arguments: dict[str, Any], sent: tuple[str, tuple[str, ...]]) -> None:
    with Mailer(provider="memory") as mailer:
        assert mailer.send_message(message(), **arguments) == {}
        kept = mailer.outbox[0]
    assert (kept.envelope.mail_from, kept.envelope.rcpt_to) == sent
    assert b"Bcc" not in kept.raw
