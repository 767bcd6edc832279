"""Signing in: with a browser, with a code, across two processes."""

from __future__ import annotations

import asyncio
import threading
import urllib.parse
import urllib.request
from typing import Any

import pytest

import mailbearer
from mailbearer import AsyncMailer, Mailer
from mailbearer.testing import Emulator

ADA = "ada@contoso.com"
REDIRECT = "https://app.contoso.com/callback"


def test_a_redirect_uri_of_ones_own(mailbearer_emulator: Emulator) -> None:
    with Mailer(**mailbearer_emulator.settings("authorization_code", ADA)) as mailer:
        with pytest.raises(mailbearer.LoginRequired) as caught:
            mailer.send(to="a@example.com", text="x")
        assert caught.value.hint
        login = mailer.login(redirect_uri=REDIRECT)
        assert login.method == "authorization_code" and login.user_code is None
        assert login.state and login.state in login.url and login.url not in repr(login)
        saved = login.save()
    callback = mailbearer_emulator.sign_in(login.url, username=ADA)
    # Another process goes on, with the form's fields.
    with Mailer(**mailbearer_emulator.settings("authorization_code", ADA)) as mailer:
        fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(callback).query))
        account = mailer.resume_login(saved).finish(fields)
        assert account.username == ADA and account.scopes
        assert mailer.tokens.account == account
        mailer.send(to="a@example.com", text="x")
        with pytest.raises(mailbearer.TokenError) as again:
            mailer.resume_login(saved)
        assert again.value.code == "login_invalid"
    assert mailbearer_emulator.wait_for()[0].username == ADA


def test_a_device_code(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator._native.configure({"device_interval": 0})
    with Mailer(**mailbearer_emulator.settings("device_code", ADA)) as mailer:
        login = mailer.login()
        assert login.user_code and login.user_code in login.message
        assert login.expires_at.tzinfo
        with pytest.raises(mailbearer.TimedOut):
            login.wait(timeout=0.1)
        mailbearer_emulator.approve(login.user_code, username=ADA)
        assert login.wait(timeout="20s").username == ADA
        mailer.send(to="a@example.com", text="x")


def test_a_declined_device_code(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator._native.configure({"device_interval": 0})
    with Mailer(**mailbearer_emulator.settings("device_code", ADA)) as mailer:
        login = mailer.login()
        assert login.user_code
        mailbearer_emulator.approve(login.user_code, username=ADA, decision="deny")
        with pytest.raises(mailbearer.TokenError) as caught:
            login.wait(timeout=20)
        assert caught.value.code == "login_declined"


def test_our_own_listener(mailbearer_emulator: Emulator) -> None:
    with Mailer(**mailbearer_emulator.settings("authorization_code", ADA)) as mailer:
        login = mailer.login()

        def person() -> None:
            callback = mailbearer_emulator.sign_in(login.url, username=ADA)
            urllib.request.urlopen(callback, timeout=20).read()

        browser = threading.Thread(target=person)
        browser.start()
        assert login.wait(timeout=20).username == ADA
        browser.join()


def test_the_wrong_person(mailbearer_emulator: Emulator) -> None:
    with Mailer(**mailbearer_emulator.settings("authorization_code", ADA)) as mailer:
        login = mailer.login(redirect_uri=REDIRECT)
        with pytest.raises(mailbearer.TokenError) as caught:
            login.finish(mailbearer_emulator.sign_in(login.url, username="bob@contoso.com"))
        assert caught.value.code == "account_mismatch"


def test_a_cancelled_sign_in(mailbearer_emulator: Emulator) -> None:
    with Mailer(**mailbearer_emulator.settings("device_code", ADA)) as mailer:
        login = mailer.login()
        login.cancel()
        with pytest.raises(mailbearer.Cancelled):
            login.wait()


def test_nothing_to_sign_in(mailbearer_emulator: Emulator) -> None:
    with Mailer(**mailbearer_emulator.settings()) as mailer:
        with pytest.raises(mailbearer.ConfigError, match="client_credentials"):
            mailer.login()


async def test_async(mailbearer_emulator: Emulator) -> None:
    options: Any = mailbearer_emulator.settings("authorization_code", ADA)
    mailbearer_emulator._native.configure({"device_interval": 0})
    async with AsyncMailer(**options) as mailer:
        login = await mailer.login(redirect_uri=REDIRECT)
        callback = await asyncio.to_thread(mailbearer_emulator.sign_in, login.url, username=ADA)
        account = await mailer.resume_login(login.save()).finish(callback)
        assert account.username == ADA
        await mailer.send(to="a@example.com", text="x")
        await mailer.logout()
        device = await mailer.login(method="device_code")
        assert device.user_code
        await asyncio.to_thread(mailbearer_emulator.approve, device.user_code, username=ADA)
        assert (await device.wait(timeout=20)).username == ADA
