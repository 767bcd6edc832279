"""Errors: their classes, their data, and that they hold no secret."""

from __future__ import annotations

import builtins
import json
import pickle
import re
from pathlib import Path

import pytest

import mailbearer
from mailbearer import errors
from mailbearer.testing import Emulator

CODES = re.findall(
    r'^    \w+ "(\w+)" (\d+) (?:true|false)$',
    (Path(__file__).parents[2] / "core/src/error/codes.rs").read_text(),
    re.MULTILINE,
)
CLASSES = {
    100: mailbearer.ConfigError,
    200: mailbearer.MessageError,
    300: mailbearer.TokenError,
    400: mailbearer.AuthError,
    500: mailbearer.DeliveryError,
    600: mailbearer.NetworkError,
    700: mailbearer.StoreError,
    900: mailbearer.InternalError,
}
EXACT = {
    "interaction_required": mailbearer.LoginRequired,
    "timed_out": mailbearer.TimedOut,
    "cancelled": mailbearer.Cancelled,
    "closed": mailbearer.Closed,
}


@pytest.mark.parametrize(("code", "number"), CODES)
def test_every_code_has_its_class(code: str, number: str) -> None:
    error = errors.make_error(code, "a.field", "it broke", "Mend it.")
    assert isinstance(error, mailbearer.Error)
    assert type(error) is EXACT.get(code, CLASSES.get(int(number) // 100 * 100))
    assert (error.code, error.number, error.field) == (code, int(number), "a.field")
    assert str(error) == "it broke. Mend it."
    assert error.docs_url.endswith(code)
    again = pickle.loads(pickle.dumps(error))
    assert again == error and type(again) is type(error)
    assert json.loads(json.dumps(error.to_dict()))["code"] == code
    rebuilt = type(error)(*json.loads(json.dumps(error.args)))
    assert rebuilt == error and str(rebuilt) == str(error) and rebuilt.code == code
    assert getattr(error, "errno", None) is None


def test_the_table_was_read() -> None:
    assert len(CODES) > 35


def test_classes_derive_from_pythons_own() -> None:
    assert issubclass(mailbearer.ConfigError, ValueError)
    assert issubclass(mailbearer.MessageError, ValueError)
    assert issubclass(mailbearer.NetworkError, ConnectionError)
    assert issubclass(mailbearer.TimedOut, TimeoutError)
    assert issubclass(mailbearer.LoginRequired, mailbearer.TokenError)


def test_no_exported_name_shadows_a_builtin() -> None:
    exported = {name for name in vars(mailbearer) if not name.startswith("_")} | mailbearer._TYPES
    assert not exported & set(dir(builtins))


def test_a_rich_error_survives_pickling(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail(
        "token", status=400, body='{"error": "invalid_client", "error_codes": [7000215], "error_description": "bad"}'
    )
    with mailbearer.Mailer(**mailbearer_emulator.settings()) as mailer:
        with pytest.raises(mailbearer.TokenError) as caught:
            mailer.send(to="ada@example.com", text="x", tag="mine")
    error = caught.value
    assert error.oauth is not None
    assert (error.code, error.oauth.error, error.oauth.codes) == ("client_rejected", "invalid_client", (7000215,))
    assert error.tag == "mine" and error.message_id
    assert type(error)(*json.loads(json.dumps(error.args))) == error
    assert pickle.loads(pickle.dumps(error)) == error


def test_an_smtp_error_has_the_servers_words(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("mail", reply="550 5.7.60 SMTP; Client does not have permissions to send as this sender")
    with mailbearer.Mailer(**mailbearer_emulator.settings()) as mailer:
        with pytest.raises(mailbearer.AuthError) as caught:
            mailer.send(to="ada@example.com", text="x")
    assert caught.value.code == "send_as_denied"
    assert caught.value.smtp is not None and caught.value.smtp.enhanced == "5.7.60"
    assert pickle.loads(pickle.dumps(caught.value)).smtp == caught.value.smtp


def test_a_broken_connection_after_the_dot_is_uncertain(mailbearer_emulator: Emulator) -> None:
    mailbearer_emulator.fail("end", drop=True)
    with mailbearer.Mailer(**mailbearer_emulator.settings()) as mailer:
        with pytest.raises(mailbearer.DeliveryError) as caught:
            mailer.send(to="ada@example.com", text="x")
    assert (caught.value.code, caught.value.delivery) == ("delivery_uncertain", "uncertain")
    assert not caught.value.retryable


def test_nothing_shows_a_secret(mailbearer_emulator: Emulator) -> None:
    options = mailbearer_emulator.settings()
    secret = dict(options["auth"])["client_secret"]
    with mailbearer.Mailer(**options) as mailer:
        token = mailer.tokens.get()
        shown = "".join(map(repr, (mailer, mailer.tokens, token)))
        assert str(secret) not in shown and token.secret not in shown
        for value in (mailer, mailer.tokens, token):
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(value)
