"""Other programs' ways to run code, to keep errors and to write addresses: trio, Celery's JSON results, Django."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import mailbearer

#: Made by `make test-python`.
PYTHON = Path(__file__).resolve().parents[2] / "build" / "runtimes" / "venv" / "bin" / "python"

TRIO = """
import mailbearer, trio

async def main():
    mailer = mailbearer.AsyncMailer(provider="memory", from_="me@example.com")
    for call in (
        lambda: mailer.send(to="a@example.com", text="x"),
        lambda: mailer.verify(),
        lambda: anext(mailer.send_many([])),
        lambda: mailer.close(),
    ):
        try:
            await call()
        except mailbearer.ConfigError as error:
            print(error)
    blocking = mailbearer.Mailer(provider="memory", from_="me@example.com")
    sent = await trio.to_thread.run_sync(lambda: blocking.send(to="a@example.com", text="x"))
    print(sent.accepted)

trio.run(main)
"""

CELERY = """
import mailbearer
from celery.backends.base import Backend
from celery import Celery

app = Celery("t", backend="cache+memory://", broker="memory://")
app.conf.result_serializer = "json"
backend = app.backend
try:
    mailbearer.Mailer(provider="memory", from_="me@example.com", tag="x")
except mailbearer.ConfigError as error:
    first = error
again = backend.exception_to_python(backend.decode(backend.encode(backend.prepare_exception(first))))
assert type(again) is mailbearer.ConfigError, type(again)
assert again == first and again.code == "config_invalid" and again.field == "tag", again.to_dict()
print(again)
"""


def run(program: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(mailbearer.__file__).parents[1])}
    ended = subprocess.run([PYTHON, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_trio_is_refused_in_a_sentence() -> None:
    *refused, sent = run(TRIO)
    assert len(refused) == 4
    for sentence in refused:
        assert sentence.startswith("this call needs asyncio's event loop, and trio runs the program. Use the blocking class")
    assert sent == "('a@example.com',)", "as the hint says"


def test_an_error_survives_celerys_json() -> None:
    assert run(CELERY)[0].startswith("unknown option `tag`")

DJANGO = """
import os, json, django
from django.conf import settings

settings.configure(
    EMAIL_BACKEND="mailbearer.django.EmailBackend",
    MAILBEARER={"provider": "memory", "from_": "me@example.com"},
    DEFAULT_FROM_EMAIL="me@example.com",
)
django.setup()
from django.core.mail import EmailMessage, get_connection
from mailbearer import django as backend

def sent(to, sender=None, **options):
    message = EmailMessage("s", "b", sender, to, connection=get_connection(**options))
    try:
        answer = message.send()
    except ValueError as error:
        return f"{type(error).__name__}: {error.field}"
    (mailer,) = backend._mailers.values()
    kept = mailer.outbox[-1].envelope
    return f"{answer} {kept.mail_from} {' '.join(kept.rcpt_to)}"

print(sent(["boss@evil.example <j@x.example>", "ok@x.example"]))
print(sent(['"boss@evil.example" <j@x.example>', "ok@x.example"]))
print(sent(["ok@x.example"], "Contoso, Inc <me@example.com>"))
print(sent(["ok@x.example"], "bücher@bücher.example"))
print(sent(["ok@bücher.example"], "Me <me@bücher.example>"))
print(sent(["a@x.example, b@x.example"]))
print(sent(["nobody"], fail_silently=True))
"""


def test_djangos_strings_are_read_by_core() -> None:
    trick, quoted, comma, wide, domains, two, silent = run(DJANGO)
    assert "boss@evil.example" not in trick.split(" ", 2)[-1], "the address stands in the angle brackets, or nobody gets it"
    assert quoted == "1 me@example.com j@x.example ok@x.example"
    assert comma.startswith("MessageError: envelope.mail_from")
    assert wide.startswith("1 bücher@bücher.example")
    assert domains == "1 me@xn--bcher-kva.example ok@xn--bcher-kva.example"
    assert two == "MessageError: envelope.rcpt_to[0]"
    assert silent == "MessageError: envelope.rcpt_to[0]", "a mistake of the program is never silent"
