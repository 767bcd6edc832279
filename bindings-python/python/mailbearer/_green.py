"""Programs whose threads are greenlets: gevent and eventlet.

A call must not stop their hub, and a function of the program that core asks needs a real thread: a greenlet
that is started on a thread without a hub never runs."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._native import Job


def runner(settle: Callable[[], None]) -> Callable[[Job], Any] | None:
    """What runs a job while this thread's hub goes on; `None` if the thread has no hub. `settle` is called once a
    job has ended that its greenlet no longer waits for."""
    hub = _gevent_hub()
    if hub is not None:
        return lambda job: _run_in_gevent(hub, job, settle)
    return _run_in_eventlet if _has_eventlet_hub() else None


def start_thread(work: Callable[[], None]) -> None:
    """Runs `work` on a real thread, whatever was patched."""
    if "gevent" in sys.modules:
        from gevent import monkey

        monkey.get_original("_thread", "start_new_thread")(_with_own_hub, (work,))
    else:
        from eventlet import patcher

        patcher.original("threading").Thread(target=work, name="mailbearer-callback", daemon=True).start()


def _gevent_hub() -> Any:
    if "gevent" not in sys.modules:
        return None
    from gevent._hub_local import get_hub_if_exists

    return get_hub_if_exists()


def _run_in_gevent(hub: Any, job: Job, settle: Callable[[], None]) -> Any:
    import gevent
    from gevent.event import Event

    ended, left = Event(), False

    def wake() -> None:
        ended.set()
        if left:
            # Not here: a handler of events may wait, and the hub may not.
            gevent.spawn(settle)

    def done() -> None:
        try:
            hub.loop.run_callback_threadsafe(wake)
        except Exception:
            pass  # The hub was destroyed: nobody waits any more.

    job.start(done)
    try:
        ended.wait()
    except BaseException:
        # The greenlet was killed, its timeout expired, or Ctrl-C.
        left = True
        job.cancel()
        raise
    return job.result()


def _with_own_hub(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        # The hub that the function's own waiting made: nobody else closes it.
        hub = _gevent_hub()
        if hub is not None:
            hub.destroy(destroy_loop=True)


def _has_eventlet_hub() -> bool:
    if "eventlet" not in sys.modules:
        return False
    from eventlet import hubs

    return getattr(hubs._threadlocal, "hub", None) is not None


def _run_in_eventlet(job: Job) -> Any:
    from eventlet import tpool

    try:
        return tpool.execute(job.run, False)
    except BaseException:
        job.cancel()
        raise
