"""Many messages: one result each, lazily pulled, in flat memory."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import mailbearer
from mailbearer import AsyncMailer, Mailer, Message, MessageFields
from mailbearer.testing import Emulator


def message(number: int) -> MessageFields:
    return {"to": "ada@example.com", "subject": str(number), "text": "x", "tag": str(number)}


def resident() -> int:
    """Octets of memory in use by this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_ten_thousand_messages_in_flat_memory() -> None:
    pulled = 0

    def source() -> Iterator[Message]:
        nonlocal pulled
        for number in range(10_000):
            pulled += 1
            yield Message(to="ada@example.com", subject=str(number), text="x" * 20_000)

    most_ahead = 0
    seen: set[int] = set()
    early = 0
    with Mailer(provider="memory", from_="me@example.com") as mailer:
        # The outbox keeps 1,000 by design: what is asked is that nothing grows once it is full.
        with mailer.send_many(source()) as stream:
            for done, result in enumerate(stream, 1):
                assert result.outcome == "sent" and result.receipt is not None
                seen.add(result.index)
                most_ahead = max(most_ahead, pulled - done)
                if done == 2_000:
                    gc.collect()
                    early = resident()
            assert stream.counts.sent == 10_000 and stream.counts.in_flight == 0
        gc.collect()
        grown = resident() - early
    assert seen == set(range(10_000))
    assert most_ahead <= 16, "eight at once, two deep"
    assert grown < 16 * 2**20, f"memory grew by {grown} octets"


def test_each_message_gets_one_result(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here", match="bob@")
    bad: Any = {"to": "a@example.com, b@example.com", "text": "x", "tag": "bad"}
    source: list[Any] = [message(0), {**message(1), "to": "bob@example.com"}, bad, 7, message(4)]
    results = {result.index: result for result in mailbearer_mailer.send_many(source)}
    assert [results[index].outcome for index in range(5)] == ["sent", "failed", "failed", "failed", "sent"]
    assert results[0].tag == "0" and results[0].message_id
    codes = [error and error.code for error in (results[index].error for index in range(5))]
    assert codes == [None, "recipients_rejected", "message_invalid", "message_invalid", None]
    assert results[2].tag == "bad" and isinstance(results[2].error, mailbearer.MessageError)
    assert results[2].error.field == "to" and results[2].error.hint
    assert len(mailbearer_emulator.wait_for(2)) == 2


def test_a_failing_source_is_reported_last(mailbearer_mailer: Mailer) -> None:
    def source() -> Iterator[MessageFields]:
        yield message(0)
        yield message(1)
        raise LookupError("the database is gone")

    outcomes = []
    stream = mailbearer_mailer.send_many(source())
    with pytest.raises(LookupError, match="database"):
        for result in stream:
            outcomes.append(result.outcome)
    assert outcomes == ["sent", "sent"]
    assert list(stream) == []


def test_what_fails_every_message_is_raised_once(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("token", status=400, body='{"error": "invalid_client"}', times=0)
    outcomes: list[str] = []
    with Mailer(**mailbearer_emulator.settings()) as mailer:
        stream = mailer.send_many(message(number) for number in range(1_000))
        with pytest.raises(mailbearer.TokenError) as caught:
            for result in stream:
                outcomes.append(result.outcome)
        assert list(stream) == []
    assert caught.value.code == "client_rejected"
    assert 1 <= len(outcomes) <= 16 and set(outcomes) == {"not_sent"}


def test_leaving_the_loop_stops_the_pulling(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    pulled = 0

    def source() -> Iterator[MessageFields]:
        nonlocal pulled
        while True:
            pulled += 1
            yield message(pulled)

    with mailbearer_mailer.send_many(source()) as stream:
        for _ in stream:
            break
    after = pulled
    rest = list(stream)
    assert pulled == after
    assert stream.counts.sent == 1 + len(rest) == pulled
    assert len(mailbearer_emulator.wait_for(pulled)) == pulled


async def test_async_from_a_generator_and_from_a_list(mailbearer_emulator: Emulator) -> None:
    async def source() -> AsyncIterator[Message]:
        for number in range(20):
            await asyncio.sleep(0)
            yield Message(**message(number))

    async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
        first = [result.index async for result in mailer.send_many(source())]
        async with mailer.send_many([message(number) for number in range(20)]) as stream:
            second = [result.index async for result in stream]
            assert stream.counts.sent == 20
    assert sorted(first) == sorted(second) == list(range(20))
    assert len(mailbearer_emulator.wait_for(40)) == 40


async def test_a_slow_async_source_does_not_hold_up_results(mailbearer_emulator: Emulator) -> None:
    reported = asyncio.Event()

    async def source() -> AsyncIterator[MessageFields]:
        yield message(0)
        # The second message comes only after the first was reported.
        await asyncio.wait_for(reported.wait(), 10)
        yield message(1)
        raise LookupError("the queue is gone")

    outcomes = []
    async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
        with pytest.raises(LookupError):
            async for result in mailer.send_many(source()):
                outcomes.append(result.outcome)
                reported.set()
    assert outcomes == ["sent", "sent"]


async def test_async_fatal_errors_and_early_leaving(mailbearer_emulator: Emulator) -> None:
    async def endless() -> AsyncIterator[MessageFields]:
        number = 0
        while True:
            yield message(number)
            number += 1
            await asyncio.sleep(0)

    async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
        async with mailer.send_many(endless()) as stream:
            async for result in stream:
                assert result.outcome == "sent"
                break
        mailbearer_emulator.fail("token", status=400, body='{"error": "invalid_client"}', times=0)
    async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
        outcomes = []
        with pytest.raises(mailbearer.TokenError):
            async for result in mailer.send_many(endless()):
                outcomes.append(result.outcome)
        assert outcomes and set(outcomes) == {"not_sent"}


def test_every_item_that_was_pulled_has_its_result_however_bad_it_is() -> None:
    odd: list[Any] = [None, 3, {"to": object()}, {"to": "a@b, c@d", "tag": 3}, {"to": "a@b", "subject": {"x": object()}}]
    good: list[Any] = [message(1), {**message(2), "subject": "a lone \ud800 surrogate"}]
    with Mailer(provider="memory", from_="me@example.com") as mailer:
        results = list(mailer.send_many([*good, *odd, message(3)]))
        assert [r.outcome for r in sorted(results, key=lambda r: r.index)] == ["sent", "sent", *["failed"] * len(odd), "sent"]
        assert all(isinstance(r.error, mailbearer.MessageError) for r in results if r.outcome == "failed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_stream_does_not_go_on_in_a_forked_child() -> None:
    with Mailer(provider="memory", from_="me@example.com") as mailer:
        stream = mailer.send_many(message(n) for n in range(100))
        next(stream)
        child = os.fork()
        if child == 0:
            try:
                next(stream)
            except mailbearer.Closed:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(list(stream)) == 99
