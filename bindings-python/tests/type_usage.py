"""The contract as users write it; mypy reads this file, nothing runs it. What must not pass is marked,
and an unneeded mark is an error too."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

from typing_extensions import assert_type

import mailbearer
from mailbearer import (
    AccessToken,
    Account,
    AsyncLogin,
    AsyncMailer,
    AsyncSendStream,
    AsyncTokenSource,
    Attachment,
    ClientCredentials,
    Counts,
    Envelope,
    Error,
    Event,
    Login,
    Mailer,
    Message,
    MessageFields,
    OAuthDetail,
    Options,
    Receipt,
    Rejection,
    Reply,
    Report,
    SendResult,
    SendStream,
    TokenRequest,
    TokenSource,
)
from mailbearer.testing import Emulator, Received


def first_mail() -> None:
    auth: ClientCredentials = {
        "grant": "client_credentials",
        "tenant": "contoso.com",
        "client_id": "1",
        "client_secret": {"env": "CONTOSO_SECRET"},
    }
    with Mailer(
        provider="microsoft365",
        username="noreply@contoso.com",
        from_=("No Reply", "noreply@contoso.com"),
        auth=auth,
        timeout=dt.timedelta(minutes=1),
        limits={"max_connections": 3},
        files=[Path("/srv/reports")],
        partial="deliver",
    ) as mailer:
        receipt = mailer.send(
            to=["ada@example.com", ("Grace", "grace@example.com"), Address("Jo", "jo", "example.com")],
            subject="Hello",
            text="Hi",
            html="<b>Hi</b>",
            attachments=["report.pdf", Path("x.csv"), Attachment(b"1", filename="one.txt")],
            headers={"X-One": "1", "X-Two": ["a", "b"]},
            date=dt.datetime.now(dt.timezone.utc),
            priority="high",
            tag="order-7",
            timeout="30s",
        )
        assert_type(receipt, Receipt)
        assert_type(receipt.accepted, tuple[str, ...])
        assert_type(receipt.rejected, tuple[Rejection, ...])
        assert_type(receipt.sent_at, dt.datetime)
        assert_type(receipt.timings, Mapping[str, float])
        assert_type(receipt.to_dict(), dict[str, Any])
        assert_type(receipt.reply.enhanced, str | None)
        for rejection in receipt.rejected:
            assert_type(rejection.reply, Reply)


def wrong_options() -> None:
    Mailer(provider="gmial")  # type: ignore[arg-type]
    Mailer(username="a@example.com")  # type: ignore[call-arg]
    Mailer(provider="memory", tmeout="1s")  # type: ignore[call-arg]
    Mailer(provider="memory", timeout=b"1s")  # type: ignore[arg-type]
    Mailer(provider="memory", auth={"grant": "password"})  # type: ignore[arg-type, misc]
    Mailer(provider="memory", on_event=lambda: None)  # type: ignore[arg-type, misc]
    TokenSource(provider="memory", partial="maybe")  # type: ignore[arg-type]


def wrong_messages(mailer: Mailer) -> None:
    mailer.send("Subject: x")  # type: ignore[call-overload]
    mailer.send(to=1)  # type: ignore[call-overload]
    mailer.send(to="a@example.com", subjct="x")  # type: ignore[call-overload]
    Message(to="a@example.com", priority="urgent")  # type: ignore[arg-type]
    Message(to="a@example.com", attachments=[b"octets"])  # type: ignore[list-item]
    Envelope("a@example.com")  # type: ignore[call-arg]


def finished_mime(mailer: Mailer, message: EmailMessage) -> None:
    assert_type(mailer.send(message), Receipt)
    assert_type(mailer.send(b"From: x", envelope=Envelope("a@example.com", ["b@example.com"])), Receipt)
    kept = Message.raw(message, tag="t")
    assert_type(kept.message_id, str)
    assert_type(kept.to_bytes(), bytes)
    assert_type(mailer.send(kept, partial="refuse"), Receipt)
    assert_type(mailer.sendmail("a@example.com", ["b@example.com"], "x"), dict[str, tuple[int, bytes]])
    assert_type(mailer.send_message(message), dict[str, tuple[int, bytes]])
    assert_type(mailer.render({"to": "a@example.com", "text": "x"}), bytes)


def bulk_with_errors(mailer: Mailer) -> None:
    def source() -> Iterator[MessageFields]:
        yield {"to": "a@example.com", "text": "x", "tag": "1"}

    with mailer.send_many(source(), timeout=60, partial="refuse") as stream:
        assert_type(stream, SendStream)
        for result in stream:
            assert_type(result, SendResult)
            assert_type(result.outcome, Literal["sent", "failed", "uncertain", "not_sent"])
            if result.error is not None:
                assert_type(result.error.code, mailbearer.ErrorCode)
                if result.error.code == "auth_rejectd":  # type: ignore[comparison-overlap]
                    pass
            if result.receipt is not None:
                assert_type(result.receipt.message_id, str)
            if result.index > 10:
                stream.cancel()
        assert_type(stream.counts, Counts)
        assert_type(stream.counts.in_flight, int)


def what_went_wrong(mailer: Mailer) -> None:
    try:
        mailer.send(to="a@example.com", text="x")
    except mailbearer.LoginRequired as error:
        assert_type(error.hint, str | None)
    except mailbearer.TokenError as error:
        assert_type(error.oauth, OAuthDetail | None)
    except mailbearer.TimedOut as error:
        slow: TimeoutError = error
        broken: ConnectionError = error
        print(slow, broken)
    except (mailbearer.ConfigError, mailbearer.MessageError) as error:
        wrong: ValueError = error
        print(wrong)
    except Error as error:
        assert_type(error.number, int)
        assert_type(error.retry_after, float | None)
        assert_type(error.delivery, Literal["none", "uncertain"])
        assert_type(error.smtp, Reply | None)
        assert_type(error.rejected, tuple[Rejection, ...])
        assert_type(error.report, Report | None)
        assert_type(error.to_dict(), dict[str, Any])


def signing_in(mailer: Mailer) -> None:
    login = mailer.login(redirect_uri="https://app.contoso.com/callback")
    assert_type(login, Login)
    assert_type(login.method, Literal["authorization_code", "device_code"])
    saved = login.save()
    account = mailer.resume_login(saved).finish({"code": "1", "state": login.state or ""})
    assert_type(account, Account)
    assert_type(account.refresh_expires_at, dt.datetime | None)
    device = mailer.login(method="device_code", open_browser=True)
    print(device.user_code, device.message, device.expires_at)
    assert_type(device.wait(timeout=dt.timedelta(minutes=5)), Account)
    device.cancel()
    mailer.logout()
    mailer.login(method="password")  # type: ignore[arg-type]


def looking_after_it(mailer: Mailer) -> None:
    report = mailer.verify(send_to="a@example.com", raise_on_failure=False)
    assert_type(report, Report)
    for finding in report.findings:
        assert_type(finding.status, Literal["ok", "warning", "failed", "skipped"])
        print(finding.link, finding.seen, finding.means, finding.do, finding.code)
    mailer.warm()
    assert_type(mailer.metrics(), dict[str, Any])
    assert_type(mailer.for_mailbox("sales@contoso.com", from_="sales@contoso.com"), Mailer)
    mailer.close(timeout=5)
    report.ok.missing  # type: ignore[attr-defined]


def other_ways_to_make_one(options: Options) -> None:
    assert_type(Mailer.from_dict({"provider": "memory", "from": "a@example.com"}), Mailer)
    assert_type(Mailer.from_file("x.toml", profile="work", timeout="1m"), Mailer)
    assert_type(Mailer.from_env("MAIL_"), Mailer)
    assert_type(AsyncMailer.from_env(), AsyncMailer)
    assert_type(TokenSource.from_env(), TokenSource)
    Mailer(**options)

    class MyMailer(Mailer):
        pass

    assert_type(MyMailer.from_env(), MyMailer)


def the_token_alone() -> None:
    with TokenSource(
        provider="gmail",
        username="a@gmail.com",
        auth={"grant": "refresh_token", "client_id": "1", "refresh_token": {"file": Path("t")}},
    ) as source:
        token = source.get(force=True, min_remaining="5m", timeout=10)
        assert_type(token, AccessToken)
        assert_type(token.expires_at, dt.datetime | None)
        assert_type(token.claims, Mapping[str, Any] | None)
        assert_type(token.xoauth2(), str)
        print(token.xoauth2_base64(), token.oauthbearer("imap.gmail.com", 993))
        source.invalidate(token)
        source.invalidate(token.secret)
        assert_type(source.account, Account | None)
        assert_type(source.smtplib_auth(), Callable[..., str])
        assert_type(source.imaplib_auth(), Callable[[bytes], bytes])


class Shelf:
    def load(self, key: str) -> tuple[bytes, int] | None:
        return None

    def save(self, key: str, entry: bytes | None, version: int | None) -> bool:
        return True


class NoShelf:
    def load(self, key: str) -> str:
        return key


def functions_of_ones_own() -> None:
    def plain(request: TokenRequest) -> str:
        return f"{request.username} {request.scopes} {request.force}"

    async def later(request: TokenRequest) -> dict[str, Any]:
        return {"access_token": "x", "expires_at": dt.datetime.now(dt.timezone.utc)}

    def on_event(event: Event) -> None:
        print(event.name, event.fields["message_id"])

    Mailer(provider="gmail", auth={"grant": "callback", "callback": plain}, store=Shelf(), on_event=on_event)
    AsyncMailer(provider="gmail", auth={"grant": "callback", "callback": later}, store={"kind": "file", "path": "x"})
    Mailer(provider="gmail", store=NoShelf())  # type: ignore[arg-type]


async def a_service() -> None:
    async def source() -> AsyncIterator[Message]:
        yield Message(to="a@example.com", text="x")

    async with AsyncMailer(provider="memory") as mailer:
        assert_type(await mailer.send(to="a@example.com", text="x"), Receipt)
        assert_type(await mailer.send(Message(to="a@example.com", text="x"), timeout=1.5), Receipt)
        async with mailer.send_many(source()) as stream:
            assert_type(stream, AsyncSendStream)
            async for result in stream:
                assert_type(result, SendResult)
        mailer.send_many([Message(to="a@example.com", text="x")])
        login = await mailer.login(method="device_code")
        assert_type(login, AsyncLogin)
        assert_type(await login.wait(), Account)
        assert_type(await mailer.verify(), Report)
        assert_type(mailer.tokens, AsyncTokenSource)
        assert_type(await mailer.tokens.get(), AccessToken)
        assert_type(await mailer.tokens.secret(), str)
        await mailer.close(timeout="1s")
        await mailer.aclose()
        for wrong in stream:  # type: ignore[attr-defined]
            print(wrong)


def testing_without_a_network() -> None:
    with Emulator(dialect="microsoft") as emulator, Mailer(**emulator.settings("refresh_token")) as mailer:
        emulator.fail("rcpt", reply="550 5.1.1 nobody", times=2, match="bob@")
        mailer.send(to="a@example.com", text="x")
        (seen,) = emulator.wait_for(1, timeout=5)
        assert_type(seen, Received)
        assert_type(seen.parsed, EmailMessage)
        assert_type(emulator.messages, tuple[Received, ...])
        assert_type(emulator.environ(), dict[str, str])
        assert_type(emulator.sign_in("https://…", username="a@contoso.com", decision="deny"), str)
        emulator.approve("ABC", username="a@contoso.com")
        emulator.fail()  # type: ignore[call-arg]


def options_are_known_by_name_kind_and_word() -> None:
    Mailer(
        provider="gmail",
        username="ada@example.com",
        auth={"grant": "jwt_bearer", "key_file": Path("key.json")},
        smtp={"host": "smtp.gmail.com", "port": 587, "security": "starttls", "timeouts": {"connect": 5.0}},
        limits={"max_connections": 3, "idle_timeout": None, "max_age": dt.timedelta(minutes=5)},
        tls={"roots": Path("/ca.pem")},
        retry={"attempts": 2, "base_delay": 0.5},
        http={"timeout": "5s", "proxy": {"env": "PROXY"}},
        store={"kind": "redis", "url": "redis://localhost", "key": {"file": "key"}},
        dkim={"domain": "example.com", "selector": "s", "private_key": {"file": "dkim.pem"}},
    )
    Mailer(provider="memory", smtp={"hots": 1})  # type: ignore[typeddict-unknown-key]
    Mailer(provider="memory", smtp={"port": "587"})  # type: ignore[typeddict-item]
    Mailer(provider="memory", smtp={"security": "starttl"})  # type: ignore[typeddict-item]
    Mailer(provider="memory", smtp={"timeouts": {"conect": 1}})  # type: ignore[typeddict-unknown-key]
    Mailer(provider="memory", limits={"max_connections": "3"})  # type: ignore[typeddict-item]
    Mailer(provider="memory", tls={"root": "bundled"})  # type: ignore[typeddict-unknown-key]
    Mailer(provider="memory", retry={"attempts": None})  # type: ignore[typeddict-item]
    Mailer(provider="memory", http={"proxi": "none"})  # type: ignore[typeddict-unknown-key]
    Mailer(provider="memory", dkim={"domain": "example.com"})  # type: ignore[typeddict-item]
    Mailer(provider="memory", auth={"grant": "command"})  # type: ignore[misc, arg-type]
    Mailer(provider="memory", store={"kind": "redis"})  # type: ignore[arg-type]
