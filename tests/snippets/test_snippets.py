"""Every snippet of the README and the documents runs against the emulator, as it stands on the page.

What differs from a user's machine is laid over from outside: `…` stands for the client id, CONTOSO_SECRET
holds the secret, and the addresses of the emulator are put under the options of each mailer that is made.
A block that cannot run has `<!-- not run: why -->` on the line before it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailbearer.testing import Emulator

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
SYSTEM_LIBS = "-lgcc_s -lutil -lrt -lpthread -lm -ldl".split()
WAIT = 60


class Snippet:
    """One fenced block."""

    def __init__(self, page: Path, line: int, language: str, text: str) -> None:
        self.where = f"{page.relative_to(ROOT)}:{line}"
        self.language, self.text = language, text


def snippets() -> Iterator[Snippet]:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", text, re.M | re.S):
            before = text[: block.start()].rstrip("\n").rpartition("\n")[2]
            if block["language"] in RUNNERS and not before.startswith("<!-- not run: "):
                yield Snippet(page, text.count("\n", 0, block.start("text")), block["language"], block["text"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as found:
        yield found


def own_emulator(text: str) -> bool:
    """It shows how to use the emulator, and begins one."""
    return "Emulator" in text or "mailbearer emulator" in text


def python(text: str, folder: Path) -> list[str | Path]:
    program = folder / "snippet.py"
    program.write_text(text if own_emulator(text) else PYTHON_BEFORE + text, encoding="utf-8")
    return [sys.executable, program]


def javascript(text: str, folder: Path) -> list[str | Path]:
    package = folder / "node_modules" / "mailbearer"
    package.mkdir(parents=True)
    exports = {".": "./index.mjs", "./testing": "./testing.mjs", "./nodemailer": "./nodemailer.mjs"}
    (package / "package.json").write_text(json.dumps({"name": "mailbearer", "exports": exports}))
    for name in ("testing", "nodemailer"):
        (package / f"{name}.mjs").write_text(f"export * from '{(ROOT / 'bindings-node' / name).as_uri()}.mjs'\n")
    for home, name in (("build/recipes", "express"), ("bindings-node", "nodemailer")):
        (folder / "node_modules" / name).symlink_to(ROOT / home / "node_modules" / name)
    between = "export * from 'REAL'\n" if own_emulator(text) else JAVASCRIPT_BETWEEN
    (package / "index.mjs").write_text(between.replace("REAL", (ROOT / "bindings-node/index.mjs").as_uri()))
    program = folder / "snippet.mjs"
    program.write_text(text, encoding="utf-8")
    return ["node", program]


def c(text: str, folder: Path) -> list[str | Path]:
    source, program = folder / "snippet.c", folder / "snippet"
    whole = text if "int main" in text else f"int main(void) {{\n{text}\nreturn err != NULL;\n}}\n"
    if "int main" not in text:
        # What says whether it failed must outlive its own cleaning up.
        whole = whole.replace("mailbearer_error_free(err);", "")
    source.write_text(C_BEFORE + whole, encoding="utf-8")
    library = TARGET / "libmailbearer_c.a"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-std=c99", "-Wall", "-Werror", "-o", program, source, f"-I{ROOT / 'include'}", library]
    subprocess.run([*command, *SYSTEM_LIBS], check=True, timeout=WAIT)
    return [program]


def shell(text: str, folder: Path) -> list[str | Path]:
    return ["bash", "-euo", "pipefail", "-c", text]


RUNNERS = {"python": python, "js": javascript, "c": c, "sh": shell}

# The emulator's addresses are the only thing that a snippet does not say itself.
PYTHON_BEFORE = """
import json, os
import mailbearer
_over = json.loads(os.environ["SNIPPET_OPTIONS"])
def _laid_over(made):
    class Laid(made):
        def __init__(self, **options):
            if options.get("provider") != "memory":
                options = {**options, **_over, "auth": {**options.get("auth", {}), **_over["auth"]}}
            super().__init__(**options)
    Laid.__name__ = made.__name__
    return Laid
for _name in ("Mailer", "AsyncMailer", "TokenSource", "AsyncTokenSource"):
    setattr(mailbearer, _name, _laid_over(getattr(mailbearer, _name)))
"""
JAVASCRIPT_BETWEEN = """
import * as real from 'REAL'
export * from 'REAL'
const over = JSON.parse(process.env.SNIPPET_OPTIONS)
const laid = (made) => class extends made {
  constructor(options, load) {
    super(options.provider === 'memory' ? options : { ...options, ...over, auth: { ...options.auth, ...over.auth } }, load)
  }
}
export const Mailer = laid(real.Mailer)
export const TokenSource = laid(real.TokenSource)
"""
C_BEFORE = """
#include "mailbearer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static mailbearer_status laid_over(mailbearer_config *config, mailbearer_mailer **mailer, mailbearer_error **err) {
    mailbearer_status failed = mailbearer_config_set_json(config, "smtp", getenv("SNIPPET_SMTP"), err);
    if (!failed) failed = mailbearer_config_set(config, "tls.roots", getenv("SNIPPET_ROOTS"), err);
    if (!failed) failed = mailbearer_config_set(config, "auth.authority", getenv("SNIPPET_AUTHORITY"), err);
    return failed ? failed : mailbearer_mailer_new(config, mailer, err);
}
#define mailbearer_mailer_new laid_over
"""

SNIPPETS = {snippet.where: snippet for snippet in snippets()}


def test_there_are_snippets_in_each_language() -> None:
    assert {snippet.language for snippet in SNIPPETS.values()} == set(RUNNERS)


@pytest.mark.parametrize("where", SNIPPETS)
def test_snippet(where: str, emulator: Emulator, tmp_path: Path) -> None:
    snippet = SNIPPETS[where]
    settings: dict[str, Any] = dict(emulator.settings())
    auth = settings["auth"]
    over = {"smtp": settings["smtp"], "tls": settings["tls"], "auth": {"authority": auth["authority"]}}
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MAILBEARER_")},
        "PATH": f"{TARGET}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CONTOSO_SECRET": auth["client_secret"],
        "SNIPPET_OPTIONS": json.dumps(over),
        "SNIPPET_SMTP": json.dumps(settings["smtp"]),
        "SNIPPET_ROOTS": settings["tls"]["roots"],
        "SNIPPET_AUTHORITY": auth["authority"],
    }
    if snippet.language == "sh":
        environment |= {
            f"MAILBEARER_SMTP__{name.upper()}": str(value) for name, value in settings["smtp"].items()
        } | {"MAILBEARER_TLS__ROOTS": settings["tls"]["roots"], "MAILBEARER_AUTH__AUTHORITY": auth["authority"]}
    text = snippet.text.replace("…", auth["client_id"])
    command = RUNNERS[snippet.language](text, tmp_path)
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=WAIT)
    assert ran.returncode == 0, f"{where} failed:\n{ran.stdout}{ran.stderr}"
    if re.search(r"\bsend(?!_response|_header)", text) and "memory" not in text and not own_emulator(text):
        assert emulator.messages, f"{where} sent nothing:\n{ran.stdout}{ran.stderr}"
