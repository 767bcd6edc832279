"""Options: how Python's own types cross, and how mistakes are told."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest

import mailbearer
from mailbearer import Mailer, TokenSource
from mailbearer._options import split
from mailbearer.testing import Emulator


def test_durations_paths_and_people_become_plain_data() -> None:
    plain, host = split(
        {
            "provider": "custom",
            "from_": Address("Ada", "ada", "example.com"),
            "timeout": dt.timedelta(minutes=1),
            "retry": {"attempts": 2, "base_delay": 0.5, "max_delay": "10s"},
            "limits": {"max_connections": 3, "idle_timeout": None, "max_age": 60},
            "smtp": {"port": 587, "timeouts": {"connect": 1, "final_reply": 1e-5}},
            "tls": {"roots": Path("/ca.pem")},
            "files": [Path("/srv"), "/tmp"],
            "auth": {"grant": "callback", "callback": print, "scopes": ("smtp", "imap")},
            "on_event": print,
        }
    )
    assert plain == {
        "provider": "custom",
        "from": {"name": "Ada", "address": "ada@example.com"},
        "timeout": "60.000000s",
        "retry": {"attempts": 2, "base_delay": "0.500000s", "max_delay": "10s"},
        "limits": {"max_connections": 3, "idle_timeout": None, "max_age": "60.000000s"},
        "smtp": {"port": 587, "timeouts": {"connect": "1.000000s", "final_reply": "0.000010s"}},
        "tls": {"roots": "/ca.pem"},
        "files": ["/srv", "/tmp"],
        "auth": {"grant": "callback", "scopes": ["smtp", "imap"]},
    }
    assert host.callback is print and host.on_event is print and host.store is None


@pytest.mark.parametrize(
    ("options", "field", "says"),
    [
        ({}, "provider", "missing"),
        ({"provider": "gmial"}, "provider", "gmail"),
        ({"provider": "memory", "tmeout": "1s"}, "tmeout", "did you mean `timeout`"),
        ({"provider": "memory", "timeout": "10"}, "timeout", "duration"),
        ({"provider": "memory", "timeout": -1}, "timeout", "out of range"),
        ({"provider": "memory", "smtp": {"port": "x"}}, "smtp.port", "smtp.port"),
        ({"provider": "memory", "username": object()}, "username", "object"),
        ({"provider": "memory", "on_event": "print"}, "on_event", "function"),
        ({"provider": "memory", "from_": 7}, "from", "no mailbox"),
        ({"provider": "gmail", "auth": {"grant": "callback", "callback": 7}}, "auth.callback", "function"),
        ({"provider": "gmail", "auth": {"grant": "authorization_code", "tennant": "x"}}, "auth.tennant", "tenant"),
    ],
)
def test_a_mistake_names_its_option(options: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(mailbearer.ConfigError) as caught:
        Mailer.from_dict(options)
    assert caught.value.field == field
    assert says in str(caught.value)


def test_a_dictionary_says_from() -> None:
    with Mailer.from_dict({"provider": "memory", "from": "me@example.com"}) as mailer:
        assert mailer.send(to="a@example.com", text="x").envelope.mail_from == "me@example.com"


def test_a_secret_is_read_where_it_stands(
    mailbearer_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options: Any = mailbearer_emulator.settings()
    secret = options["auth"]["client_secret"]
    monkeypatch.setenv("THE_SECRET", secret)
    file = tmp_path / "secret"
    file.write_text(secret + "\n")
    for place in ({"env": "THE_SECRET"}, {"file": file}, {"command": ["cat", str(file)]}):
        options["auth"]["client_secret"] = place
        with Mailer.from_dict(options) as mailer:
            assert mailer.tokens.get(force=True).secret
    options["auth"]["client_secret"] = {"env": "NOT_SET_ANYWHERE"}
    with pytest.raises(mailbearer.ConfigError, match="NOT_SET_ANYWHERE"):
        Mailer.from_dict(options)


def test_from_env(mailbearer_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in mailbearer_emulator.environ().items():
        monkeypatch.setenv(name, value)
    with Mailer.from_env(from_=("Env", "noreply@contoso.com"), timeout=20) as mailer:
        mailer.send(to="ada@example.com", text="x")
    assert mailbearer_emulator.wait_for()[0].parsed["From"] == "Env <noreply@contoso.com>"
    with TokenSource.from_env() as source:
        assert source.get().secret


def test_from_file(mailbearer_emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MAILBEARER_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "config.toml"
    file.write_text('provider = "memory"\nfrom = "base@example.com"\n[profiles.work]\nfrom = "work@example.com"\n')

    def sender(mailer: Mailer) -> str:
        with mailer:
            return mailer.send(to="a@example.com", text="x").envelope.mail_from

    assert sender(Mailer.from_file(file)) == "base@example.com"
    assert sender(Mailer.from_file(str(file), profile="work")) == "work@example.com"
    assert sender(Mailer.from_file(file, profile="work", from_="me@example.com")) == "me@example.com"
    monkeypatch.setenv("MAILBEARER_CONFIG", str(file))
    assert sender(Mailer.from_file()) == "base@example.com"
    assert sender(Mailer.from_env()) == "base@example.com"
    with pytest.raises(mailbearer.ConfigError, match="missing.toml"):
        Mailer.from_file(tmp_path / "missing.toml")


def test_files_can_be_denied(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    for folder in (inside, tmp_path):
        (folder / "a.txt").write_text("x")
    with Mailer(provider="memory", from_="me@example.com", files="deny") as mailer:
        with pytest.raises(mailbearer.MessageError):
            mailer.send(to="a@example.com", attachments=[inside / "a.txt"])
    with Mailer(provider="memory", from_="me@example.com", files=[inside]) as mailer:
        mailer.send(to="a@example.com", attachments=[inside / "a.txt"])
        with pytest.raises(mailbearer.MessageError):
            mailer.send(to="a@example.com", attachments=[tmp_path / "a.txt"])


def test_a_command_says_its_secret_where_sigchld_is_ignored(mailbearer_emulator: Emulator) -> None:
    program = """
import json, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from mailbearer import TokenSource
with TokenSource.from_dict(json.loads(sys.argv[1])) as source:
    print(len(source.get().secret) > 0)
"""
    options: Any = mailbearer_emulator.settings()
    options["auth"]["client_secret"] = {"command": ["echo", options["auth"]["client_secret"]]}
    ended = subprocess.run([sys.executable, "-c", program, json.dumps(options)], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "True\n", ended.stderr
