"""The traps of a process: fork, exit with work in flight, Ctrl-C, a light import."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailbearer import Mailer
from mailbearer.testing import Emulator

#: How often a process is ended with work in flight.
EXITS = int(os.environ.get("TEST_EXITS", "200"))

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a forked child; its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def wait_all(pids: list[int], seconds: float = 60) -> list[int]:
    """The exit codes; a child that hangs is killed and counts as -9."""
    codes = []
    until = time.monotonic() + seconds
    for pid in pids:
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                ended = os.waitpid(pid, 0)
                break
            time.sleep(0.01)
        codes.append(os.waitstatus_to_exitcode(ended[1]))
    return codes


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_sends_with_the_inherited_mailer(
    mailbearer_mailer: Mailer, mailbearer_emulator: Emulator
) -> None:
    mailbearer_mailer.send(to="parent@example.com", text="x")
    child = in_child(lambda: print(mailbearer_mailer.send(to="child@example.com", text="x")))
    assert wait_all([child]) == [0]
    # The parent's connection is its own still.
    mailbearer_mailer.send(to="parent@example.com", text="x")
    seen = [message.rcpt_to[0] for message in mailbearer_emulator.wait_for(3)]
    assert seen == ["parent@example.com", "child@example.com", "parent@example.com"]


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_eight_children_make_eighty_different_messages(
    mailbearer_mailer: Mailer, mailbearer_emulator: Emulator
) -> None:
    mailbearer_mailer.send(to="parent@example.com", text="x", html="y")

    def ten() -> None:
        for _ in range(10):
            mailbearer_mailer.send(to="child@example.com", text="x", html="y", timeout=50)

    assert wait_all([in_child(ten) for _ in range(8)]) == [0] * 8
    messages = mailbearer_emulator.wait_for(81)[1:]
    assert len({message.parsed["Message-ID"] for message in messages}) == 80
    assert len({message.parsed.get_boundary() for message in messages}) == 80


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_other_threads_send(mailbearer_mailer: Mailer, mailbearer_emulator: Emulator) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(mailbearer_mailer.send, to="p@example.com", text="x") for _ in range(40)]
        children = [
            in_child(lambda: print(mailbearer_mailer.send(to="c@example.com", text="x"))) for _ in range(4)
        ]
        assert wait_all(children) == [0] * 4
        assert all(future.result().accepted for future in running)
    assert len(mailbearer_emulator.wait_for(44)) == 44


EXIT = """
import asyncio, sys, threading
from mailbearer import AsyncMailer, Mailer
way = sys.argv[1]
mailer = Mailer.from_env()
sends = [dict(to="ada@example.com", subject=str(i), text="x") for i in range(8)]
if way == "daemon":
    for fields in sends:
        threading.Thread(target=lambda fields=fields: mailer.send(**fields), daemon=True).start()
elif way == "bulk":
    next(mailer.send_many(dict(to="ada@example.com", text="x") for _ in range(100)))
elif way == "async":
    async def main():
        amailer = AsyncMailer.from_env()
        tasks = [asyncio.ensure_future(amailer.send(**fields)) for fields in sends]
        await asyncio.sleep(0.01)
        for task in tasks: task._log_destroy_pending = False
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
elif way == "storm":
    # Hundreds of calls that end at any moment, also while the interpreter does.
    async def main():
        memory = AsyncMailer(provider="memory", from_="a@example.com")
        for _ in range(500):
            task = asyncio.ensure_future(memory.send(to="b@example.com", text="x" * 5000))
            task._log_destroy_pending = False
        await asyncio.sleep(0)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
elif way == "callback":
    import time
    def slow(request):
        time.sleep(60)
    slow_mailer = Mailer(provider="gmail", username="a@example.com", auth={"grant": "callback", "callback": slow})
    threading.Thread(target=lambda: slow_mailer.send(to="b@example.com", text="x"), daemon=True).start()
    time.sleep(0.02)
"""


def test_exit_with_work_in_flight_never_crashes(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("end", delay=0.05, times=0)
    environment = {**os.environ, **mailbearer_emulator.environ()}
    ways = ["daemon", "bulk", "async", "storm", "callback"]

    def once(turn: int) -> tuple[str, int, str]:
        way = ways[turn % len(ways)]
        ended = subprocess.run(
            [sys.executable, "-c", EXIT, way], env=environment, capture_output=True, text=True, timeout=60
        )
        return way, ended.returncode, ended.stderr

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for way, code, errors in pool.map(once, range(EXITS)):
            assert code == 0, f"{way} ended with {code}: {errors}"
            assert not re.search(r"panicked|Fatal Python error|Segmentation", errors), errors


INTERRUPTED = """
import json, signal, sys
from mailbearer import Mailer
# As in a terminal, though the test run itself may have been started with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
events = []
mailer = Mailer.from_dict({**json.loads(sys.argv[1]), "on_event": lambda e: events.append([e.name, dict(e.fields)])})
try:
    mailer.send(to="ada@example.com", text="x", tag="mine")
except KeyboardInterrupt:
    print(json.dumps(events))
    raise
"""


def test_ctrl_c_ends_a_blocking_send(
    program: Callable[..., subprocess.Popen[str]], silent: socket.socket, silent_options: dict[str, Any]
) -> None:
    process = program(INTERRUPTED, json.dumps({**silent_options, "smtp": {**silent_options["smtp"], "timeouts": {}}}))
    connection, _ = silent.accept()
    with connection:
        process.send_signal(signal.SIGINT)
        # Far below what the greeting may take.
        out, errors = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT, errors
    assert "KeyboardInterrupt" in errors
    names = {name: fields for name, fields in json.loads(out)}
    assert names["send.cancelled"]["delivery"] == "none" and names["send.cancelled"]["tag"] == "mine"


def test_the_import_is_light() -> None:
    text = "import sys; before = set(sys.modules); import mailbearer; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"asyncio", "dataclasses", "email", "email.message", "inspect", "json", "logging", "pathlib", "ssl", "typing"}
    assert not heavy & set(found)


def test_the_command_line_is_there() -> None:
    ended = subprocess.run([sys.executable, "-m", "mailbearer", "--help"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and "sendmail" in ended.stdout


def control(emulator: Emulator, what: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{emulator.url}/api/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=20).close()


def test_a_program_that_ends_early_keeps_what_its_refresh_token_was_exchanged_for(
    program: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    text = """
import json, sys
from mailbearer import Mailer, NetworkError
mailer = Mailer(**json.loads(sys.argv[1]))
try:
    mailer.send(to="ada@example.com", text="x")
except NetworkError:
    print("not connected")
"""
    with Emulator() as emulator:
        control(emulator, "configure", {"refresh_rotation": "reuse_detection"})
        settings = emulator.settings("refresh_token")
        settings["store"] = {"kind": "file", "path": str(tmp_path / "tokens.json")}
        nowhere = {**settings, "smtp": {**settings["smtp"], "port": 1}, "retry": {"attempts": 1}}
        # The mail server is not there, which is known long before the new token comes.
        control(emulator, "fail", {"at": "token", "after": True, "delay": 2.0})
        out, err = program(text, json.dumps(nowhere)).communicate(timeout=60)
        assert (out, err) == ("not connected\n", "")
        with Mailer(**settings) as mailer:
            mailer.tokens.get(force=True)
            mailer.send(to="ada@example.com", text="x")


SUBINTERPRETER = """
import _xxsubinterpreters as interpreters, sys

inner = '''
import asyncio, mailbearer
way = %r
if way == "async":
    async def main():
        async with mailbearer.AsyncMailer.from_env() as mailer:
            await mailer.send(to="inner@example.com", text="x")
    asyncio.run(main())
else:
    kept = mailbearer.Mailer.from_env()
    kept.send(to="inner@example.com", text="x")
''' % sys.argv[1]
if "main first" in sys.argv:
    import mailbearer
made = interpreters.create()
interpreters.run_string(made, inner)
if "left over" not in sys.argv:
    interpreters.destroy(made)
if "only inner" not in sys.argv:
    import mailbearer
    print(mailbearer.Mailer.from_env().send(to="main@example.com", text="x").accepted[0])
"""


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from 3.12 on, a sub-interpreter cannot import the package")
@pytest.mark.parametrize("way", ["blocking", "async"])
@pytest.mark.parametrize("order", ["main first", "inner first", "only inner", "left over"])
def test_the_end_of_a_sub_interpreter_ends_nothing_else(mailbearer_emulator: Emulator, way: str, order: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SUBINTERPRETER, way, order],
        env={**os.environ, **mailbearer_emulator.environ()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ([] if order == "only inner" else ["main@example.com"])
