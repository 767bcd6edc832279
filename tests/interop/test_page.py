"""The emulator's pages in a real browser: signing in, the inbox, the switches."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
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
    shown, wrong, done, idle = browse(
        ["go", begun["url"]], ["text"], ["fill", "Code", "WRONGCODE"], ["fill", "Account", ME], ["press", "Approve"], ["text"],
        ["follow", begun["user_code"]], ["fill", "Account", ME], ["press", "Approve"], ["text"], ["go", begun["url"]], ["text"],
    )  # fmt: skip
    waiting.join(30)
    assert begun["user_code"] in shown and "send mail as you" in shown and ME not in shown, "no account is suggested"
    assert f"signed in on your device as {ME}" in done and "no device shows the code" in wrong
    assert "No device waits" in idle
    assert answers[0]["ok"]["username"] == ME


CHART = "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='30'><rect width='40' height='30' fill='teal'/></svg>"


def test_a_message_is_shown_from_all_sides_and_runs_nothing(emulator: Emulator, face: Face) -> None:
    html = (
        "<h2>Quarterly report</h2><p>All is <b>well</b>.</p><img src='cid:chart@contoso.com'>"
        "<img src='https://tracker.example/pixel.png'><script>alert('run')</script><img src=x onerror=alert(1)>"
    )
    message = {
        "to": ["ada@example.com"],
        "subject": "Report <script>alert('subject')</script>",
        "text": "Nothing has changed.",
        "html": html,
        "attachments": [
            {"content": "a;b\n1;2\n", "filename": "table.csv", "content_type": "text/csv"},
            {"content": CHART, "filename": "chart.svg", "content_type": "image/svg+xml", "content_id": "chart@contoso.com"},
        ],
    }
    assert "ok" in face.call({"op": "send", "options": emulator.settings("client_credentials", ME), "message": message})
    inbox, shown, frame, images, text, headers, source, (name, content), troubles = browse(
        ["go", f"{emulator.url}/"], ["text"], ["follow", message["subject"]], ["text"], ["frame"], ["images"],
        ["follow", "Text"], ["text"], ["follow", "Headers"], ["text"], ["follow", "Source"], ["text"],
        ["download", "table.csv"], ["troubles"],
    )  # fmt: skip
    assert message["subject"] in inbox and "ada@example.com" in inbox
    assert "Quarterly report" in frame and images == [40, 0, 0], "its own image is shown, no other is loaded"
    assert "Nothing has changed." in text and "MIME-Version" in headers and "Content-Type: multipart/mixed" in source
    for line in ("C: MAIL FROM:<noreply@contoso.com>", "C: AUTH XOAUTH2", "S: 235 ", "S: 354 ", "S: 250 2.0.0 OK"):
        assert line in shown and line in source, f"{line} is not in\n{shown}"
    assert "eyJ" not in shown
    assert (name, base64.b64decode(content)) == ("table.csv", b"a;b\n1;2\n")
    assert troubles == [], "nothing of a message may run"


SEND = r"""
import base64, json, smtplib, ssl, sys, urllib.request
url, port, subject, token = sys.argv[1:]
if not token:
    ask = urllib.request.Request(url + "/api/mint", data=b"{}", method="POST")
    token = json.load(urllib.request.urlopen(ask))["access_token"]
smtp = smtplib.SMTP("localhost", int(port))
smtp.starttls(context=ssl._create_unverified_context())
smtp.ehlo()
line = f"user=noreply@contoso.com\x01auth=Bearer {token}\x01\x01".encode()
code, text = smtp.docmd("AUTH", "XOAUTH2 " + base64.b64encode(line).decode())
if code == 235:
    smtp.sendmail("noreply@contoso.com", ["ada@example.com"], f"Subject: {subject}\r\n\r\nThe word is {subject[::-1]}.")
smtp.quit()
"""


CLEAR = """
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/api/messages", method="DELETE"))
"""


def test_the_page_follows_what_happens_and_searches(emulator: Emulator) -> None:
    def send(subject: str, token: str = "") -> list[str]:
        port = str(emulator.about["smtp_port"])
        return ["run", sys.executable, "-c", SEND, emulator.url, port, subject, token]

    empty, both, one, none, connections = browse(
        ["go", f"{emulator.url}/"], ["wait", "live"], ["text"], send("Alpha"), ["wait", "Alpha"],
        send("Beta"), ["wait", "Beta"], ["wait", "2 messages"], ["text"],
        ["fill", "Search messages", "the word is ahplA"], ["gone", "Beta"], ["text"],
        ["fill", "Search messages", "Gamma"], ["wait", "0 of 2 messages"], ["text"],
        ["follow", "Connections"], send("Delta", "wrong"), ["wait", "535 5.7.3"], ["text"],
    )  # fmt: skip
    assert "No messages yet" in empty and "Send a message here" in empty
    assert "Alpha" in both and "Beta" in both
    assert "Alpha" in one and "1 of 2 messages" in one and "Alpha" not in none
    assert "Connection 3" in connections and "Delta" not in connections


def test_a_switch_makes_it_go_wrong_and_another_puts_it_right(emulator: Emulator, face: Face) -> None:
    message = {"to": ["ada@example.com"], "subject": "x", "text": "x"}
    send = {"op": "send", "message": message}
    options = emulator.settings("client_credentials", ME)
    shown, healed, off = browse(
        ["go", f"{emulator.url}/connections"], ["switch", "SMTP AUTH is off for the mailbox"], ["text"],
        ["press", "Remove all faults"], ["text"],
        ["switch", "The server is busy"], ["switch", "The server is busy"], ["text"],
        ["choose", "How often", "1"], ["switch", "SMTP AUTH is off for the mailbox"],
    )  # fmt: skip
    assert "(always)" in shown and "5.7.139" in shown and "5.7.139" not in healed and "451 4.3.0" not in off
    assert "Choose a connection" in shown, "a switch leads back to where it was pressed"
    assert face.call({**send, "options": options})["error"]["code"] == "smtp_auth_disabled"
    assert "ok" in face.call(send)
    tokens, _ = browse(
        ["go", f"{emulator.url}/tokens"], ["text"],
        ["switch", "Refuse senders and clients only at RCPT, as Postfix does"], ["press", "Delete messages and log"], ["text"],
    )  # fmt: skip
    assert "client_credentials" in tokens
    assert emulator.seen()["messages"] == []
    for clear in (["press", "Delete messages and log"], ["run", sys.executable, "-c", CLEAR, emulator.url]):
        assert "ok" in face.call({**send, "options": options})
        (gone,) = browse(["go", f"{emulator.url}/messages/1"], ["wait", "live"], clear, ["wait", "No messages yet"], ["text"])
        assert "Send a message here" in gone, "the page of a message that is gone leads back to the start"
    emulator.post("fail", at="mail", reply="553 5.7.1 <x@contoso.com>: Sender address rejected: not owned by user")
    refused = face.call({**send, "options": options})
    assert "error" in refused
    assert [reply for reply in emulator.seen()["commands"][-1] if reply.startswith("RCPT")], "MAIL was taken"
