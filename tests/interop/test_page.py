"""The emulator's pages in a real browser: signing in, the inbox, the switches."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import skip
from emulator import Emulator
from faces import EMULATOR, Face, start

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "interop"
ME = "noreply@contoso.com"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    found = Emulator(EMULATOR)
    yield found
    found.close()


@pytest.fixture
def face(tmp_path: Path) -> Iterator[Face]:
    found = start("python", tmp_path)
    yield found
    found.call({"op": "close"})
    found.close()


def browse(*steps: list[str]) -> list[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        skip("no Chromium here")
    environment = {**os.environ, "NODE_PATH": str(BUILD / "node_modules"), "CHROMIUM": str(chromium)}
    command = ["node", HERE / "peers" / "browser.cjs", json.dumps(steps)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    seen: list[Any] = json.loads(ran.stdout)
    return seen


@pytest.mark.parametrize("press", ["Approve", "Deny"])
def test_a_person_signs_in_at_the_page(emulator: Emulator, face: Face, press: str) -> None:
    options = emulator.settings("authorization_code", ME)
    begun = face.call({"op": "login", "options": options})["ok"]
    answers: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(face.call({"op": "wait"})))
    waiting.start()
    asked, title, told = browse(["go", begun["url"]], ["text"], ["title"], ["press", press], ["text"])
    waiting.join(30)
    assert title == "Sign in" and "SMTP.Send" in asked and "No password is needed" in asked
    if press == "Approve":
        assert answers[0]["ok"]["username"] == ME and f"{ME} is signed in" in told
        assert "ok" in face.call({"op": "send", "message": {"to": ["ada@example.com"], "subject": "x", "text": "x"}})
    else:
        assert answers[0]["error"]["code"] == "login_declined" and "declined" in told


def test_a_code_is_typed_in_on_another_device(emulator: Emulator, face: Face) -> None:
    emulator.post("configure", device_interval=1)
    options = emulator.settings("device_code", ME)
    begun = face.call({"op": "login", "options": options})["ok"]
    answers: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(face.call({"op": "wait"})))
    waiting.start()
    wrong, done = browse(
        ["go", begun["url"]], ["fill", "Code", "WRONGCODE"], ["press", "Approve"], ["text"],
        ["fill", "Code", begun["user_code"]], ["press", "Approve"], ["text"],
    )  # fmt: skip
    waiting.join(30)
    assert "signed in on your device" in done and "signed in" not in wrong
    assert answers[0]["ok"]["username"] == ME


def test_the_inbox_shows_a_message_and_runs_nothing_of_it(emulator: Emulator, face: Face) -> None:
    html = "<h2>Quarterly report</h2><p>All is <b>well</b>.</p><script>alert('run')</script><img src=x onerror=alert(1)>"
    message = {
        "to": ["Ada Lovelace <ada@example.com>"],
        "subject": "Report <script>alert('subject')</script>",
        "text": "All is well.",
        "html": html,
        "attachments": [{"content": "a;b\n1;2\n", "filename": "table.csv", "content_type": "text/csv"}],
    }
    message["to"] = ["ada@example.com"]
    assert "ok" in face.call({"op": "send", "options": emulator.settings("client_credentials", ME), "message": message})
    shot = BUILD / "inbox.png"
    inbox, text, frame, (name, content), troubles = browse(
        ["go", f"{emulator.url}/"], ["text"], ["follow", message["subject"]], ["text"], ["frame"],
        ["shot", str(shot)], ["download", "table.csv"], ["troubles"],
    )  # fmt: skip
    assert message["subject"] in inbox and "ada@example.com" in inbox and "client_credentials" in inbox
    assert "All is well." in text and "Content-Type: multipart/mixed" in text
    for line in ("C: MAIL FROM:<noreply@contoso.com>", "C: AUTH XOAUTH2", "S: 235 ", "S: 354 ", "S: 250 2.0.0 OK"):
        assert line in text, f"{line} is not in\n{text}"
    assert "eyJ" not in text and "Quarterly report" in frame
    assert (name, base64.b64decode(content)) == ("table.csv", b"a;b\n1;2\n")
    assert troubles == [], "nothing of a message may run"
    assert shot.stat().st_size > 10_000


def test_a_switch_makes_it_go_wrong_and_another_puts_it_right(emulator: Emulator, face: Face) -> None:
    message = {"to": ["ada@example.com"], "subject": "x", "text": "x"}
    send = {"op": "send", "message": message}
    options = emulator.settings("client_credentials", ME)
    shown, healed = browse(
        ["go", f"{emulator.url}/"], ["choose", "Fault", "smtp_auth_off"], ["choose", "How often", "0"],
        ["press", "Let it go wrong"], ["text"],
        ["press", "Nothing goes wrong"], ["text"],
        ["choose", "Fault", "smtp_auth_off"], ["choose", "How often", "1"], ["press", "Let it go wrong"],
    )  # fmt: skip
    assert "for ever" in shown and "5.7.139" in shown and "5.7.139" not in healed
    assert face.call({**send, "options": options})["error"]["code"] == "smtp_auth_disabled"
    assert "ok" in face.call(send)
    browse(["go", f"{emulator.url}/"], ["press", "Forget everything"])
    assert emulator.seen()["messages"] == []
