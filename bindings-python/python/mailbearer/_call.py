"""How a native job is run: blocking, or awaited on an event loop; and who hears of events."""

from __future__ import annotations

import sys
import threading

from . import errors
from .events import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol
    from ._host import Host
    from ._native import Job
    from .words import EventName

    class _Drained(Protocol):
        def drain_events(self) -> list[tuple[EventName, int, dict[str, Any]]] | None: ...


class Client:
    """What all faces over one native object share."""

    _native: _Drained
    _host: Host

    def _drain(self) -> None:
        """Tells the events that core put aside, here and now."""
        events = self._native.drain_events()
        if events is not None:
            tell(events, self._host.on_event)

    def _run(self, job: Job) -> Any:
        """Blocks; other threads and greenlets run meanwhile, and Ctrl-C ends it."""
        if "gevent" in sys.modules or "eventlet" in sys.modules:
            from . import _green

            cooperative = _green.runner(self._drain)
            if cooperative is not None:
                try:
                    return cooperative(job)
                finally:
                    self._drain()
        try:
            return job.run(threading.current_thread() is threading.main_thread())
        finally:
            self._drain()

    async def _wait(self, job: Job) -> Any:
        """Awaits it on the running loop, whichever that is. Cancelling the task cancels the call."""
        import asyncio
        import contextvars

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise _no_loop() from None
        self._host.loop = loop
        ended = loop.create_future()
        context = contextvars.copy_context()

        def settle() -> None:
            # Also after a cancel: what became of the message is known only now.
            self._drain()
            if not ended.done():
                ended.set_result(None)

        def done() -> None:
            try:
                loop.call_soon_threadsafe(settle, context=context)
            except RuntimeError:
                pass  # The loop was closed: nobody waits any more.

        job.start(done)
        try:
            await ended
        except asyncio.CancelledError:
            job.cancel()
            raise
        return job.result()


def _no_loop() -> Exception:
    other = "trio" if "trio" in sys.modules else "something else"
    return errors.config(
        None,
        f"this call needs asyncio's event loop, and {other} runs the program",
        "Use the blocking class on a thread, such as trio.to_thread.run_sync(mailer.send, message).",
    )
