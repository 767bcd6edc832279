"""A Django project of one file: what it does is said by the first argument, its options by the environment."""

from __future__ import annotations

import inspect
import json
import os
import sys

if not hasattr(inspect, "markcoroutinefunction"):
    # Django 6.1 wants Python 3.12 for this; its mail does not.
    from asgiref.sync import markcoroutinefunction

    inspect.markcoroutinefunction = markcoroutinefunction

import django
from django.conf import settings

OPTIONS = json.loads(os.environ["DJANGO_OPTIONS"])
if django.VERSION >= (6, 1):
    mail = {"MAILERS": {"default": {"BACKEND": "mailbearer.django.EmailBackend", "OPTIONS": OPTIONS}}}
else:
    mail = {"EMAIL_BACKEND": "mailbearer.django.EmailBackend", "MAILBEARER": OPTIONS}
settings.configure(DEFAULT_FROM_EMAIL="Contoso <noreply@contoso.com>", ADMINS=["root@contoso.com"], **mail)
django.setup()

from django.core import mail as django_mail  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.core.mail import EmailMultiAlternatives, send_mail, send_mass_mail  # noqa: E402

import mailbearer  # noqa: E402


def said(work: object) -> str:
    try:
        assert callable(work)
        return str(work())
    except mailbearer.Error as error:
        return error.code
    except ImproperlyConfigured as error:
        return f"{type(error).__name__}: {error}"
    except ValueError:
        return "ValueError"


def whole() -> int:
    message = EmailMultiAlternatives("Grüße", "Hallo", None, ["Ada <ada@example.com>"], bcc=["eve@example.com"], cc=["bob@exämple.de"])
    message.attach_alternative("<b>Hallo</b>", "text/html")
    message.attach("a.csv", b"a;b\n", "text/csv")
    return int(message.send())


def mass() -> int:
    return int(send_mass_mail([("s", "b", None, [f"to{n}@example.com"]) for n in range(5)]))


def one_bad() -> int:
    good = [("s", "b", None, [f"good{n}@example.com"]) for n in range(2)]
    return int(send_mass_mail([good[0], ("two\nlines", "b", None, ["bad@example.com"]), good[1]]))


answers = {
    "whole": said(whole),
    "one": said(lambda: send_mail("Hi", "Hello", None, ["ada@example.com"])),
    "mass": said(mass),
    "one bad": said(one_bad),
    "nobody": said(lambda: send_mail("Hi", "Hello", None, [])),
    "refused": said(lambda: send_mail("Hi", "Hello", None, ["refused@example.com"])),
}
if django.VERSION >= (6, 1):
    answers["opened"] = said(lambda: django_mail.mailers["default"].open())
else:
    answers["opened"] = said(lambda: django_mail.get_connection().open())
    answers["silent"] = said(lambda: send_mail("Hi", "Hello", None, ["refused@example.com"], fail_silently=True))
print(json.dumps({"version": django.VERSION[:2], "answers": answers}))
sys.exit(0)
