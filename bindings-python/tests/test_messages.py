"""Messages: fields, attachments, pickling, and what is refused."""

from __future__ import annotations

import datetime as dt
import io
import pickle
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

import mailbearer
from mailbearer import Attachment, Envelope, Mailer, Message


def parsed(message: Message) -> EmailMessage:
    with Mailer(provider="memory", from_="me@example.com") as mailer:
        mailer.send(message)
        return mailer.outbox[0].parsed


def test_attachments_come_from_paths_bytes_and_open_files(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_bytes(b"from disk")
    with path.open("rb") as open_file:
        message = Message(
            to="ada@example.com",
            text="see",
            attachments=[
                path,
                str(path),
                Attachment(b"\x00\x01", filename="a.bin", content_type="application/x-thing"),
                Attachment(open_file),
                Attachment(io.BytesIO(b"no name"), filename="b.csv", size=7),
            ],
        )
        parts = list(parsed(message).iter_attachments())
    found = {(part.get_filename(), part.get_payload(decode=True)) for part in parts}
    assert found == {
        ("report.txt", b"from disk"),
        ("a.bin", b"\x00\x01"),
        ("b.csv", b"no name"),
    }
    assert len(parts) == 5


def test_an_inline_image_is_related_to_the_html() -> None:
    logo = Attachment(b"\x89PNG", filename="logo.png", content_id="logo")
    found = parsed(Message(to="a@example.com", html='<img src="cid:logo">', attachments=[logo]))
    (image,) = [part for part in found.walk() if part.get_content_type() == "image/png"]
    assert image["Content-ID"] == "<logo>"


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("x")
    with path.open() as as_text, pytest.raises(mailbearer.MessageError, match="as text"):
        Attachment(as_text)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Attachment(7)  # type: ignore[arg-type]


def test_an_attachment_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Mailer(provider="memory", from_="me@example.com") as mailer:
        with pytest.raises(mailbearer.MessageError) as caught:
            mailer.send(to="a@example.com", attachments=[tmp_path / "missing.pdf"])
        assert caught.value.code == "attachment_unreadable"
        assert caught.value.message_id


def test_all_headers_are_written() -> None:
    date = dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    found = parsed(
        Message(
            to="a@example.com",
            cc="c@example.com",
            bcc="b@example.com",
            reply_to=["r@example.com"],
            sender="s@example.com",
            subject="S",
            text="x",
            date=date,
            message_id="<one@example.com>",
            in_reply_to="<zero@example.com>",
            references=["<zero@example.com>"],
            list_unsubscribe=["https://example.com/u", "mailto:u@example.com"],
            priority="high",
            headers={"X-Thing": "1", "X-Many": ["a", "b"]},
        )
    )
    assert found["Date"].datetime == date
    assert found["Message-ID"] == "<one@example.com>"
    assert found["Cc"] == "c@example.com" and found["Bcc"] is None
    assert found["Reply-To"] == "r@example.com" and found["Sender"] == "s@example.com"
    assert found.get_all("X-Many") == ["a", "b"]
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_naive_date_is_refused() -> None:
    with pytest.raises(mailbearer.MessageError) as caught:
        Message(to="a@example.com", text="x", date=dt.datetime(2026, 11, 24))
    assert caught.value.field == "date"


@pytest.mark.parametrize("field", ["subject", "to", "tag", "in_reply_to", "message_id"])
def test_a_header_cannot_be_injected(field: str) -> None:
    fields: dict[str, Any] = {"to": "a@example.com", "text": "x", field: "x\r\nBcc: evil@example.com"}
    with pytest.raises(mailbearer.MessageError) as caught:
        Message(**fields)
    assert isinstance(caught.value, ValueError)
    assert "evil" not in str(caught.value)


def test_unknown_fields_are_named() -> None:
    with pytest.raises(mailbearer.MessageError, match="subject"):
        Message(to="a@example.com", subjct="x")  # type: ignore[call-arg]
    with pytest.raises(mailbearer.MessageError, match="attachment"):
        Message(to="a@example.com", attachments=[b"octets"])  # type: ignore[list-item]


def test_a_message_survives_pickling() -> None:
    message = Message(to="a@example.com", subject="S", text="x", attachments=[Attachment(b"\xff", filename="f")], tag="t")
    again = pickle.loads(pickle.dumps(message))
    assert again == message and hash(again) == hash(message)
    assert (again.message_id, again.tag) == (message.message_id, "t")
    assert parsed(again)["Date"] == parsed(message)["Date"]
    assert parsed(again)["Message-ID"] == message.message_id
    assert Message(**message.to_dict()) == message
    assert message != Message(to="a@example.com", subject="S", text="x")


def test_a_raw_message_survives_pickling() -> None:
    message = Message.raw(
        b"From: me@example.com\nTo: a@example.com\nSubject: raw\n\nbody\n",
        envelope=Envelope("me@example.com", ["b@example.com"]),
        tag="t",
    )
    again = pickle.loads(pickle.dumps(message))
    assert again == message
    assert again.to_bytes() == message.to_bytes()
    assert message.message_id.encode() in message.to_bytes()


def test_a_message_cannot_be_changed() -> None:
    message = Message(to="a@example.com", text="x")
    with pytest.raises(AttributeError):
        message.tag = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Envelope("a@example.com", ["b@example.com"]).mail_from = "c@example.com"


def test_an_internationalised_email_message_keeps_its_address() -> None:
    message = EmailMessage()
    message["From"], message["To"] = "me@example.com", "użytkownik@example.com"
    message.set_content("x")
    with Mailer(provider="memory") as mailer:
        receipt = mailer.send(message)
    assert receipt.accepted == ("użytkownik@example.com",)


def test_a_dictionary_says_from() -> None:
    with Mailer(provider="memory") as mailer:
        mailer.render({"from": "me@example.com", "to": "a@example.com", "text": "x"})  # type: ignore[typeddict-unknown-key]
        receipt = mailer.send(**{"from": "me@example.com", "to": "a@example.com", "text": "x"})  # type: ignore[misc]
    assert receipt.envelope.mail_from == "me@example.com"


LONG = "<" + "x" * 90 + "@example.com>"


def email_message(rules: policy.EmailPolicy[Any] = policy.default) -> EmailMessage:
    message = EmailMessage(policy=rules)
    message["From"], message["To"], message["Subject"] = "me@example.com", "a@example.com", "Grüße " * 20
    message["In-Reply-To"] = LONG
    message["References"] = f"{LONG} <b@example.com> {LONG}"
    message["List-Unsubscribe"] = "<https://example.com/" + "u" * 100 + ">, <mailto:u@example.com>"
    message.set_content("hällo\nFrom here on\n")
    return message


@pytest.mark.parametrize("rules", [policy.default, policy.SMTP, policy.SMTPUTF8, policy.SMTP.clone(cte_type="7bit")])
def test_identifiers_of_an_email_message_stay_whole(rules: policy.EmailPolicy[Any]) -> None:
    octets = Message.raw(email_message(rules)).to_bytes()
    head = octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").decode().split("\r\n")
    found = dict(line.split(": ", 1) for line in head)
    assert found["In-Reply-To"] == LONG
    assert found["References"] == f"{LONG} <b@example.com> {LONG}"
    assert found["List-Unsubscribe"] == "<https://example.com/" + "u" * 100 + ">, <mailto:u@example.com>"
    assert all(len(line) < 150 for line in octets.decode().split("\r\n")), "folded between the words"
    assert b"\r\nFrom here on" in octets


def test_the_policy_of_an_email_message_counts() -> None:
    wide = email_message(policy.default.clone(max_line_length=400))
    assert f"References: {LONG} <b@example.com> {LONG}\r\n".encode() in Message.raw(wide).to_bytes()
    assert b"h=C3=A4llo" in Message.raw(email_message(policy.default.clone(cte_type="7bit"))).to_bytes()
    assert "hällo".encode() in Message.raw(email_message()).to_bytes()


def test_octets_are_octets() -> None:
    raw = b"From: me@example.com\r\nTo: a@example.com\r\nSubject: x\r\n\r\nGr\xfc\xdfe\r\n"
    with Mailer(provider="memory") as mailer:
        for given in (raw, bytearray(raw), memoryview(raw)):
            mailer.send(raw=given)  # type: ignore[call-overload]
            assert mailer.outbox[-1].raw.endswith(b"\r\n\r\nGr\xfc\xdfe\r\n")
            mailer.send({"raw": given, "tag": "t"})  # type: ignore[call-overload]
            assert mailer.outbox[-1].tag == "t"
    with pytest.raises(mailbearer.MessageError) as caught:
        Message(to="a@example.com", text=b"Gr\xfc\xdfe")  # type: ignore[arg-type]
    assert caught.value.field == "text" and caught.value.__context__ is None


@pytest.mark.parametrize("hold", [7200, 7200.0, dt.timedelta(hours=2), "2h", "120m"])
def test_hold_for_is_a_duration_as_any_other(hold: Any) -> None:
    assert Message(to="a@example.com", text="x", hold_for=hold).to_dict()["hold_for"] == "7200s"


@pytest.mark.parametrize("nobody", [None, [], [None], (), [None, None]])
@pytest.mark.parametrize("field", ["cc", "bcc", "reply_to"])
def test_an_empty_list_is_nobody(field: str, nobody: Any) -> None:
    message = Message(**{"to": "a@example.com", "from": "me@example.com", "text": "x", field: nobody})
    assert field not in message.to_dict()
