"""The emulator and its fixtures, as users' own tests meet them."""

from __future__ import annotations

import datetime as dt
import json
import urllib.request
from typing import Any

import pytest

import mailbearer
from mailbearer import Mailer
from mailbearer.testing import Emulator

pytest_plugins = ["pytester"]


def test_grants(mailbearer_emulator: Emulator) -> None:
    for grant in ("client_credentials", "refresh_token", "access_token", "callback"):
        mailbearer_emulator.clear()
        with Mailer(**mailbearer_emulator.settings(grant, "ada@contoso.com")) as mailer:
            mailer.send(to="bob@example.com", subject=grant, text="x")
        assert mailbearer_emulator.wait_for()[0].parsed["Subject"] == grant


def test_google(mailbearer_emulator: Emulator) -> None:
    with Emulator(dialect="google") as emulator:
        with Mailer(**emulator.settings("refresh_token", "ada@gmail.com")) as mailer:
            mailer.send(to="bob@example.com", text="x")
        assert emulator.wait_for()[0].username == "ada@gmail.com"


def test_expired_and_revoked(mailbearer_emulator: Emulator) -> None:
    with Mailer(**mailbearer_emulator.settings("refresh_token", "ada@contoso.com")) as mailer:
        mailer.send(to="bob@example.com", text="x")
        mailbearer_emulator.revoke("ada@contoso.com")
        with pytest.raises(mailbearer.LoginRequired):
            mailer.tokens.get(force=True)


def test_waiting_tells_how_many_came(mailbearer_emulator: Emulator) -> None:
    with pytest.raises(TimeoutError, match="0"):
        mailbearer_emulator.wait_for(1, timeout=0.01)
    with pytest.raises(ValueError, match="rcpt"):
        mailbearer_emulator.fail("nowhere")


def test_it_stops() -> None:
    with Emulator() as emulator:
        assert emulator.ca_file.exists()
        with urllib.request.urlopen(emulator.url, timeout=20) as page:
            assert page.status == 200
    emulator.close()
    assert not emulator.ca_file.exists()
    with pytest.raises(ValueError, match="stopped"):
        emulator.messages  # noqa: B018


def test_the_fixtures_are_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_mail(mailbearer_mailer, mailbearer_emulator):
            mailbearer_mailer.send(to="ada@example.com", text="x")
            assert mailbearer_emulator.wait_for()[0].rcpt_to == ("ada@example.com",)
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_options_are_plain_data(mailbearer_emulator: Emulator) -> None:
    assert json.loads(json.dumps(mailbearer_emulator.settings()))["provider"] == "microsoft365"


@pytest.mark.parametrize("delay", [0.01, "10ms", dt.timedelta(milliseconds=10)])
def test_durations_are_durations(mailbearer_emulator: Emulator, mailbearer_mailer: Mailer, delay: Any) -> None:
    mailbearer_emulator.fail("mail", delay=delay)
    mailbearer_mailer.send(to="ada@example.com", text="x")
    assert mailbearer_emulator.wait_for(1, timeout=dt.timedelta(seconds=20))
    assert mailbearer_emulator.wait_for(1, timeout="20s")
    with pytest.raises(mailbearer.ConfigError, match="`delay`: `10` is not a duration"):
        mailbearer_emulator.fail("mail", delay="10")
