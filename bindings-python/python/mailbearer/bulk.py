"""Many messages: pulled on the caller's thread or loop, sent side by side, one result each."""

from __future__ import annotations

import os

from . import errors
from .message import as_message, tag_of
from .receipt import Counts, SendResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
    from typing import Any

    from typing_extensions import Self

    from ._mailer import MailerBase
    from ._native import Bulk

    Results = Iterator[SendResult]
    AsyncResults = AsyncIterator[SendResult]
else:
    Results = AsyncResults = object


class _Stream:
    """The end of the source, the failure it ended with, and the progress."""

    def __init__(self, client: MailerBase, bulk: Bulk) -> None:
        self._client = client
        self._bulk = bulk
        self._ended = False
        self._failure: BaseException | None = None
        #: Results that are here and were not asked for yet, the next one last.
        self._here: list[Any] = []
        self._process = os.getpid()

    @property
    def counts(self) -> Counts:
        """The progress."""
        sent, failed, uncertain, not_sent, in_flight = self._bulk.counts()
        return Counts(sent=sent, failed=failed, uncertain=uncertain, not_sent=not_sent, in_flight=in_flight)

    def cancel(self) -> None:
        """Stops pulling; what was started goes on to its end and can still be read."""
        self._end()

    def _end(self, failure: BaseException | None = None) -> None:
        self._ended = True
        self._failure = self._failure or failure
        self._bulk.finish()

    def _push(self, item: Any) -> None:
        """Starts a message; one that cannot be built gives its error as its result."""
        try:
            message = as_message(self._client._native, item)
        except Exception as error:
            told = error if isinstance(error, errors.Error) else errors.invalid_message(None, str(error))
            self._bulk.push_invalid(told.to_dict(), tag_of(item))  # type: ignore[attr-defined]
        else:
            self._bulk.push(message._native)

    def _fill(self, source: Iterator[Any]) -> None:
        """Pulls as many as may be under way. What the source raises waits until all are reported."""
        while not self._ended and self._bulk.has_room():
            try:
                item = next(source)
            except StopIteration:
                return self._end()
            except Exception as failure:
                return self._end(failure)
            self._push(item)

    def _first(self, results: list[Any]) -> SendResult:
        results.reverse()
        self._here = results
        return SendResult.from_core(results.pop())

    def _take_failure(self) -> BaseException | None:
        failure, self._failure = self._failure, None
        return failure


class SendStream(_Stream, Results):
    """The results of a `send_many`, as they come.

    Messages are pulled while results are asked for, at most as many ahead as there are connections.
    Leaving the loop stops the pulling and lets the started ones end.
    """

    def __init__(self, client: MailerBase, bulk: Bulk, messages: Iterable[Any]) -> None:
        super().__init__(client, bulk)
        self._source = iter(messages)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> SendResult:
        if self._here and self._process == os.getpid():
            return SendResult.from_core(self._here.pop())
        self._fill(self._source)
        try:
            results = self._client._run(self._bulk.next())
        except errors.Error:
            self._end()
            raise
        if results:
            return self._first(results)
        self._end()
        failure = self._take_failure()
        if failure is not None:
            raise failure
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()


class AsyncSendStream(_Stream, AsyncResults):
    """The results of a `send_many`, as they come. The source may be an iterable or an async iterable; a
    slow one does not hold up results."""

    def __init__(self, client: MailerBase, bulk: Bulk, messages: Iterable[Any] | AsyncIterable[Any]) -> None:
        super().__init__(client, bulk)
        self._source: Iterator[Any] | None = None
        self._slow: AsyncIterator[Any] | None = None
        if hasattr(messages, "__aiter__"):
            self._slow = messages.__aiter__()
        else:
            self._source = iter(messages)
        self._pulling: asyncio.Future[Any] | None = None
        self._waiting: asyncio.Future[Any] | None = None
        #: Nothing is under way, so there is no result to wait for.
        self._dry = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SendResult:
        if self._here and self._process == os.getpid():
            return SendResult.from_core(self._here.pop())
        try:
            results = await (self._quick() if self._slow is None else self._next())
        except errors.Error:
            self.cancel()
            raise
        if results:
            return self._first(results)
        self.cancel()
        failure = self._take_failure()
        if failure is not None:
            raise failure
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Stops pulling; what was started goes on to its end and can still be read."""
        super().cancel()
        if self._pulling is not None:
            self._pulling.cancel()
            self._pulling = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.cancel()
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def _quick(self) -> Any:
        assert self._source is not None
        self._fill(self._source)
        return await self._client._wait(self._bulk.next())

    async def _next(self) -> Any:
        """The next result, with the next message being waited for beside it."""
        import asyncio

        assert self._slow is not None
        while True:
            if self._pulling is None and not self._ended and self._bulk.has_room():
                self._pulling = asyncio.ensure_future(_one(self._slow))
            if self._waiting is None and not self._dry:
                # What is pushed from here on is not meant by an answer that there is nothing.
                self._dry = True
                self._waiting = asyncio.ensure_future(self._client._wait(self._bulk.next()))
            under_way = [future for future in (self._pulling, self._waiting) if future is not None]
            if not under_way:
                return None
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            if self._pulling is not None and self._pulling.done():
                self._pulled(self._pulling)
            if self._waiting is not None and self._waiting.done():
                waiting, self._waiting = self._waiting, None
                result = waiting.result()
                if result:
                    self._dry = False
                    return result

    def _pulled(self, pulling: asyncio.Future[Any]) -> None:
        self._pulling = None
        try:
            found, item = pulling.result()
        except Exception as failure:
            return self._end(failure)
        if not found:
            return self._end()
        self._push(item)
        self._dry = False


async def _one(source: AsyncIterator[Any]) -> tuple[bool, Any]:
    """The next item, if there is one: a task cannot end with StopAsyncIteration."""
    try:
        return True, await source.__anext__()
    except StopAsyncIteration:
        return False, None
