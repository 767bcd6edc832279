"""The Python face, blocking: one JSON request a line, one JSON answer a line."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from mailbearer import Error, Login, Mailer, SendResult, explain, prometheus

from python_common import account, arguments, fields, login, options, raw_message, result, token


class Shim:
    def __init__(self) -> None:
        self.mailer: Mailer | None = None
        self.flow: Login | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.do(request)
        except Error as error:
            return {"error": error.to_dict()}

    def do(self, request: dict[str, Any]) -> dict[str, Any]:
        op = request["op"]
        if op == "close":
            if self.mailer is not None:
                self.mailer.close(timeout="1s")
            self.mailer = None
            return {"ok": {}}
        if "options" in request:
            self.mailer = Mailer.from_dict(options(request["options"]))
        mailer = self.mailer
        assert mailer is not None
        call = request.get("call", {})
        match op:
            case "open":
                return {"ok": {}}
            case "send":
                return {"ok": mailer.send(**fields(request["message"], request), **call).to_dict()}
            case "send_raw":
                message, envelope = raw_message(request)
                return {"ok": mailer.send(message, envelope=envelope, **call).to_dict()}
            case "send_many":
                return self.send_many(mailer, request)
            case "token":
                return {"ok": token(mailer.tokens.get(force=request.get("force", False)))}
            case "login":
                self.flow = mailer.login(**arguments(request, "method", "redirect_uri"))
                return {"ok": login(self.flow)}
            case "resume":
                self.flow = mailer.resume_login(request["saved"])
                return {"ok": login(self.flow)}
            case "wait":
                assert self.flow is not None
                return {"ok": account(self.flow.wait(**call))}
            case "finish":
                assert self.flow is not None
                return {"ok": account(self.flow.finish(request["callback"]))}
            case "save":
                assert self.flow is not None
                return {"ok": {"saved": self.flow.save()}}
            case "import":
                return {"ok": account(mailer.tokens.import_login(request["text"]))}
            case "logout":
                mailer.logout()
                return {"ok": {}}
            case "for_mailbox":
                self.mailer = mailer.for_mailbox(request["text"], from_=request.get("from"))
                return {"ok": {}}
            case "metrics":
                return {"ok": {"metrics": mailer.metrics(), "prometheus": prometheus()}}
            case "explain":
                return {"ok": {"explanations": [found.to_dict() for found in explain(request["text"])]}}
            case "export":
                mailer.export_metrics(request["text"])
                return {"ok": {}}
            case "verify":
                report = mailer.verify(raise_on_failure=not request.get("report"), **arguments(request, "send_to"))
                return {"ok": {"ok": report.ok, "text": str(report)}}
        raise AssertionError(f"unknown op {op}")

    def send_many(self, mailer: Mailer, request: dict[str, Any]) -> dict[str, Any]:
        messages = [fields(m, request) for m in request["messages"] * request.get("repeat", 1)]
        results: list[SendResult] = []
        answer: dict[str, Any] = {"ok": {"results": results}}
        try:
            for item in mailer.send_many(messages, **request.get("call", {})):
                results.append(item)
        except Error as error:
            answer["error"] = error.to_dict()
        answer["ok"]["results"] = [result(item) for item in results]
        return answer


def main() -> None:
    # Everything that happens is printed beside.
    logging.basicConfig(level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s")
    shim = Shim()
    for line in sys.stdin:
        print(json.dumps(shim.answer(json.loads(line))), flush=True)


main()
