"""Open files as attachments: read once, when the server wants the message."""

from __future__ import annotations

import asyncio
import io
import pickle
from pathlib import Path
from typing import Any

import pytest

import mailbearer
from mailbearer import AsyncMailer, Attachment, Mailer, Message
from mailbearer.testing import Emulator

OCTETS = bytes(range(256)) * 4000


class Source:
    """Has `read` and no more, and knows how often it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.reads = 0

    def read(self, size: int = -1) -> Any:
        self.reads += 1
        answer = self.answers.pop(0) if self.answers else b""
        if isinstance(answer, Exception):
            raise answer
        return answer


def attached(emulator: Emulator) -> bytes:
    (seen,) = emulator.wait_for()
    (part,) = seen.parsed.iter_attachments()
    return part.get_payload(decode=True)


def test_an_open_file_is_sent_whole(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "report.bin"
    path.write_bytes(b"skipped" + OCTETS)
    with path.open("rb") as file:
        file.read(7)
        receipt = mailbearer_mailer.send(to="ada@example.com", text="Hi", attachments=[Attachment(file)])
    (seen,) = mailbearer_emulator.messages
    assert receipt.size == len(seen.raw)
    (part,) = seen.parsed.iter_attachments()
    assert part.get_filename() == "report.bin"
    assert attached(mailbearer_emulator) == OCTETS


def test_so_it_is_from_asyncio_and_in_bulk(mailbearer_emulator: Emulator) -> None:
    async def main() -> None:
        async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
            await mailer.send(to="a@example.com", attachments=[Attachment(io.BytesIO(OCTETS), size=len(OCTETS))])
            batch = [{"to": "b@example.com", "attachments": [{"content": io.BytesIO(OCTETS)}]} for _ in range(5)]
            results = [result async for result in mailer.send_many(batch)]
            assert [result.outcome for result in results] == ["sent"] * 5

    asyncio.run(main())
    for seen in mailbearer_emulator.wait_for(6):
        (part,) = seen.parsed.iter_attachments()
        assert part.get_payload(decode=True) == OCTETS


def test_it_is_read_in_pieces_and_not_before_the_server_wants_it(
    mailbearer_mailer: Mailer, mailbearer_emulator: Emulator
) -> None:
    source = Source(b"ab", b"c")
    message = Message(to="ada@example.com", attachments=[Attachment(source)])  # type: ignore[arg-type]
    mailbearer_emulator.fail("mail", reply="550 5.1.0 no", times=1)
    with pytest.raises(mailbearer.Error):
        mailbearer_mailer.send(message)
    assert source.reads == 0
    mailbearer_mailer.send(message)
    assert source.reads == 3
    assert attached(mailbearer_emulator) == b"abc"


@pytest.mark.parametrize(
    ("source", "size", "words"),
    [
        (Source(b"abc", OSError("the tape tore")), None, "the tape tore"),
        (Source(b"abc", "text"), None, "TypeError"),
        (Source(b"abc"), 2, "more octets than the 2"),
        (Source(b"abc"), 4, "fewer octets than the 4"),
    ],
)
def test_one_that_cannot_be_read_delivers_nothing(
    mailbearer_mailer: Mailer, mailbearer_emulator: Emulator, source: Any, size: int | None, words: str
) -> None:
    with pytest.raises(mailbearer.MessageError, match=words) as caught:
        mailbearer_mailer.send(to="ada@example.com", attachments=[Attachment(source, size=size)])
    assert (caught.value.code, caught.value.retryable, caught.value.field) == (
        "attachment_unreadable",
        False,
        "attachments[0]",
    )
    assert mailbearer_emulator.messages == ()


def test_once_read_it_is_not_sent_again(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("end", reply="451 4.3.0 later", times=1)
    with pytest.raises(mailbearer.Error, match=r"later.*again") as caught:
        mailbearer_mailer.send(to="ada@example.com", attachments=[Attachment(io.BytesIO(b"abc"))])
    assert (caught.value.attempts, caught.value.retryable) == (1, False)
    assert mailbearer_emulator.messages == ()


def test_what_was_read_is_not_sent_empty_unless_it_was_put_back(
    mailbearer_mailer: Mailer, mailbearer_emulator: Emulator
) -> None:
    file = io.BytesIO(b"abc")
    one = Attachment(file)
    mailbearer_mailer.send(to="ada@example.com", attachments=[one])
    for again in ([one], [{"content": file}], [Attachment(file)]):
        with pytest.raises(mailbearer.MessageError, match="read before"):
            mailbearer_mailer.send(to="ada@example.com", attachments=again)  # type: ignore[arg-type]
    with pytest.raises(mailbearer.MessageError, match="read before"):
        mailbearer_mailer.send(to="ada@example.com", attachments=[Attachment(io.BytesIO(b"x"))] + [Attachment(file)] * 2)
    mailbearer_emulator.clear()
    file.seek(0)
    mailbearer_mailer.send(to="ada@example.com", attachments=[one])
    assert attached(mailbearer_emulator) == b"abc"


@pytest.mark.parametrize("content", [5, [1, 2], object()])
def test_content_is_bytes_or_an_open_file(content: Any) -> None:
    with pytest.raises(mailbearer.MessageError, match="not a"):
        Message(to="ada@example.com", attachments=[{"content": content}])  # type: ignore[list-item]


def test_over_the_servers_limit_nothing_is_read(mailbearer_mailer: Mailer) -> None:
    source = Source(OCTETS)
    with pytest.raises(mailbearer.MessageError) as caught:
        mailbearer_mailer.send(to="ada@example.com", attachments=[Attachment(source, size=200_000_000)])  # type: ignore[arg-type]
    assert (caught.value.code, source.reads) == ("message_too_large", 0)


def test_it_is_no_data() -> None:
    message = Message(from_="a@x.org", to="b@x.org", attachments=[Attachment(io.BytesIO(b"abc"))])
    assert message == message
    assert message != Message(from_="a@x.org", to="b@x.org", attachments=[Attachment(io.BytesIO(b"abc"))])
    for use in (pickle.dumps, Message.to_dict, Message.to_bytes):
        with pytest.raises(mailbearer.MessageError, match="attachments"):
            use(message)
