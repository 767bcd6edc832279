"""Tokens for other clients, unmodified: smtplib, imaplib, aiosmtplib."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from email.message import EmailMessage

import aiosmtplib
import pytest

from mailbearer import AsyncTokenSource, TokenSource
from mailbearer.testing import Emulator


def hello() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "noreply@contoso.com", "ada@example.com", "by another"
    message.set_content("x")
    return message


@pytest.mark.parametrize("in_line", [True, False])
def test_smtplib(mailbearer_emulator: Emulator, in_line: bool) -> None:
    context = ssl.create_default_context(cafile=str(mailbearer_emulator.ca_file))
    with TokenSource(**mailbearer_emulator.settings()) as source:
        with smtplib.SMTP(mailbearer_emulator.smtp_host, mailbearer_emulator.smtp_port) as smtp:
            smtp.starttls(context=context)
            smtp.ehlo()
            code, _ = smtp.auth("XOAUTH2", source.smtplib_auth(), initial_response_ok=in_line)
            assert code == 235
            smtp.send_message(hello())
    (seen,) = mailbearer_emulator.wait_for()
    assert (seen.username, seen.mechanism) == ("noreply@contoso.com", "XOAUTH2")


def test_smtplib_answers_an_error_challenge(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("auth", reply="334-json")
    context = ssl.create_default_context(cafile=str(mailbearer_emulator.ca_file))
    with TokenSource(**mailbearer_emulator.settings()) as source:
        refused = source.get()
        with smtplib.SMTP_SSL("localhost", mailbearer_emulator.smtps_port, context=context) as smtp:
            smtp.ehlo()
            with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
                smtp.auth("XOAUTH2", source.smtplib_auth())
            assert caught.value.smtp_code == 535
        assert source.get() != refused, "the refused token is not given again"


async def test_aiosmtplib(mailbearer_emulator: Emulator) -> None:
    context = ssl.create_default_context(cafile=str(mailbearer_emulator.ca_file))
    async with AsyncTokenSource(**mailbearer_emulator.settings()) as source:
        async with aiosmtplib.SMTP(
            hostname="localhost",
            port=mailbearer_emulator.smtp_port,
            start_tls=True,
            tls_context=context,
            username="noreply@contoso.com",
            oauth_token_generator=source.secret,
        ) as smtp:
            await smtp.send_message(hello())
    assert mailbearer_emulator.wait_for()[0].mechanism == "XOAUTH2"


def imap_server(listening: socket.socket, heard: list[bytes], accept: bool) -> None:
    """As much of IMAP (RFC 9051) as AUTHENTICATE takes."""
    connection, _ = listening.accept()
    with connection, connection.makefile("rwb", buffering=0) as wire:
        wire.write(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready\r\n")
        while line := wire.readline():
            tag, command = line.split()[:2]
            if command == b"CAPABILITY":
                wire.write(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n" + tag + b" OK done\r\n")
            elif command == b"AUTHENTICATE":
                wire.write(b"+ \r\n")
                heard.append(b64decode(wire.readline()))
                if not accept:
                    wire.write(b"+ " + b64encode(b'{"status":"400"}') + b"\r\n")
                    heard.append(wire.readline())
                wire.write(tag + (b" OK signed in\r\n" if accept else b" NO AUTHENTICATE failed\r\n"))
            else:
                wire.write(b"* BYE\r\n" + tag + b" OK bye\r\n")
                return


@pytest.mark.parametrize("accept", [True, False])
def test_imaplib(mailbearer_emulator: Emulator, accept: bool) -> None:
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening, TokenSource(**mailbearer_emulator.settings()) as source:
        server = threading.Thread(target=imap_server, args=(listening, heard, accept))
        server.start()
        client = imaplib.IMAP4("127.0.0.1", listening.getsockname()[1], timeout=20)
        given = source.get()
        if accept:
            client.authenticate("XOAUTH2", source.imaplib_auth())
        else:
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATE failed"):
                client.authenticate("XOAUTH2", source.imaplib_auth())
        client.logout()
        server.join(20)
    assert heard[0].decode() == given.xoauth2()
    assert heard[1:] == ([] if accept else [b"\r\n"]), "an error challenge is answered with nothing"
