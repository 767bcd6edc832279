"""`large.py WHO OPTIONS FILE`: one message with that file attached. Prints seconds, and how far the peak of memory
rises over what the process had before."""

import json
import sys
import time

who, options, path = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]


def memory(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))


def measured(send):
    before = memory("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    begun = time.perf_counter()
    send()
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak": max(0, memory("VmHWM") - before)}))


if who == "mailbearer":
    from mailbearer import Mailer

    with Mailer.from_dict(options) as mailer:
        mailer.warm()
        measured(lambda: mailer.send(from_="me@example.com", to="ada@example.com", attachments=[path]))
else:
    import smtplib
    import ssl
    from email.message import EmailMessage

    context = ssl.create_default_context(cafile=options["tls"]["roots"])
    server = smtplib.SMTP_SSL("localhost", options["smtp"]["port"], context=context)
    server.ehlo()
    token = options["auth"]["access_token"]
    server.auth("XOAUTH2", lambda challenge=None: f"user=me@example.com\1auth=Bearer {token}\1\1")

    def send():
        message = EmailMessage()
        message["From"], message["To"] = "me@example.com", "ada@example.com"
        with open(path, "rb") as file:
            message.add_attachment(file.read(), maintype="application", subtype="octet-stream", filename="big.bin")
        server.send_message(message)

    measured(send)
