"""What both Python shims need: requests to Python's own types, and back."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from mailbearer import AccessToken, Account, Attachment, AsyncLogin, Envelope, Login, Message, SendResult


def options(table: dict[str, Any]) -> dict[str, Any]:
    return table


def fields(message: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """A message's table as keywords."""
    out = {("from_" if key == "from" else key): value for key, value in message.items()}
    for key in ("from_", "sender", "reply_to", "to", "cc", "bcc"):
        if key in out:
            out[key] = _addresses(out[key])
    if "attachments" in out:
        out["attachments"] = [_attachment(item, request.get("blobs", [])) for item in out["attachments"]]
    if "envelope" in out:
        out["envelope"] = Envelope(**out["envelope"])
    if "date" in out:
        out["date"] = dt.datetime.fromisoformat(out["date"].replace("Z", "+00:00"))
    return out


def raw_message(request: dict[str, Any]) -> tuple[Message, None]:
    envelope = Envelope(**request["envelope"]) if request.get("envelope") else None
    return Message.raw(base64.b64decode(request["raw"]), envelope=envelope, tag=request.get("tag")), None


def arguments(request: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: request[name] for name in names if name in request}


def token(found: AccessToken) -> dict[str, Any]:
    return {
        "secret": found.secret,
        "username": found.username,
        "scopes": list(found.scopes),
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
    }


def account(found: Account) -> dict[str, Any]:
    return {"username": found.username, "tenant": found.tenant, "scopes": list(found.scopes)}


def login(flow: Login | AsyncLogin) -> dict[str, Any]:
    return {
        "method": flow.method,
        "url": flow.url,
        "user_code": flow.user_code,
        "message": flow.message,
        "state": flow.state,
    }


def result(item: SendResult) -> dict[str, Any]:
    return {
        "index": item.index,
        "tag": item.tag,
        "message_id": item.message_id,
        "outcome": item.outcome,
        "receipt": item.receipt.to_dict() if item.receipt else None,
        "error": item.error.to_dict() if item.error else None,
    }


def _addresses(value: Any) -> Any:
    if isinstance(value, list):
        return [_addresses(item) for item in value]
    return (value.get("name") or "", value["address"]) if isinstance(value, dict) else value


def _attachment(item: Any, blobs: list[str]) -> Any:
    if isinstance(item, str):
        return item
    names = {key: item[key] for key in ("filename", "content_type", "content_id") if key in item}
    if "path" in item:
        return Attachment(item["path"], **names)
    content = base64.b64decode(blobs[item["blob"]]) if "blob" in item else item["content"].encode()
    return Attachment(content, **names)
