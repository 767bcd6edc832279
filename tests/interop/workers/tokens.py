"""Renews a token again and again for so many seconds, and says how often and what went wrong."""

import base64
import json
import sys
import time
import urllib.request

import mailbearer


class OverHttp:
    """A store in the program's own code."""

    def __init__(self, url: str) -> None:
        self.url = url

    def load(self, key):
        found = self.ask("load", key=key)
        return found and (base64.b64decode(found["entry"]), found["version"])

    def save(self, key, entry, expected_version):
        text = None if entry is None else base64.b64encode(entry).decode()
        return self.ask("save", key=key, entry=text, version=expected_version)

    def ask(self, what, **body):
        with urllib.request.urlopen(f"{self.url}/{what}", json.dumps(body).encode(), timeout=10) as answer:
            return json.load(answer)


begin = json.loads(sys.stdin.readline())
options = begin["options"]
if begin["host"]:
    options["store"] = OverHttp(begin["host"])
tokens = mailbearer.TokenSource(**options)
print("ready", flush=True)
force = json.loads(sys.stdin.readline())["force"]
end = time.monotonic() + begin["seconds"]
count, errors, last = 0, [], None
while True:
    try:
        last = tokens.get(force=force, timeout="60s").secret
        count += 1
    except mailbearer.Error as error:
        errors.append(str(error))
    if time.monotonic() >= end:
        break
print(json.dumps({"count": count, "errors": errors, "last": last}), flush=True)
