"""`many.py WHO OPTIONS COUNT SIZE`: sends and prints seconds and CPU seconds. WHO is mailbearer, mailbearer-async,
smtplib, aiosmtplib or libcurl. Connection and token are there before the clock starts."""

import asyncio
import json
import ssl
import sys
import threading
import time

who, options, count, size = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
text = ("a line of text for the body of this message\r\n" * (size // 45 + 1))[:size]
connections = options["limits"]["max_connections"] or 1
port, token = options["smtp"]["port"], options["auth"]["access_token"]
ca = options["tls"]["roots"]
FROM, TO = "me@example.com", "ada@example.com"


def clock():
    return time.perf_counter(), time.process_time()


def told(before):
    wall, cpu = clock()
    print(json.dumps({"seconds": wall - before[0], "cpu": cpu - before[1]}))


def xoauth2(challenge=None):
    return f"user={FROM}\1auth=Bearer {token}\1\1"


def mime():
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = FROM, TO, "bench"
    message.set_content(text)
    return message


def fields():
    return {"from_": FROM, "to": TO, "subject": "bench", "text": text}


if who == "mailbearer":
    from mailbearer import Mailer

    with Mailer.from_dict(options) as mailer:
        for _ in mailer.send_many(fields() for _ in range(30)):
            pass
        before = clock()
        for result in mailer.send_many(fields() for _ in range(count)):
            assert result.outcome == "sent", result.error
        told(before)
elif who == "mailbearer-async":
    from mailbearer import AsyncMailer

    async def main():
        async with AsyncMailer.from_dict(options) as mailer:
            async for _ in mailer.send_many(fields() for _ in range(30)):
                pass
            before = clock()
            async for result in mailer.send_many(fields() for _ in range(count)):
                assert result.outcome == "sent", result.error
            told(before)

    asyncio.run(main())
elif who == "smtplib":
    import smtplib

    def connect():
        client = smtplib.SMTP_SSL("localhost", port, context=ssl.create_default_context(cafile=ca))
        client.ehlo()
        client.auth("XOAUTH2", xoauth2)
        return client

    def work(client, share):
        for _ in range(share):
            client.send_message(mime())

    clients = [connect() for _ in range(connections)]
    before = clock()
    threads = [threading.Thread(target=work, args=(c, count // connections)) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told(before)
elif who == "aiosmtplib":
    import aiosmtplib

    async def main():
        context = ssl.create_default_context(cafile=ca)
        clients = []
        for _ in range(connections):
            client = aiosmtplib.SMTP(hostname="localhost", port=port, use_tls=True, tls_context=context)
            await client.connect()
            await client.auth_xoauth2(FROM, token)
            clients.append(client)

        async def work(client, share):
            for _ in range(share):
                await client.send_message(mime())

        before = clock()
        await asyncio.gather(*(work(c, count // connections) for c in clients))
        told(before)

    asyncio.run(main())
elif who == "libcurl":
    import io

    import pycurl

    def connect():
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, f"smtps://localhost:{port}")
        curl.setopt(pycurl.CAINFO, ca)
        curl.setopt(pycurl.USERNAME, FROM)
        curl.setopt(pycurl.XOAUTH2_BEARER, token)
        curl.setopt(pycurl.MAIL_FROM, FROM)
        curl.setopt(pycurl.MAIL_RCPT, [TO])
        curl.setopt(pycurl.UPLOAD, 1)
        return curl

    def once(curl):
        curl.setopt(pycurl.READDATA, io.BytesIO(mime().as_bytes()))
        curl.perform()

    def work(curl, share):
        for _ in range(share):
            once(curl)

    handles = [connect() for _ in range(connections)]
    for handle in handles:
        once(handle)
    before = clock()
    threads = [threading.Thread(target=work, args=(c, count // connections)) for c in handles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told(before)
