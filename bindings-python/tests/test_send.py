"""One message, blocking: what the caller gets and what the server saw."""

from __future__ import annotations

import datetime as dt
import threading
import time
from email.headerregistry import Address
from email.message import EmailMessage
from email.mime.text import MIMEText
from typing import Any

import pytest

import mailbearer
from mailbearer import Envelope, Mailer, Message
from mailbearer.testing import Emulator


def test_a_receipt_tells_what_the_server_saw(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    receipt = mailbearer_mailer.send(to="ada@example.com", subject="Grüße", text="Hi", html="<b>Hi</b>", tag="t1")
    (seen,) = mailbearer_emulator.wait_for()
    assert receipt.accepted == seen.rcpt_to == ("ada@example.com",)
    assert receipt.rejected == ()
    assert receipt.envelope == Envelope("noreply@contoso.com", ["ada@example.com"])
    assert receipt.message_id == seen.parsed["Message-ID"]
    assert (receipt.tag, receipt.attempts, receipt.reply.code) == ("t1", 1, 250)
    assert receipt.size == len(seen.raw)
    assert receipt.sent_at.tzinfo is dt.timezone.utc
    assert receipt.timings["total"] >= receipt.timings["send"] > 0
    assert seen.parsed["Subject"] == "Grüße"
    assert seen.parsed.get_content_type() == "multipart/alternative"
    assert (seen.username, seen.mechanism) == ("noreply@contoso.com", "XOAUTH2")


def test_people_are_named_in_three_ways(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_mailer.send(
        from_=("No Reply", "noreply@contoso.com"),
        to=["ada@example.com", ("Grace Hopper", "grace@example.com"), Address("Jo", "jo", "example.com")],
        text="Hi",
    )
    (seen,) = mailbearer_emulator.wait_for()
    assert seen.rcpt_to == ("ada@example.com", "grace@example.com", "jo@example.com")
    assert seen.parsed["From"] == "No Reply <noreply@contoso.com>"
    assert "Grace Hopper <grace@example.com>" in seen.parsed["To"]


def test_one_string_is_one_mailbox_and_two_in_a_tuple_are_refused() -> None:
    with pytest.raises(mailbearer.MessageError, match="list"):
        Message(to="a@example.com, b@example.com", text="x")
    with pytest.raises(mailbearer.MessageError, match="list"):
        Message(to=("a@example.com", "b@example.com"), text="x")


def test_a_refused_recipient_stands_in_the_receipt(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here", match="bob@")
    receipt = mailbearer_mailer.send(to=["ada@example.com", "bob@example.com"], text="Hi")
    assert receipt.accepted == ("ada@example.com",)
    (rejected,) = receipt.rejected
    assert (rejected.address, rejected.reply.code, rejected.retryable) == ("bob@example.com", 550, False)


def test_partial_refuse_sends_to_nobody(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here", match="bob@")
    with pytest.raises(mailbearer.DeliveryError) as caught:
        mailbearer_mailer.send(to=["ada@example.com", "bob@example.com"], text="Hi", partial="refuse")
    assert caught.value.code == "recipients_rejected"
    assert caught.value.rejected[0].address == "bob@example.com"
    assert mailbearer_emulator.messages == ()


def test_an_email_message_loses_its_bcc_header_only(
    mailbearer_mailer: Mailer, mailbearer_emulator: Emulator
) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "noreply@contoso.com", "ada@example.com"
    message["Bcc"] = "secret@example.com"
    message["Subject"] = "Żółw"
    message.set_content("Zażółć gęślą jaźń\n")
    receipt = mailbearer_mailer.send(message)
    (seen,) = mailbearer_emulator.wait_for()
    assert set(seen.rcpt_to) == {"ada@example.com", "secret@example.com"} == set(receipt.accepted)
    assert seen.parsed["Bcc"] is None and b"secret@" not in seen.raw
    assert seen.parsed["Subject"] == "Żółw"
    assert seen.parsed.get_content().splitlines() == ["Zażółć gęślą jaźń"]
    assert seen.parsed["Message-ID"] == receipt.message_id


def test_a_legacy_message_and_bytes_pass_through(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    legacy = MIMEText("From here on\n")
    legacy["From"], legacy["To"], legacy["Subject"] = "noreply@contoso.com", "ada@example.com", "old"
    mailbearer_mailer.send(legacy)
    mailbearer_mailer.send(legacy.as_bytes(), envelope=Envelope("noreply@contoso.com", ["bob@example.com"]))
    first, second = mailbearer_emulator.wait_for(2)
    assert first.parsed.get_payload().splitlines() == ["From here on"]
    assert second.rcpt_to == ("bob@example.com",)


def test_an_envelope_overrides_the_message(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    message = Message(to="ada@example.com", text="Hi")
    receipt = mailbearer_mailer.send(message, envelope=Envelope("noreply@contoso.com", ["bob@example.com"]))
    (seen,) = mailbearer_emulator.wait_for()
    assert seen.rcpt_to == ("bob@example.com",)
    assert seen.parsed["To"] == "ada@example.com"
    assert receipt.message_id == message.message_id


def test_what_send_does_not_take_is_a_type_error(mailbearer_mailer: Mailer) -> None:
    send: Any = mailbearer_mailer.send
    with pytest.raises(TypeError, match="not str"):
        send("Subject: x")
    with pytest.raises(TypeError, match="not both"):
        send(Message(to="a@example.com", text="x"), subject="y")
    with pytest.raises(mailbearer.ConfigError, match="partial"):
        send(to="a@example.com", text="x", partial="maybe")


def test_smtplibs_shape(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here", match="bob@")
    raw = "From: noreply@contoso.com\nTo: ada@example.com\nSubject: x\n\n.dots\n"
    refused = mailbearer_mailer.sendmail("noreply@contoso.com", ["ada@example.com", "bob@example.com"], raw)
    assert refused == {"bob@example.com": (550, b"5.1.1 nobody here")}
    message = EmailMessage()
    message["From"], message["To"] = "noreply@contoso.com", "ada@example.com"
    message.set_content("x")
    assert mailbearer_mailer.send_message(message) == {}
    assert mailbearer_mailer.send_message(message, to_addrs=["carol@example.com"]) == {}
    first, second, third = mailbearer_emulator.wait_for(3)
    assert first.raw.endswith(b"\r\n\r\n.dots\r\n")
    assert (second.rcpt_to, third.rcpt_to) == (("ada@example.com",), ("carol@example.com",))
    assert third.mail_from == "noreply@contoso.com"


def test_a_memory_mailer_keeps_what_it_would_send() -> None:
    with Mailer(provider="memory", from_="me@example.com") as mailer:
        receipt = mailer.send(to="ada@example.com", subject="kept", text="Hi", tag="a")
        (kept,) = mailer.outbox
        assert kept.parsed["Subject"] == "kept"
        assert (kept.message_id, kept.tag, kept.envelope) == (receipt.message_id, "a", receipt.envelope)
        assert mailer.metrics()["sent"] == 1
        assert b"Subject: drawn" in mailer.render({"to": "ada@example.com", "subject": "drawn", "text": "x"})
        assert len(mailer.outbox) == 1


def test_other_threads_run_during_a_send(silent_options: dict[str, Any]) -> None:
    turns = 0
    over = threading.Event()

    def spin() -> None:
        nonlocal turns
        while not over.is_set():
            turns += 1
            time.sleep(0.001)

    with Mailer.from_dict(silent_options) as mailer:
        other = threading.Thread(target=spin)
        other.start()
        before = turns
        with pytest.raises(mailbearer.TimedOut) as caught:
            mailer.send(to="ada@example.com", text="x", timeout=0.5)
        during = turns - before
        over.set()
        other.join()
    assert during > 20, "the interpreter was held during the send"
    assert isinstance(caught.value, TimeoutError) and isinstance(caught.value, ConnectionError)
    assert caught.value.delivery == "none"


def test_many_threads_share_a_mailer(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                mailbearer_mailer.send(to="ada@example.com", subject=f"{number}.{turn}", text="x")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    subjects = {message.parsed["Subject"] for message in mailbearer_emulator.wait_for(40)}
    assert len(subjects) == 40


def test_a_closed_mailer_says_so(mailbearer_mailer: Mailer) -> None:
    mailbearer_mailer.close()
    mailbearer_mailer.close("1s")
    with pytest.raises(mailbearer.Closed):
        mailbearer_mailer.send(to="ada@example.com", text="x")


def test_for_mailbox_shares_the_token(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_mailer.send(to="ada@example.com", text="x")
    other = mailbearer_mailer.for_mailbox("sales@contoso.com", from_=("Sales", "sales@contoso.com"))
    other.send(to="ada@example.com", text="x")
    first, second = mailbearer_emulator.wait_for(2)
    assert (first.username, second.username) == ("noreply@contoso.com", "sales@contoso.com")
    assert second.parsed["From"] == "Sales <sales@contoso.com>"
    assert mailbearer_mailer.tokens.get() == other.tokens.get()


def test_verify_walks_the_chain(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    report = mailbearer_mailer.verify()
    assert report.ok
    assert [finding.link for finding in report.findings][:3] == ["dns", "tcp", "greeting"]
    assert "mail_from" in str(report)
    assert mailbearer_mailer.verify(send_to="ada@example.com").ok
    assert mailbearer_emulator.wait_for()[0].rcpt_to == ("ada@example.com",)


def test_verify_raises_with_its_report(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("auth", reply="535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant", times=0)
    with pytest.raises(mailbearer.AuthError) as caught:
        mailbearer_mailer.verify()
    found = caught.value.report
    assert found is not None and not found.ok
    (failed,) = [finding for finding in found.findings if finding.status == "failed"]
    assert failed.link == "auth" and failed.do
    again = mailbearer_mailer.verify(raise_on_failure=False)
    assert not again.ok and "FAILED" in str(again)


def test_warm_opens_the_connection(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_mailer.warm()
    receipt = mailbearer_mailer.send(to="ada@example.com", text="x")
    assert receipt.timings["connect"] < 0.001


@pytest.mark.parametrize(
    ("sender", "field"),
    [
        ({"addres": "q@example.com"}, "from"),
        ({"address": "q@example.com", "nam": "Q"}, "from"),
        ({"address": 7}, "from"),
        ("q", "from"),
        (7, "from"),
        (["q@example.com", "r@example.com"], "from"),
    ],
)
def test_for_mailbox_names_what_is_wrong_with_its_sender(mailbearer_mailer: Mailer, sender: Any, field: str) -> None:
    with pytest.raises(mailbearer.ConfigError) as caught:
        mailbearer_mailer.for_mailbox("x@example.com", from_=sender)
    assert (caught.value.field or "").startswith(field), caught.value.to_dict()
    assert "`from" in str(caught.value)


@pytest.mark.parametrize(
    "sender",
    [
        "Sales <sales@contoso.com>",
        ("Sales", "sales@contoso.com"),
        {"name": "Sales", "address": "sales@contoso.com"},
        Address("Sales", addr_spec="sales@contoso.com"),
    ],
)
def test_for_mailbox_takes_every_form_of_a_sender(sender: Any) -> None:
    with Mailer(provider="memory") as mailer:
        other = mailer.for_mailbox("sales@contoso.com", from_=sender)
        other.send(to="ada@example.com", text="x")
        assert str(other.outbox[0].parsed["From"]) == "Sales <sales@contoso.com>"
