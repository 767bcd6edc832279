"""The Python face, async: one JSON request a line, one JSON answer a line."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from mailbearer import AsyncLogin, AsyncMailer, Error, explain, prometheus

from python_common import account, arguments, fields, login, options, raw_message, result, token


class Shim:
    def __init__(self) -> None:
        self.mailer: AsyncMailer | None = None
        self.flow: AsyncLogin | None = None

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self.do(request)
        except Error as error:
            return {"error": error.to_dict()}

    async def do(self, request: dict[str, Any]) -> dict[str, Any]:
        op = request["op"]
        if op == "close":
            if self.mailer is not None:
                await self.mailer.close(timeout="1s")
            self.mailer = None
            return {"ok": {}}
        if "options" in request:
            given = options(request["options"])
            if "from" in given:
                given["from_"] = given.pop("from")
            self.mailer = AsyncMailer(**given)
        mailer = self.mailer
        assert mailer is not None
        call = request.get("call", {})
        match op:
            case "open":
                return {"ok": {}}
            case "send":
                return {"ok": (await mailer.send(**fields(request["message"], request), **call)).to_dict()}
            case "send_raw":
                message, envelope = raw_message(request)
                return {"ok": (await mailer.send(message, envelope=envelope, **call)).to_dict()}
            case "send_many":
                return await self.send_many(mailer, request)
            case "token":
                return {"ok": token(await mailer.tokens.get(force=request.get("force", False)))}
            case "login":
                self.flow = await mailer.login(**arguments(request, "method", "redirect_uri"))
                return {"ok": login(self.flow)}
            case "resume":
                self.flow = mailer.resume_login(request["saved"])
                return {"ok": login(self.flow)}
            case "wait":
                assert self.flow is not None
                return {"ok": account(await self.flow.wait(**call))}
            case "finish":
                assert self.flow is not None
                return {"ok": account(await self.flow.finish(request["callback"]))}
            case "save":
                assert self.flow is not None
                return {"ok": {"saved": self.flow.save()}}
            case "import":
                return {"ok": account(await mailer.tokens.import_login(request["text"]))}
            case "logout":
                await mailer.tokens.logout()
                return {"ok": {}}
            case "for_mailbox":
                self.mailer = mailer.for_mailbox(request["text"], from_=request.get("from"))
                return {"ok": {}}
            case "metrics":
                return {"ok": {"metrics": mailer.metrics(), "prometheus": prometheus()}}
            case "explain":
                return {"ok": {"explanations": [found.to_dict() for found in explain(request["text"])]}}
            case "export":
                await mailer.export_metrics(request["text"])
                return {"ok": {}}
            case "verify":
                report = await mailer.verify(raise_on_failure=not request.get("report"), **arguments(request, "send_to"))
                return {"ok": {"ok": report.ok, "text": str(report)}}
        raise AssertionError(f"unknown op {op}")

    async def send_many(self, mailer: AsyncMailer, request: dict[str, Any]) -> dict[str, Any]:
        messages = [fields(m, request) for m in request["messages"] * request.get("repeat", 1)]
        results: list[dict[str, Any]] = []
        answer: dict[str, Any] = {"ok": {"results": results}}
        try:
            async for item in mailer.send_many(messages, **request.get("call", {})):
                results.append(result(item))
        except Error as error:
            answer["error"] = error.to_dict()
        return answer


async def main() -> None:
    # Everything that happens is printed beside.
    logging.basicConfig(level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s")
    shim = Shim()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await shim.answer(json.loads(line))), flush=True)


asyncio.run(main())
