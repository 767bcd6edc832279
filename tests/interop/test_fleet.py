"""`limits.shared`: processes that share a mailbox's limits on a real Redis."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import skip
from emulator import Emulator
from redis_server import Redis
from servers import until
from worker import Worker

# Linux has it; elsewhere a reset alone is seen at once.
HUNG_UP = getattr(select, "POLLRDHUP", 0)


class Gate:
    """Stands before the mail server, and counts the connections that are open at once."""

    def __init__(self, port: int) -> None:
        self.behind = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.clients: set[socket.socket] = set()
        self.most = self.all = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.clients.add(client)
                self.all += 1
                self.most = max(self.most, self.held())
            server = socket.create_connection(("127.0.0.1", self.behind))
            threading.Thread(target=self.pass_on, args=(client, server), daemon=True).start()

    def held(self) -> int:
        # By the kernel's account: the thread that passes on may not have run since a client closed.
        poll = select.poll()
        for client in self.clients:
            poll.register(client, HUNG_UP)
        return len(self.clients) - len(poll.poll(0))

    @property
    def open(self) -> int:
        with self.lock:
            return self.held()

    def pass_on(self, client: socket.socket, server: socket.socket) -> None:
        both = {client: server, server: client}
        try:
            while True:
                for end in select.select(list(both), [], [])[0]:
                    octets = end.recv(65536)
                    # The client's end counts: a server closes as it likes.
                    if not octets:
                        return
                    both[end].sendall(octets)
        except OSError:
            return
        finally:
            with self.lock:
                self.clients.discard(client)
            client.close()
            server.close()

    def close(self) -> None:
        self.listener.close()


class Sender(Worker):
    def __init__(self, language: str, options: dict[str, Any]) -> None:
        super().__init__(language, "fleet", options)

    def send(self, count: int, subject: str = "x", **order: Any) -> None:
        self.tell({"count": count, "subject": subject, **order})


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        skip("not installed: redis-server; tests/interop/install.sh does it")
    made = Redis(folder / "r")
    yield made
    made.close()


@pytest.fixture
def redis(server: Redis) -> Redis:
    if server.process is None:
        # The test before failed while it was stopped.
        server.start()
    # A server that has just started lends nothing at first, in case somebody holds something.
    until(lambda: server.uptime() >= 5, "Redis to be of age")
    server.ask("FLUSHALL")
    return server


@pytest.fixture
def gate(emulator: Emulator) -> Iterator[Gate]:
    made = Gate(emulator.settings("client_credentials", "noreply@contoso.com")["smtp"]["port"])
    yield made
    made.close()


Fleet = Callable[..., Sender]


@pytest.fixture
def fleet(emulator: Emulator, gate: Gate, redis: Redis) -> Iterator[Fleet]:
    emulator.clear()
    started: list[Sender] = []

    def start(language: str = "python", **limits: Any) -> Sender:
        found = emulator.settings("client_credentials", "noreply@contoso.com")
        given = {"max_connections": 3, "messages_per_minute": None, "shared": redis.url, **limits}
        smtp = {**found["smtp"], "port": gate.port}
        started.append(Sender(language, {**found, "smtp": smtp, "limits": given}))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


def messages(emulator: Emulator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = emulator.get("messages")
    return found


def all_sent(workers: list[Sender], emulator: Emulator, count: int) -> list[dict[str, Any]]:
    told = [worker.result() for worker in workers]
    results = [result for one in told for result in one["results"]]
    failed = [result for result in results if result["outcome"] != "sent"]
    assert not failed, failed[:3]
    ids = sorted(result["id"] for result in results)
    assert ids == sorted(message["message_id"] for message in messages(emulator))
    assert len(ids) == len(set(ids)) == count
    return told


def test_eight_processes_never_have_more_than_three_connections(fleet: Fleet, gate: Gate, emulator: Emulator) -> None:
    workers = [fleet("node" if at < 2 else "python") for at in range(8)]
    for worker in workers:
        worker.send(40)
    all_sent(workers, emulator, 320)
    assert 1 < gate.most <= 3
    # Once more, from connections that idle in some of them.
    emulator.clear()
    for worker in workers[::-1]:
        worker.send(5)
    all_sent(workers, emulator, 40)
    assert gate.most <= 3


def test_an_idle_holder_makes_way_within_a_second(fleet: Fleet, gate: Gate, emulator: Emulator) -> None:
    first, second = fleet(max_connections=1), fleet(max_connections=1)
    first.send(1)
    first.result()
    assert gate.open == 1
    # Half a second until it looks, a connection and a token: far from the minute that it would idle.
    second.send(1, timeout="20s")
    assert second.result()["results"][0]["outcome"] == "sent"
    assert gate.most == 1


def test_who_waits_is_served_although_the_other_never_rests(fleet: Fleet, gate: Gate, emulator: Emulator) -> None:
    busy, other = fleet(max_connections=1), fleet(max_connections=1)
    busy.send(20_000, timeout="120s")
    until(lambda: len(messages(emulator)) > 3, "the first to be busy")
    other.send(1, subject="second")
    assert other.result()["results"][0]["outcome"] == "sent"
    assert gate.most == 1


def test_a_turn_is_everybodys(fleet: Fleet, emulator: Emulator) -> None:
    workers = [fleet(messages_per_minute=12) for _ in range(3)]
    for worker in workers:
        worker.send(8, timeout="8s")
    told = [result for worker in workers for result in worker.result()["results"]]
    sent = [result for result in told if result["outcome"] == "sent"]
    assert len(sent) == 12
    assert all("12 messages a minute" in result["error"] for result in told if result["outcome"] != "sent")


def test_a_paused_holder_finds_its_place_taken(fleet: Fleet, gate: Gate, emulator: Emulator, redis: Redis) -> None:
    paused, other = fleet(max_connections=1), fleet(max_connections=1)
    paused.send(1)
    paused.result()
    os.kill(paused.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, paused.process.pid, os.WSTOPPED)
    # As if its half minute were over.
    slots = next(key for key in redis.ask("KEYS", "mailbearer:*slots").splitlines())
    redis.ask("ZADD", slots, "1", redis.ask("ZRANGE", slots, "0", "0"))
    other.send(1)
    assert other.result()["results"][0]["outcome"] == "sent"
    assert gate.open == 2
    os.kill(paused.process.pid, signal.SIGCONT)
    until(lambda: gate.open == 1, "the one that was paused to close its connection")
    paused.send(1)
    assert paused.result()["results"][0]["outcome"] == "sent"
    # None, if it was quicker to send than to hear that its place was taken: then it has closed behind the message.
    until(lambda: gate.open <= 1, "one connection at most")


def test_redis_is_restarted_while_they_send(fleet: Fleet, gate: Gate, emulator: Emulator, redis: Redis) -> None:
    workers = [fleet() for _ in range(6)]
    for worker in workers:
        worker.send(400, timeout="120s")
    for at in range(2):
        until(lambda: len(messages(emulator)) > 300 * (at + 1), "messages")
        redis.stop()
        redis.start()
    all_sent(workers, emulator, 2400)
    assert gate.most <= 3


def test_when_redis_is_back_the_cap_holds_again(fleet: Fleet, gate: Gate, emulator: Emulator, redis: Redis) -> None:
    workers = [fleet(max_connections=1, idle_timeout="300ms") for _ in range(3)]
    for worker in workers:
        worker.send(1)
        worker.result()
    until(lambda: gate.open == 0, "idle connections to close")
    redis.stop()
    for worker in workers:
        worker.send(1)
        told = worker.result()
        assert told["results"][0]["outcome"] == "sent", told
        assert [event["code"] for event in told["events"] if event["name"] == "warning"] == ["limits_shared"]
    redis.start()
    until(lambda: redis.uptime() >= 5, "Redis to be of age")
    gate.most = 0
    for worker in workers:
        worker.send(20)
    for worker in workers:
        told = worker.result()
        assert all(result["outcome"] == "sent" for result in told["results"])
        assert not [event for event in told["events"] if event["name"] == "warning"]
    assert gate.most == 1


def test_who_ends_leaves_nothing_behind(fleet: Fleet, redis: Redis) -> None:
    worker = fleet()
    worker.send(3)
    worker.result()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(10) == 0
    slots = [key for key in redis.ask("KEYS", "mailbearer:*slots").splitlines() if key]
    assert [redis.ask("ZCARD", key) for key in slots] in ([], ["0"])


def test_redis_is_away(fleet: Fleet, gate: Gate, emulator: Emulator, redis: Redis) -> None:
    first, second = fleet(messages_per_minute=100), fleet(messages_per_minute=100)
    first.send(6)
    first.result()
    second.send(1)
    second.result()
    redis.stop()
    for worker in (first, second):
        worker.send(5)
        told = worker.result()
        assert [result["outcome"] for result in told["results"]] == ["sent"] * 5
        warnings = [event for event in told["events"] if event["name"] == "warning"]
        assert [event["code"] for event in warnings] == ["limits_shared"]
        assert str(redis.port) in warnings[0]["message"] and "1/2" in warnings[0]["message"]
    # Half of a hundred a minute is each one's share, what it sent before included.
    second.send(100, timeout="2s")
    told = second.result()
    assert 40 <= sum(result["outcome"] == "sent" for result in told["results"]) <= 45
    redis.start()
    first.send(3)
    assert [result["outcome"] for result in first.result()["results"]] == ["sent"] * 3
    until(lambda: gate.open <= 3, "the cap to hold again")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace("only-for-tests", "wrong"), "refuses the user name or password"),
        (lambda url: url.replace(":only-for-tests@", ""), "wants a password"),
        (lambda url: url[:-1] + "999", "database"),
    ],
)
def test_a_server_that_refuses_us_is_a_wrong_option(
    fleet: Fleet, redis: Redis, change: Callable[[str], str], words: str
) -> None:
    worker = fleet(shared=change(redis.url))
    worker.send(1)
    told = worker.result()
    assert [result["outcome"] for result in told["results"]] == ["not_sent"]
    for text in (told["raised"], told["results"][0]["error"]):
        assert words in text and "only-for-tests" not in text, text
