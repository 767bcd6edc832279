"""No secret in the local variables of our frames: programs that report errors send those along (Sentry does)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest

import mailbearer
from mailbearer import AsyncMailer, AsyncTokenSource, Mailer, TokenSource
from mailbearer.testing import Emulator

SECRET = "s3cret-of-the-application"


def options(**more: Any) -> dict[str, Any]:
    auth = {"grant": "client_credentials", "tenant": "contoso.com", "client_id": "x", "client_secret": SECRET}
    return {"provider": "microsoft365", "username": "noreply@contoso.com", "auth": auth, **more}


def locals_of_ours(trace: TracebackType | None) -> list[str]:
    """What a report of an error would show of our frames."""
    found = []
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals["__name__"].startswith("mailbearer"):
            found += [f"{frame.f_code.co_qualname if hasattr(frame.f_code, 'co_qualname') else ''} {name}={value!r}"
                      for name, value in frame.f_locals.items()]
        trace = trace.tb_next
    return found


@pytest.mark.parametrize("face", [Mailer, AsyncMailer, TokenSource, AsyncTokenSource])
@pytest.mark.parametrize(
    "wrong",
    [
        {"retri": {}},
        {"timeout": object()},
        {"smtp": {"port": "x"}},
        {"on_event": 7},
        {"from_": 7},
        {"limits": {1: 2}},
    ],
)
def test_refused_options(face: Any, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILBEARER_TIMEOUT", "1m")
    ways: list[Callable[[], Any]] = [
        lambda: face(**options(**wrong)),
        lambda: face.from_dict(options(**wrong)),
        lambda: face.from_env(**options(**wrong)),
        lambda: face.from_file("/nowhere.toml", **options(**wrong)),
    ]
    for make in ways:
        with pytest.raises((mailbearer.ConfigError, TypeError)) as caught:
            make()
        shown = locals_of_ours(caught.value.__traceback__)
        assert shown, "our own frame is there"
        assert SECRET not in str(shown)
        assert caught.value.__context__ is None


def test_events_at_the_start() -> None:
    frames: list[str] = []

    def on_event(_: mailbearer.Event) -> None:
        frame: Any = sys._getframe(1)
        while frame is not None:
            if frame.f_globals["__name__"].startswith("mailbearer"):
                frames.extend(f"{name}={value!r}" for name, value in frame.f_locals.items())
            frame = frame.f_back

    # A delegated grant that keeps its tokens in memory warns.
    auth = {"grant": "refresh_token", "tenant": "contoso.com", "client_id": "x", "refresh_token": SECRET}
    with Mailer(**{**options(), "auth": auth, "on_event": on_event}):
        assert frames, "there was an event"
    assert SECRET not in str(frames)


def test_sign_ins(mailbearer_emulator: Emulator) -> None:
    with TokenSource(**mailbearer_emulator.settings("authorization_code")) as source:
        with pytest.raises(mailbearer.TokenError) as caught:
            source.resume_login(SECRET)
        assert SECRET not in str(locals_of_ours(caught.value.__traceback__))
        with pytest.raises(mailbearer.Error) as wrong:
            source.import_login(SECRET)
        assert SECRET not in str(locals_of_ours(wrong.value.__traceback__))
        flow = source.login(redirect_uri="https://app.example.com/callback")
        with pytest.raises(mailbearer.TokenError) as refused:
            flow.finish({"code": SECRET, "state": "of another"})
        assert SECRET not in str(locals_of_ours(refused.value.__traceback__))


def test_a_half_built_mailer_can_be_printed() -> None:
    assert repr(Mailer.__new__(Mailer)) == "<Mailer>"
    assert repr(TokenSource.__new__(TokenSource)) == "<TokenSource>"
