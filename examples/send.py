"""The smallest program: options from the environment, one message, one receipt."""

from mailbearer import Mailer

with Mailer.from_env() as mailer:
    receipt = mailer.send(
        to="ada@example.com",
        subject="Hello from Python",
        text="Sent with a token, without a password.\n",
    )
    print("Python ", receipt.message_id, receipt.reply.code, receipt.reply.text)
