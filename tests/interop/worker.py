"""A program of another language that does as it is told, a line of JSON at a time: `workers/`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NODE = (HERE.parents[1] / "bindings-node" / "index.mjs").as_uri()


class Worker:
    """`workers/NAME.py` or `.mjs`; it is ready when this is made."""

    def __init__(self, language: str, name: str, begin: Any) -> None:
        command = {
            "python": [os.environ.get("CONFORMANCE_PYTHON", ""), str(HERE / "workers" / f"{name}.py")],
            "node": ["node", str(HERE / "workers" / f"{name}.mjs")],
        }[language]
        environment = {**os.environ, "MAILBEARER_NODE": NODE}
        # Python's own output without a buffer loses the rest of a long line that a stop of the process interrupts.
        environment.pop("PYTHONUNBUFFERED", None)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.tell(begin)
        assert self.line() == "ready"

    def tell(self, order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line())
        return found

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        if self.process.stdin is not None and self.process.stdin.closed:
            self.process.stdin = None
        self.process.communicate()
