"""gevent and eventlet: a call leaves the hub running, and a token callback may wait in patched sockets."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import mailbearer
from mailbearer.testing import Emulator

HERE = Path(__file__).resolve().parent
#: Made by `make test-python`: these packages patch the standard library, so they have an environment of their own.
RUNTIMES = HERE.parents[1] / "build" / "runtimes" / "venv" / "bin"
COMMANDS = {
    "gevent": [RUNTIMES / "gunicorn", "-k", "gevent", "-w", "1", "-b", "127.0.0.1:0", "--chdir", HERE, "green_app:app"],
    "eventlet": [RUNTIMES / "python", "-W", "ignore", HERE / "green_app.py"],
}


class Gate:
    """The service that the token callback asks: it holds its answer back until it is `open`."""

    def __init__(self, emulator: Emulator) -> None:
        self.asked, self.open = threading.Event(), threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gate.asked.set()
                gate.open.wait(60)
                token = emulator._native.mint("noreply@contoso.com").encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(token)))
                self.end_headers()
                self.wfile.write(token)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture(params=["gevent", "eventlet"])
def served(request: pytest.FixtureRequest, mailbearer_emulator: Emulator) -> Iterator[tuple[str, Gate]]:
    """The application's address, and what its callback asks."""
    gate = Gate(mailbearer_emulator)
    settings = mailbearer_emulator.settings("callback")
    del settings["auth"]["callback"]  # type: ignore[misc, typeddict-item]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "PYTHONPATH": str(Path(mailbearer.__file__).parents[1]),
        "TOKEN_URL": gate.url,
        "MAILER_OPTIONS": json.dumps(settings),
    }
    process = subprocess.Popen(COMMANDS[request.param], env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"Listening at: (http://\S+)", line):
            break
    else:
        raise AssertionError("".join(said))
    # Whatever it says later must not fill the pipe.
    rest = threading.Thread(target=said.extend, args=(process.stderr,))
    rest.start()
    try:
        yield found[1], gate
    finally:
        gate.open.set()
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            rest.join(30)
            gate.server.shutdown()
            gate.server.server_close()
            print("".join(said))


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        text: str = answer.read().decode()
        return text


def test_a_send_leaves_the_hub_running(served: tuple[str, Gate], mailbearer_emulator: Emulator) -> None:
    url, gate = served
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        sends = [pool.submit(get, f"{url}/send") for _ in range(3)]
        assert gate.asked.wait(60), "the token callback's own request did not go out"
        assert get(f"{url}/ping") == "pong", "the hub goes on while calls wait"
        assert not any(send.done() for send in sends)
        gate.open.set()
        assert [send.result(60) for send in sends] == ["ada@example.com"] * 3
    assert len(mailbearer_emulator.wait_for(3)) == 3


def test_a_greenlet_that_gives_up_ends_its_send(served: tuple[str, Gate], mailbearer_emulator: Emulator) -> None:
    url, gate = served
    assert get(f"{url}/killed") == "Timeout", "the token never came"
    gate.open.set()
    assert get(f"{url}/send") == "ada@example.com"
    (only,) = mailbearer_emulator.wait_for(1)
    assert b"late" not in only.raw
