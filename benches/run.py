"""`make bench`: the figures of docs/benchmarks.md, with peers in the same run. Only ratios mean anything: the
machines are shared. `run.py round-trips` runs a part: round-trips first throughput large idle tokens import."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "bench"
BIN = HERE / "target" / "release"
PYTHON = BUILD / "venv" / "bin" / "python"
RTT = 40
TOKEN = "t" * 2000
ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.endswith(("CA_BUNDLE", "CERT_FILE", "CA_CERTS"))},
    "NODE_PATH": str(BUILD / "node_modules"),
    "MAILBEARER_NODE": str(BUILD / "node" / "index.cjs"),
}


class Service:
    """A program that says where it is in its first line, and ends with its standard input."""

    def __init__(self, *command: str | Path) -> None:
        self.process = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.about: dict[str, Any] = json.loads(self.process.stdout.readline())

    def __enter__(self) -> dict[str, Any]:
        return self.about

    def __exit__(self, *exception: object) -> None:
        self.process.communicate()


def options(sink: dict[str, Any], port: int, connections: int | None = 1, **smtp: str) -> dict[str, Any]:
    return {
        "provider": "custom",
        "username": "me@example.com",
        "auth": {"grant": "access_token", "access_token": TOKEN},
        "smtp": {"host": "localhost", "port": port, "security": "tls", **smtp},
        "limits": {"max_connections": connections, "max_messages_per_connection": None},
        "tls": {"roots": sink["ca"]},
    }


CLIENTS: dict[str, list[str | Path]] = {
    "rust": [BIN / "rust_client"],
    "lettre": [BIN / "rust_client", "lettre"],
    "python": [PYTHON, HERE / "peers/many.py", "mailbearer"],
    "python async": [PYTHON, HERE / "peers/many.py", "mailbearer-async"],
    "smtplib": [PYTHON, HERE / "peers/many.py", "smtplib"],
    "aiosmtplib": [PYTHON, HERE / "peers/many.py", "aiosmtplib"],
    "libcurl": [PYTHON, HERE / "peers/many.py", "libcurl"],
    "node": ["node", HERE / "peers/many.cjs", "mailbearer"],
    "nodemailer": ["node", HERE / "peers/many.cjs", "nodemailer"],
}


def run(client: str, given: dict[str, Any], count: int, size: int = 4096) -> dict[str, float]:
    command = [*CLIENTS[client], json.dumps(given), str(count), str(size)]
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert ran.returncode == 0, f"{client}: {ran.stderr[-2000:]}"
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def best(client: str, given: dict[str, Any], count: int, times: int = 3) -> dict[str, float]:
    """The quickest of some runs: what disturbs only makes slower."""
    runs = [run(client, given, count) for _ in range(times)]
    return {key: min(one[key] for one in runs) for key in runs[0]}


def round_trips() -> None:
    print(f"\nround trips a message, one connection, {RTT} ms a round trip")
    modes = {
        "group": {"pipelining": "group"},
        "chain": {"pipelining": "chain"},
        "chunking on": {"pipelining": "chain", "chunking": "on"},
        "chunking pipelined": {"pipelining": "chain", "chunking": "pipelined"},
    }
    with Service(BIN / "sink") as sink, Service(BIN / "delay", str(sink["port"]), str(RTT)) as line:

        def steady(client: str, given: dict[str, Any], count: int) -> float:
            long, short = (run(client, given, n)["seconds"] for n in (count + 60, 60))
            return (long - short) * 1000 / RTT / count

        for name, smtp in modes.items():
            count = 600 if name.endswith("pipelined") else 60
            print(f"  {name:20} {steady('rust', options(sink, line['port'], **smtp), count):6.2f}")
        for peer in ("nodemailer", "smtplib", "lettre"):
            print(f"  {peer:20} {steady(peer, options(sink, line['port']), 40):6.2f}")


def throughput() -> None:
    count = 9000
    print(f"\n{count} messages of 4 KB, three connections, no delay")
    with Service(BIN / "sink") as sink:
        given = options(sink, sink["port"], 3)
        # Peers get fewer: what counts is the rate.
        sent = {client: count if client in OURS else 300 if client == "lettre" else count // 3 for client in CLIENTS}
        found = {client: best(client, given, sent[client]) for client in CLIENTS}
    for client, one in found.items():
        found[client] = {
            "rate": sent[client] / one["seconds"],
            "cpu": one["cpu"] / sent[client] * 1000,
        }
        print(f"  {client:14} {found[client]['rate']:9.0f} messages/s  {found[client]['cpu']:7.4f} ms CPU each")
    for ours, peers in (("node", ["nodemailer"]), ("python", ["smtplib", "aiosmtplib", "libcurl"]), ("rust", ["lettre"])):
        for peer in peers:
            print(f"  {ours} / {peer}: {found[ours]['rate'] / found[peer]['rate']:.1f} x")
    for face in ("python", "node"):
        print(f"  CPU of {face} / rust: {found[face]['cpu'] / found['rust']['cpu']:.1f} x")


OURS = {"rust", "python", "python async", "node"}


def first() -> None:
    print(f"\nfirst message of a process, token included, {RTT} ms a round trip, microsoft365")
    emulator = HERE.parent / "target" / "debug" / "examples" / "serve"
    with Service(emulator) as about:
        delayed = [Service(BIN / "delay", str(port), str(RTT)) for port in (about["smtp_port"], int(about["authority"].rsplit(":", 1)[1]))]

        def settings(grant: str) -> dict[str, Any]:
            with urllib.request.urlopen(f"{about['url']}/api/settings?grant={grant}&username=noreply@contoso.com") as answer:
                found: dict[str, Any] = json.load(answer)
                return found

        times: dict[str, list[float]] = {"mailbearer": [], "nodemailer": []}
        for _ in range(9):
            found = settings("refresh_token")
            auth, smtp = found["auth"], found["smtp"]
            authority = f"https://localhost:{delayed[1].about['port']}"
            mailer = {
                "provider": "microsoft365",
                "username": found["username"],
                "smtp": {**smtp, "port": delayed[0].about["port"]},
                "tls": found["tls"],
                "auth": {
                    "grant": "refresh_token",
                    "tenant": auth["tenant"],
                    "clientId": auth["client_id"],
                    "refreshToken": auth["refresh_token"],
                    "authority": authority,
                },
            }
            peer = {
                "user": found["username"],
                "clientId": auth["client_id"],
                "refreshToken": auth["refresh_token"],
                "accessUrl": f"{authority}/contoso.com/oauth2/v2.0/token",
            }
            for who in times:
                command = ["node", HERE / "peers/first.cjs", who, json.dumps({"mailer": mailer, "nodemailer": peer})]
                ran = subprocess.run([*map(str, command)], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
                assert ran.returncode == 0, ran.stderr
                times[who].append(json.loads(ran.stdout)["seconds"])
        for one in delayed:
            one.__exit__()
    medians = {who: statistics.median(list) for who, list in times.items()}
    for who, seconds in medians.items():
        print(f"  {who:14} {seconds * 1000:6.0f} ms, {seconds * 1000 / RTT:5.2f} round trips")
    print(f"  mailbearer / nodemailer: {medians['mailbearer'] / medians['nodemailer']:.2f}")


LARGE: dict[str, list[str | Path]] = {
    "raw copy": [BIN / "large", "copy"],
    "rust": [BIN / "large"],
    "python": [PYTHON, HERE / "peers/large.py", "mailbearer"],
    "node": ["node", HERE / "peers/large.cjs", "mailbearer"],
    "smtplib": [PYTHON, HERE / "peers/large.py", "smtplib"],
    "nodemailer": ["node", HERE / "peers/large.cjs", "nodemailer"],
}


def large() -> None:
    print("\n100 MB attached from a path, one connection, no delay; the raw copy writes as many octets over the same TLS")
    with tempfile.TemporaryDirectory() as folder, Service(BIN / "sink") as sink:
        file = Path(folder) / "big.bin"
        file.write_bytes(os.urandom(1 << 20) * 100)
        given = json.dumps(options(sink, sink["port"]))
        runs: dict[str, list[dict[str, float]]] = {who: [] for who in LARGE}
        # In turns, so that what disturbs meets all.
        for who in [*LARGE] * 5:
            ran = subprocess.run(
                [*map(str, LARGE[who]), given, str(file)], capture_output=True, text=True, env=ENVIRONMENT, timeout=300
            )
            assert ran.returncode == 0, f"{who}: {ran.stderr[-2000:]}"
            runs[who].append(json.loads(ran.stdout.splitlines()[-1]))
    copy = min(one["seconds"] for one in runs["raw copy"])
    for who, several in runs.items():
        seconds = min(one["seconds"] for one in several)
        peak = max(one.get("peak", 0) for one in several) / (1 << 20)
        print(f"  {who:10} {137 / seconds:6.0f} MB/s  {copy / seconds:5.2f} of the copy  {peak:6.1f} MB over idle")


IDLE = """
import json, os
from mailbearer import Mailer
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
options = json.loads(os.environ["OPTIONS"])
kept = [Mailer.from_dict(options) for _ in range(100)]
before = resident()
kept += [Mailer.from_dict(options) for _ in range(10_000)]
print((resident() - before) / 10_000)
"""


def idle() -> None:
    print("\n10,000 idle mailers in one Python process")
    with Service(BIN / "sink") as sink:
        environment = {**ENVIRONMENT, "OPTIONS": json.dumps(options(sink, sink["port"]))}
        ran = subprocess.run([PYTHON, "-c", IDLE], capture_output=True, text=True, env=environment, check=True)
    print(f"  {float(ran.stdout) / 1024:.1f} KB each")


def tokens() -> None:
    print("\na token that is there already, of 2,000 octets or so")
    serve = HERE.parent / "target" / "debug" / "examples" / "serve"
    with Service(serve, json.dumps({"config": {"token_lifetime": 86_400}})) as emulator:
        def settings(grant: str) -> dict[str, Any]:
            url = f"{emulator['url'].rstrip('/')}/api/settings?grant={grant}&username=noreply@contoso.com"
            with urllib.request.urlopen(url, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
            return found

        def asked(*command: str | Path) -> dict[str, float]:
            ran = subprocess.run([*map(str, command)], capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
            assert ran.returncode == 0, ran.stderr[-2000:]
            found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
            return found

        app, person = json.dumps(settings("client_credentials")), settings("refresh_token")
        rust = asked(BIN / "tokens", json.dumps(person), "10000")
        print(f"  rust              {rust['alone'] / 1000:6.3f} us a call; among 10,000 accounts {rust['among'] / 1000:.3f} us")
        print(f"  python            {asked(PYTHON, HERE / 'peers/tokens.py', 'mailbearer', app)['microseconds']:6.2f} us a call")
        print(f"  MSAL for Python   {asked(PYTHON, HERE / 'peers/tokens.py', 'msal', app)['microseconds']:6.2f} us a call")
        print(f"  node              {asked('node', HERE / 'peers/tokens.cjs', app)['microseconds']:6.2f} us a call")
        print(f"  10,000 accounts with a token each: {rust['memory'] / 1024:.1f} KB each")


def imports() -> None:
    print("\ntime of an import, the interpreter's own start taken off")
    for name, bare, full in (
        ("import mailbearer", [PYTHON, "-c", ""], [PYTHON, "-c", "import mailbearer"]),
        ("require('mailbearer')", ["node", "-e", ""], ["node", "-e", f"require({json.dumps(ENVIRONMENT['MAILBEARER_NODE'])})"]),
    ):
        import time

        def took(command: list[str | Path]) -> float:
            times = []
            for _ in range(15):
                begun = time.perf_counter()
                subprocess.run([*map(str, command)], check=True, env=ENVIRONMENT)
                times.append(time.perf_counter() - begun)
            return min(times)

        print(f"  {name:22} {(took(full) - took(bare)) * 1000:5.1f} ms")


PARTS = {
    "round-trips": round_trips,
    "first": first,
    "throughput": throughput,
    "large": large,
    "idle": idle,
    "tokens": tokens,
    "import": imports,
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
