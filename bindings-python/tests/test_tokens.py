"""The token half: caching, callbacks, stores of one's own."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import mailbearer
from mailbearer import AccessToken, AsyncMailer, AsyncTokenSource, Mailer, TokenRequest, TokenSource
from mailbearer.testing import Emulator


def test_a_token_and_its_forms(mailbearer_emulator: Emulator) -> None:
    with TokenSource(**mailbearer_emulator.settings()) as source:
        token = source.get()
        assert source.get() == token, "the second comes from memory"
        assert token.username == "noreply@contoso.com"
        assert token.expires_at is not None and token.expires_at > dt.datetime.now(dt.timezone.utc)
        assert token.claims is not None and "SMTP.SendAsApp" in token.claims["roles"]
        plain = f"user=noreply@contoso.com\x01auth=Bearer {token.secret}\x01\x01"
        assert token.xoauth2() == plain
        assert base64.b64decode(token.xoauth2_base64()).decode() == plain
        assert "user=other@contoso.com" in token.xoauth2("other@contoso.com")
        assert token.oauthbearer("mail.example.com", 587).startswith("n,a=noreply@contoso.com,\x01host=mail")
        assert source.get(force=True) != token
        second = source.get()
        source.invalidate(second.secret)
        assert source.get() != second
        assert source.get(min_remaining="30m", timeout=dt.timedelta(seconds=20)).secret
        assert source.account is None
    with pytest.raises(mailbearer.Closed):
        source.get()


def callback_options(emulator: Emulator, callback: Any) -> dict[str, Any]:
    options: Any = emulator.settings("callback")
    options["auth"]["callback"] = callback
    return dict(options)


def mint(emulator: Emulator) -> str:
    return emulator._native.mint("noreply@contoso.com")


@pytest.mark.parametrize("shape", ["text", "mapping", "access token", "coroutine"])
def test_a_callback_brings_the_token(mailbearer_emulator: Emulator, shape: str) -> None:
    asked: list[TokenRequest] = []
    threads: list[threading.Thread] = []
    soon = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)

    with TokenSource(**mailbearer_emulator.settings("access_token")) as other:
        ready = other.get()

    async def later() -> str:
        await asyncio.sleep(0)
        return mint(mailbearer_emulator)

    def callback(request: TokenRequest) -> Any:
        asked.append(request)
        threads.append(threading.current_thread())
        match shape:
            case "text":
                return mint(mailbearer_emulator)
            case "mapping":
                return {"access_token": mint(mailbearer_emulator), "expires_at": soon}
            case "access token":
                return ready
        return later()

    with Mailer.from_dict(callback_options(mailbearer_emulator, callback)) as mailer:
        mailer.send(to="ada@example.com", text="x")
        mailer.send(to="ada@example.com", text="x")
        if shape == "mapping":
            assert abs((mailer.tokens.get().expires_at or soon) - soon) < dt.timedelta(seconds=1)
    assert len(mailbearer_emulator.wait_for(2)) == 2
    (request,) = asked
    assert (request.username, request.force) == ("noreply@contoso.com", False)
    assert threads != [threading.current_thread()], "the caller's thread waits in the send"


async def test_an_async_callback_runs_on_the_mailers_loop(mailbearer_emulator: Emulator) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def callback(request: TokenRequest) -> Mapping[str, Any]:
        loops.append(asyncio.get_running_loop())
        return {"access_token": mint(mailbearer_emulator), "expires_at": time.time() + 3600}

    async with AsyncMailer.from_dict(callback_options(mailbearer_emulator, callback)) as mailer:
        await mailer.send(to="ada@example.com", text="x")
    assert loops == [asyncio.get_running_loop()]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (LookupError("no such vault"), "LookupError: no such vault"),
        (7, "TypeError"),
        ({"access_token": "x", "expires_at": dt.datetime(2026, 1, 1)}, "time zone"),
        ({}, "KeyError"),
    ],
)
def test_a_failing_callback_is_told(mailbearer_emulator: Emulator, answer: Any, says: str) -> None:
    def callback(request: TokenRequest) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with Mailer.from_dict(callback_options(mailbearer_emulator, callback)) as mailer:
        with pytest.raises(mailbearer.TokenError, match=says) as caught:
            mailer.send(to="ada@example.com", text="x")
    assert caught.value.code == "token_provider_failed"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_function_proves_who_the_application_is(mailbearer_emulator: Emulator, asynchronous: bool) -> None:
    options: dict[str, Any] = mailbearer_emulator.settings()
    del options["auth"]["client_secret"]
    called: list[int] = []

    def prove() -> str:
        called.append(1)
        me = options["auth"]["client_id"]
        claims = {"iss": me, "sub": me, "jti": str(len(called)), "aud": "api://x/token", "exp": 4_000_000_000}
        part = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        return f"e30.{part}.c2ln"

    async def later() -> str:
        return prove()

    options["auth"]["client_assertion"] = later if asynchronous else prove
    with TokenSource(**options) as source:
        assert source.get() != source.get(force=True)
    assert len(called) == 2

    def fail() -> str:
        raise LookupError("no assertion today")

    options["auth"]["client_assertion"] = fail
    with TokenSource(**options) as source, pytest.raises(mailbearer.TokenError) as caught:
        source.get()
    assert caught.value.code == "token_provider_failed" and "no assertion today" in str(caught.value)


def test_a_refused_token_is_asked_for_anew(mailbearer_emulator: Emulator) -> None:
    forced: list[bool] = []

    def callback(request: TokenRequest) -> str:
        forced.append(request.force)
        return mint(mailbearer_emulator)

    with TokenSource.from_dict(callback_options(mailbearer_emulator, callback)) as source:
        refused = source.get()
        source.invalidate(refused)
        assert source.get() != refused
    assert forced == [False, True]


class Shelf:
    """A store of one's own: a compare-and-swap in a dictionary."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[bytes, int]] = {}
        self.lock = threading.Lock()

    def load(self, key: str) -> tuple[bytes, int] | None:
        with self.lock:
            return self.entries.get(key)

    def save(self, key: str, entry: bytes | None, version: int | None) -> bool:
        with self.lock:
            found = self.entries.get(key)
            if (found[1] if found else None) != version:
                return False
            if entry is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = (entry, (version or 0) + 1)
            return True


def test_a_store_of_ones_own_keeps_the_sign_in(mailbearer_emulator: Emulator) -> None:
    shelf = Shelf()
    options: Any = mailbearer_emulator.settings("authorization_code")
    options["store"] = shelf
    with Mailer(**options) as mailer:
        login = mailer.login(redirect_uri="https://app.contoso.com/callback")
        account = login.finish(mailbearer_emulator.sign_in(login.url, username="noreply@contoso.com"))
        assert account.username == "noreply@contoso.com"
    assert shelf.entries
    with Mailer(**options) as mailer:
        mailer.send(to="ada@example.com", text="x")
        mailer.logout()
        with pytest.raises(mailbearer.LoginRequired):
            mailer.tokens.get()
    assert len(mailbearer_emulator.wait_for()) == 1


def test_a_broken_store_is_told(mailbearer_emulator: Emulator) -> None:
    class Broken(Shelf):
        def load(self, key: str) -> tuple[bytes, int] | None:
            raise OSError("the shelf fell down")

    options: Any = mailbearer_emulator.settings("authorization_code")
    with Mailer(**{**options, "store": Broken()}) as mailer:
        with pytest.raises(mailbearer.StoreError, match="OSError: the shelf fell down"):
            mailer.send(to="ada@example.com", text="x")


async def test_an_async_source(mailbearer_emulator: Emulator) -> None:
    async with AsyncTokenSource(**mailbearer_emulator.settings()) as source:
        token = await source.get()
        assert isinstance(token, AccessToken) and await source.secret() == token.secret
        assert (await source.get(force=True, min_remaining=60)) != token
        assert source.account is None
    with pytest.raises(mailbearer.Closed):
        await source.get()


def test_a_source_comes_from_a_file_and_the_environment(
    mailbearer_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = mailbearer_emulator.environ()
    username = environment.pop("MAILBEARER_USERNAME")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "config.toml"
    file.write_text('username = "unknown@contoso.com"\n[profiles.work]\nusername = "work@contoso.com"\n')
    told: list[str] = []
    with TokenSource.from_file(file, profile="work", on_event=lambda event: told.append(event.name)) as source:
        assert source.get().username == "work@contoso.com"
    assert "token.refreshed" in told
    with TokenSource.from_file(file, profile="work", username=username) as source:
        assert source.get().username == username, "the caller's own options win"
    monkeypatch.setenv("MAILBEARER_CONFIG", str(file))
    with TokenSource.from_env(username=username) as source:
        assert source.get().username == username
    with pytest.raises(mailbearer.ConfigError):
        TokenSource.from_file(tmp_path / "missing.toml")
