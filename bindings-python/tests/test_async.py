"""The asyncio face: several loops in turn, cancelling, and loops that close too early."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from typing import Any

import pytest

import mailbearer
from mailbearer import AsyncMailer, Event, Message
from mailbearer.testing import Emulator


def test_one_mailer_serves_several_loops_in_turn(mailbearer_emulator: Emulator) -> None:
    mailer = AsyncMailer(**mailbearer_emulator.settings())

    async def three(turn: int) -> None:
        sends = (mailer.send(to="ada@example.com", subject=f"{turn}.{i}", text="x") for i in range(3))
        for receipt in await asyncio.gather(*sends):
            assert receipt.accepted == ("ada@example.com",)

    for turn in range(4):
        asyncio.run(three(turn))
    asyncio.run(mailer.close())
    subjects = {message.parsed["Subject"] for message in mailbearer_emulator.wait_for(12)}
    assert len(subjects) == 12


async def test_errors_are_the_same(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here")
    async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
        with pytest.raises(mailbearer.DeliveryError) as caught:
            await mailer.send(Message(to="ada@example.com", text="x", tag="mine"))
        assert (caught.value.code, caught.value.tag) == ("recipients_rejected", "mine")
        assert mailer.metrics()["failed"] == {"recipients_rejected": 1}
    with pytest.raises(mailbearer.Closed):
        await mailer.send(to="ada@example.com", text="x")
    await mailer.aclose()


async def test_cancelling_the_task_cancels_the_send(silent: socket.socket, silent_options: dict[str, Any]) -> None:
    events: asyncio.Queue[Event] = asyncio.Queue()
    mailer = AsyncMailer.from_dict({**silent_options, "on_event": events.put_nowait})
    message = Message(to="ada@example.com", text="x")
    task = asyncio.create_task(mailer.send(message))
    # Kept: the server would close a connection that nobody holds.
    accepted, _ = await asyncio.to_thread(silent.accept)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while (event := await asyncio.wait_for(events.get(), 10)).name != "send.cancelled":
        pass
    assert (event.fields["message_id"], event.fields["delivery"]) == (message.message_id, "none")
    assert mailer.metrics()["in_flight"] == 0
    await mailer.close()
    accepted.close()


async def test_the_loop_runs_during_a_send(silent_options: dict[str, Any]) -> None:
    mailer = AsyncMailer.from_dict(silent_options)
    turns = 0
    task = asyncio.create_task(mailer.send(to="ada@example.com", text="x", timeout=0.3))
    while not task.done():
        turns += 1
        await asyncio.sleep(0.001)
    with pytest.raises(mailbearer.TimedOut):
        await task
    assert turns > 20
    await mailer.close()


def test_a_closed_loop_disturbs_nothing(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("end", delay=0.3)
    mailer = AsyncMailer(**mailbearer_emulator.settings())
    loop = asyncio.new_event_loop()
    task = loop.create_task(mailer.send(to="ada@example.com", subject="orphan", text="x"))
    # The send is on its way, and the loop that wanted its receipt is gone.
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()
    assert mailbearer_emulator.wait_for()[0].parsed["Subject"] == "orphan"
    asyncio.run(mailer.close())
    assert mailer.metrics()["sent"] == 1
    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]


async def test_events_come_on_the_loop_in_the_callers_context(mailbearer_emulator: Emulator) -> None:
    request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")
    seen: list[tuple[str, str, asyncio.AbstractEventLoop]] = []

    def on_event(event: Event) -> None:
        seen.append((event.name, request.get(), asyncio.get_running_loop()))

    request.set("r-7")
    async with AsyncMailer(**mailbearer_emulator.settings(), on_event=on_event) as mailer:
        await mailer.send(to="ada@example.com", text="x")
    assert ("send.done", "r-7", asyncio.get_running_loop()) in seen


async def test_the_rest_of_the_face(mailbearer_emulator: Emulator) -> None:
    async with AsyncMailer(**mailbearer_emulator.settings()) as mailer:
        assert b"Subject: drawn" in await mailer.render({"to": "a@example.com", "subject": "drawn", "text": "x"})
        await mailer.warm()
        assert (await mailer.verify()).ok
        token = await mailer.tokens.get()
        assert await mailer.tokens.secret() == token.secret
        mailer.tokens.invalidate(token)
        assert (await mailer.tokens.get()).secret != token.secret
        other = mailer.for_mailbox("sales@contoso.com")
        assert (await other.send(to="a@example.com", text="x")).envelope.mail_from == "sales@contoso.com"
        assert repr(mailer) == "AsyncMailer(provider='microsoft365', username='noreply@contoso.com')"
