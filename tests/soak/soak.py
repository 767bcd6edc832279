"""`make soak`: messages through a server that misbehaves at random, from Rust, Python and Node, and the books of both
sides compared Message-ID by Message-ID. `soak.py COUNT` sends that many from each face, in each way of pipelining."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "conformance"))
from faces import TARGET, start  # noqa: E402

BATCH = 250
CONNECTIONS = 30
WAYS: list[dict[str, str]] = [
    {"pipelining": "group"},
    {"pipelining": "chain"},
    {"pipelining": "chain", "chunking": "on"},
    {"pipelining": "chain", "chunking": "pipelined"},
]


# A token lives for 20 s: it ends many times under way, and the server refuses some before.
PRINT_TOKEN = """printf '{"access_token":"soak-%s-%s","expires_in":20}' $$ $(date +%N)"""


class Chaos:
    """The server."""

    def __init__(self, seed: int) -> None:
        command = [str(TARGET / "examples" / "chaos"), str(seed)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def books(self) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def close(self) -> None:
        self.process.communicate()


def options(port: int, smtp: dict[str, str]) -> dict[str, Any]:
    short = {"command": "200ms", "progress": "200ms", "final_reply": "400ms", "greeting": "1s"}
    return {
        "provider": "custom",
        "username": "me@example.com",
        "auth": {"grant": "command", "command": ["sh", "-c", PRINT_TOKEN]},
        "smtp": {"host": "127.0.0.1", "port": port, "security": "none", "timeouts": short, **smtp},
        "limits": {"max_connections": CONNECTIONS, "breaker": False},
        "retry": {"base_delay": "5ms", "max_delay": "20ms", "attempts": 4},
    }


def soak(face_name: str, smtp: dict[str, str], count: int, seed: int) -> str:
    server, face = Chaos(seed), start(face_name, Path("/nowhere"))
    results: dict[str, dict[str, Any]] = {}
    for first in range(0, count, BATCH):
        messages = [
            {
                "from": f"from{n}@example.com",
                "to": [f"to{n}@example.com"],
                "message_id": f"<soak-{n}@example.com>",
                "subject": str(n),
                "text": f"message {n}\n.\n" + "a line of text\n" * (n % 40),
                "tag": str(n),
            }
            for n in range(first, min(first + BATCH, count))
        ]
        request: dict[str, Any] = {"op": "send_many"}
        if first == 0:
            request["options"] = options(server.port, smtp)
        # A refused sign-in stops a bulk send, and says so: the rest goes with the next one.
        for _ in range(BATCH):
            answer = face.call({**request, "messages": messages})
            request.pop("options", None)
            for result in answer["ok"]["results"]:
                if result["outcome"] != "not_sent":
                    assert result["message_id"] not in results, f"two results for {result['message_id']}"
                    results[result["message_id"]] = result
            messages = [message for message in messages if message["message_id"] not in results]
            assert not messages or answer.get("error"), f"{len(messages)} messages without a result"
            if not messages:
                break
    assert len(results) == count, f"{count - len(results)} messages were not tried: {answer.get('error')}"
    face.call({"op": "close"})
    face.close()
    books = server.books()
    server.close()
    return compare(results, books, count, smtp)


def compare(results: dict[str, dict[str, Any]], books: dict[str, Any], count: int, smtp: dict[str, str]) -> str:
    stored: dict[str, list[dict[str, Any]]] = books["stored"]
    wrong = []
    tally: dict[str, int] = {}
    for message_id, result in results.items():
        outcome = result["outcome"]
        tally[outcome] = tally.get(outcome, 0) + 1
        number = message_id.removeprefix("<soak-").removesuffix("@example.com>")
        envelopes = stored.get(message_id, [])
        own = {"from": f"from{number}@example.com", "to": [f"to{number}@example.com"]}
        if any(envelope != own for envelope in envelopes):
            wrong.append(f"{message_id} has another's envelope: {envelopes}")
        expected = {"sent": [1], "failed": [0], "uncertain": [0, 1]}[outcome]
        if len(envelopes) not in expected:
            wrong.append(f"{message_id} is {outcome} and was stored {len(envelopes)} times: {result['error']}")
    unanswered, cut = set(books["unanswered"]), set(books["cut"])
    uncertain = {message_id for message_id, result in results.items() if result["outcome"] == "uncertain"}
    windowed = smtp.get("chunking") == "pipelined"
    # A whole window is lost with its connection: what lay unread in the server's socket is in nobody's books.
    if not unanswered <= uncertain or not (windowed or uncertain <= unanswered | cut):
        wrong.append(f"uncertain and not unanswered: {uncertain - unanswered - cut}; the other way: {unanswered - uncertain}")
    if len(books["unanswered"]) != len(unanswered):
        wrong.append("a message was handed over again after its answer was not read")
    if not set(stored) <= set(results):
        wrong.append(f"stored, and without a result: {set(stored) - set(results)}")
    if not 1 <= books["most_open"] <= CONNECTIONS:
        wrong.append(f"{books['most_open']} connections at once")
    assert not wrong, "\n".join(wrong[:20])
    if len(uncertain) > 16 * books["connections"]:
        wrong.append(f"{len(uncertain)} uncertain over {books['connections']} connections")
    assert not wrong, "\n".join(wrong[:20])
    least = 0.2 if windowed else 0.5
    assert tally.get("sent", 0) > len(results) * least and (count < 2000 or tally.get("uncertain", 0) > 0), tally
    return f"{tally} over {books['connections']} connections"


def main() -> None:
    count = int(sys.argv[1])
    for face in ("rust", "python", "node"):
        for seed, smtp in enumerate(WAYS):
            print(f"{face:7} {' '.join(smtp.values()):20} {soak(face, smtp, count, seed + 1)}", flush=True)
    runs = len(WAYS) * 3
    print(f"{runs} passed, 0 failed")


if __name__ == "__main__":
    main()
