"""Events: to a function and to logging, on the caller's thread, without secrets."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from mailbearer import Event, Mailer
from mailbearer.testing import Emulator


def test_events_come_on_the_callers_thread(mailbearer_emulator: Emulator) -> None:
    seen: list[tuple[Event, threading.Thread]] = []
    options = mailbearer_emulator.settings()
    options["on_event"] = lambda event: seen.append((event, threading.current_thread()))
    with Mailer(**options) as mailer:
        receipt = mailer.send(to="ada@example.com", text="x", tag="mine")
    assert {thread for _, thread in seen} == {threading.current_thread()}
    events = {event.name: event.fields for event, _ in seen}
    assert events["send.done"]["message_id"] == receipt.message_id
    assert events["send.done"]["tag"] == "mine"
    assert "token.refreshed" in events
    secrets = (str(dict(options["auth"])["client_secret"]), mailer.tokens._native.cached(None))
    assert not any(str(secret) in repr(seen) for secret in secrets if secret)


def test_logging_has_levels_and_fields(mailbearer_emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here", match="bob@")
    with caplog.at_level(logging.INFO, logger="mailbearer"):
        with Mailer(**mailbearer_emulator.settings()) as mailer:
            mailer.send(to=["ada@example.com", "bob@example.com"], text="x")
    records = {record.getMessage().split()[0]: record for record in caplog.records}
    assert records["send.done"].levelno == logging.INFO
    assert records["recipient.refused"].levelno == logging.WARNING
    fields: dict[str, Any] = records["recipient.refused"].__dict__["mailbearer"]
    assert fields["address"] == "bob@example.com"


def test_nothing_is_printed_unasked(mailbearer_emulator: Emulator) -> None:
    text = """
import logging, sys
from mailbearer import Mailer, Error
with Mailer.from_env() as mailer:
    try:
        mailer.send(to="ada@example.com", text="x")
    except Error:
        pass
"""
    mailbearer_emulator.fail("rcpt", reply="550 5.1.1 nobody here")
    ended = subprocess.run(
        [sys.executable, "-c", text], env=mailbearer_emulator.environ(), capture_output=True, timeout=60, check=True
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_a_handler_that_raises_disturbs_nothing(
    mailbearer_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    def broken(event: Event) -> None:
        raise LookupError(event.name)

    with Mailer(**mailbearer_emulator.settings(), on_event=broken) as mailer:
        assert mailer.send(to="ada@example.com", text="x").accepted
    assert "send.done" in {str(one.exc_value.args[0]) for one in told}


def test_a_handler_may_send(mailbearer_emulator: Emulator) -> None:
    def again(event: Event) -> None:
        if event.name == "send.done" and event.fields["tag"] == "first":
            mailer.send(to="bob@example.com", text="x", tag="second")

    with Mailer(**mailbearer_emulator.settings(), on_event=again) as mailer:
        mailer.send(to="ada@example.com", text="x", tag="first")
    assert [message.rcpt_to for message in mailbearer_emulator.wait_for(2)] == [
        ("ada@example.com",),
        ("bob@example.com",),
    ]
