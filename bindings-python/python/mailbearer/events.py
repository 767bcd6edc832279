"""What happened, told on the caller's own thread or loop: to ``on_event`` and to
``logging.getLogger("mailbearer")``."""

from __future__ import annotations

import sys

from ._native import report_unraisable
from ._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .words import EventName


class Event(Record):
    """Something that happened. Its fields never hold a secret."""

    __slots__ = ("name", "fields")
    #: Such as ``token.refreshed`` or ``send.done``.
    name: EventName
    fields: Mapping[str, Any]


def tell(events: Sequence[tuple[EventName, int, dict[str, Any]]], on_event: Callable[[Event], None] | None) -> None:
    """Hands events on. A handler that raises disturbs neither the call nor the next event."""
    for name, level, fields in events:
        _log(name, level, fields)
        if on_event is None:
            continue
        try:
            on_event(Event(name=name, fields=fields))
        except Exception as error:
            report_unraisable(error, on_event)


def _log(name: str, level: int, fields: dict[str, Any]) -> None:
    # A program that never imported logging has not configured it either.
    if "logging" not in sys.modules:
        return
    import logging

    logger = logging.getLogger("mailbearer")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    if logger.isEnabledFor(level):
        text = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
        logger.log(level, "%s %s", name, text, extra={"mailbearer": fields})

