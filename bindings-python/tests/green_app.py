"""A web application in one process of greenlets: `/send` sends with a token callback that asks `TOKEN_URL`, and
`/ping` answers at once. Served by gunicorn's gevent worker, or by eventlet when run itself."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

if __name__ == "__main__":
    import eventlet

    eventlet.monkey_patch()

import urllib.request

import mailbearer


def token(request: mailbearer.TokenRequest) -> str:
    with urllib.request.urlopen(os.environ["TOKEN_URL"]) as answer:
        return answer.read().decode()


options = json.loads(os.environ["MAILER_OPTIONS"])
options["auth"]["callback"] = token
mailer = mailbearer.Mailer(**options)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    answer = "pong"
    if environ["PATH_INFO"] == "/send":
        answer = mailer.send(to="ada@example.com", subject="Hi", text="x").accepted[0]
    elif environ["PATH_INFO"] == "/killed":
        answer = killed()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]


def killed() -> str:
    """A send whose greenlet gives up: what it raises, and that the mailer goes on."""
    if "gevent" in sys.modules:
        import gevent

        given_up: Any = gevent.Timeout(0.05)
    else:
        given_up = eventlet.Timeout(0.05)
    try:
        with given_up:
            mailer.send(to="ada@example.com", subject="Hi", text="late")
    except type(given_up) as ended:
        return type(ended).__name__
    return "sent"


if __name__ == "__main__":
    from eventlet import wsgi

    listening = eventlet.listen(("127.0.0.1", 0))
    print("Listening at: http://127.0.0.1:%d" % listening.getsockname()[1], file=sys.stderr, flush=True)
    wsgi.server(listening, app, log_output=False)
