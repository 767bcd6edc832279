"""The types of options and of message fields. Nothing of ours needs them at run time, so that a program
that only sends does not wait for `typing`."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Tuple, TypedDict, Union

if sys.version_info >= (3, 11):
    from typing import NotRequired, Required
else:
    from typing_extensions import NotRequired, Required

from .words import Provider as Provider

if TYPE_CHECKING:
    import datetime as dt
    from email.headerregistry import Address
    from pathlib import Path

    from .access_token import AccessToken, TokenRequest
    from .attachment import Attachment
    from .events import Event
    from .receipt import Envelope

#: Seconds, a `timedelta`, or text with a unit: ``"500ms"``, ``"30s"``, ``"10m"``, ``"1h"``.
Duration = Union[str, float, "dt.timedelta"]
#: Where a secret is read from, again at each use: one of the keys.
SecretRef = TypedDict("SecretRef", {"env": str, "file": "str | Path", "command": Sequence[str]}, total=False)
#: A secret itself, or where it is read from.
Secret = Union[str, SecretRef]
#: One mailbox: ``"ada@example.com"``, ``("Ada", "ada@example.com")`` or an `Address`.
Addr = Union[str, "Address", Tuple[str, str]]
#: One mailbox or a list of them.
Addrs = Union[Addr, Sequence[Addr]]


class _Common(TypedDict, total=False):
    tenant: str
    client_id: str
    scopes: Sequence[str]
    #: The sign-in service's base URL. For ``custom``: the issuer, whose own document names the endpoints.
    authority: str
    token_endpoint: str
    authorization_endpoint: str
    device_authorization_endpoint: str
    #: RFC 7009: `logout` tells it.
    revocation_endpoint: str


class _Proof(_Common, total=False):
    """How an application proves who it is: one of them, or none for a public client."""

    client_secret: Secret
    #: The private key and its certificate, as PEM or PFX; a mapping may have ``password``, ``send_chain`` and
    #: ``algorithm`` too.
    certificate: Union[Secret, Mapping[str, Any]]
    #: Another issuer's token that the application trusts, read anew at every use; ``{"github": True}`` is the
    #: Actions job's own. Or a function without arguments that brings one; it may be asynchronous.
    client_assertion: Union[Secret, Mapping[str, Any], Callable[[], "str | Awaitable[str]"]]


class ClientCredentials(_Proof):
    """The application signs in as itself."""

    grant: Required[Literal["client_credentials"]]


class AuthorizationCode(_Proof):
    """A person signs in, in a browser or with a code shown on a device."""

    grant: Required[Literal["authorization_code", "device_code"]]
    redirect_uri: NotRequired[str]
    prompt: NotRequired[Literal["login", "none", "consent", "select_account"]]
    login_hint: NotRequired[str]
    domain_hint: NotRequired[str]
    claims: NotRequired[str]
    #: How the answer comes back; default ``query``.
    response_mode: NotRequired[Literal["query", "form_post"]]


class RefreshToken(_Proof):
    """A person signed in elsewhere, and here is the refresh token."""

    grant: Required[Literal["refresh_token"]]
    refresh_token: Required[Secret]


class JwtBearer(_Common):
    """A Google service account, in the name of `subject` (default: the option `username`)."""

    grant: Required[Literal["jwt_bearer"]]
    key_file: NotRequired[Union[str, "Path"]]
    issuer: NotRequired[str]
    private_key: NotRequired[Secret]
    subject: NotRequired[str]


class ManagedIdentity(_Common):
    """The machine's own identity, or one of several that it has."""

    grant: Required[Literal["managed_identity"]]
    identity_client_id: NotRequired[str]
    object_id: NotRequired[str]
    resource_id: NotRequired[str]


class Command(_Common):
    """A program that prints a token, or JSON with ``access_token`` and ``expires_in`` or ``expires_at``."""

    grant: Required[Literal["command"]]
    command: Required[Sequence[str]]
    timeout: NotRequired[Duration]


class Callback(_Common):
    """A function of yours gets the tokens."""

    grant: Required[Literal["callback"]]
    callback: Required[
        Callable[
            ["TokenRequest"],
            "str | AccessToken | Mapping[str, Any] | Awaitable[str | AccessToken | Mapping[str, Any]]",
        ]
    ]


class StaticToken(_Common):
    """One access token, good until it expires."""

    grant: Required[Literal["access_token"]]
    access_token: Required[Secret]
    #: An instant; default the JWT's own.
    expires_at: Union["dt.datetime", int, str]


#: How tokens are acquired.
Auth = Union[
    ClientCredentials, AuthorizationCode, RefreshToken, JwtBearer, ManagedIdentity, Command, Callback, StaticToken
]


class TokenStore(Protocol):
    """A place of your own for tokens: a compare-and-swap on a version. Its methods run on a thread of
    their own (awaitables on the mailer's loop). Entries hold refresh tokens: treat them as secrets."""

    def load(self, key: str) -> tuple[bytes, int] | None:
        """The entry and its version, if there is one."""
        ...

    def save(self, key: str, entry: bytes | None, version: int | None) -> bool:
        """Writes (``None`` removes) if the version is still `version` (``None``: there is no entry);
        otherwise returns False. The next version is any other number."""
        ...


class FileStore(TypedDict, total=False):
    """A file readable by this user alone; default ``mailbearer/tokens.json`` under the user's state folder."""

    kind: Required[Literal["file"]]
    path: Union[str, "Path"]
    #: At least 24 characters: entries are encrypted (docs/tokens.md).
    key: Secret


class KeyringStore(TypedDict, total=False):
    """A file, encrypted with a key that the system's keyring keeps (secret-tool, macOS's keychain)."""

    kind: Required[Literal["keyring"]]
    path: Union[str, "Path"]


class RedisStore(TypedDict, total=False):
    """A server that processes and hosts share: ``redis://``, ``rediss://`` or ``unix://``."""

    kind: Required[Literal["redis"]]
    url: Required[Secret]
    #: At least 24 characters: entries are encrypted (docs/tokens.md).
    key: Secret


class Options(TypedDict, total=False):
    """The options of a `Mailer` or a `TokenSource`. A dictionary may say ``from`` for ``from_``."""

    provider: Required[Provider]
    #: Microsoft's; default ``global``.
    cloud: Literal["global", "us", "dod", "china"]
    username: str
    from_: Addr
    auth: Auth
    smtp: Mapping[str, Any]
    limits: Mapping[str, Any]
    tls: Mapping[str, Any]
    store: Union[Literal["memory", "file", "keyring"], FileStore, KeyringStore, RedisStore, TokenStore]
    retry: Mapping[str, Any]
    http: Mapping[str, Any]
    #: ``domain``, ``selector`` and ``private_key`` (PEM: RSA from 2,048 bits, or Ed25519): signs every message.
    dkim: Mapping[str, Any]
    files: Union[Literal["allow", "deny"], "Sequence[str | Path]"]
    timeout: Duration
    partial: Literal["deliver", "refuse"]
    #: Lets a Microsoft or Google token go to a server outside its preset. Default false.
    danger_token_to_host: bool
    #: Logs every line that goes over a connection (level DEBUG), without secrets and bodies. Default false.
    trace: bool
    on_event: Callable[["Event"], None]


class Requests(TypedDict, total=False):
    """What the server is asked for beside taking a message. One that cannot says ``capability_missing``."""

    #: Delivery reports (RFC 3461): ``notify`` (``"never"``, or some of ``"success"``, ``"failure"``,
    #: ``"delay"``), ``return`` (``"full"`` or ``"headers"``), ``envelope_id``.
    dsn: Mapping[str, Any]
    #: Nobody on the way may pass it on without TLS (RFC 8689).
    require_tls: bool
    #: How long the server keeps it first (RFC 4865); or until when.
    hold_for: Duration
    hold_until: dt.datetime


class MessageFields(Requests, total=False):
    """What a message is made of. A dictionary may say ``from`` for ``from_``."""

    from_: Addrs
    sender: Addr
    reply_to: Addrs
    to: Addrs
    cc: Addrs
    bcc: Addrs
    subject: str
    text: str
    html: str
    attachments: Sequence[Union[str, "Path", "Attachment"]]
    headers: Mapping[str, Union[str, Sequence[str]]]
    message_id: str
    date: dt.datetime
    in_reply_to: str
    references: Sequence[str]
    list_unsubscribe: Sequence[str]
    calendar: Union[str, bytes]
    priority: Literal["high", "normal", "low"]
    envelope: Envelope
    #: Finished MIME in place of all of these but `envelope` and `tag`: see `Message.raw`.
    raw: Union[bytes, str]
    tag: str
