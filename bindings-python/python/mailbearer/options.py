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


#: Brings a token when one is needed; it may be asynchronous.
TokenCallback = Callable[
    ["TokenRequest"],
    "str | AccessToken | Mapping[str, Any] | Awaitable[str | AccessToken | Mapping[str, Any]]",
]


# <options>
# Written from core/src/config/schema.rs by `make docs`.


class CertificateOptions(TypedDict, total=False):
    """What may stand beside a certificate."""

    #: What opens the PFX, or the key in PEM, if it is encrypted.
    password: Secret
    #: Sends the certificates along, for applications that are registered by subject name and issuer. Default `false`.
    send_chain: bool
    #: How an RSA key signs; keys on P-256 and P-384 have their own way. Default `PS256`.
    algorithm: Literal["PS256", "RS256"]


class AssertionOptions(TypedDict, total=False):
    """What an assertion may be beside a secret."""

    #: The token itself, or where it stands.
    value: Secret
    #: The token of the GitHub Actions job that this is: true, or its audience.
    github: bool | str


class _AuthCommon(TypedDict, total=False):
    """What every grant takes."""

    #: Microsoft's tenant: a verified domain, a GUID, `organizations`, `consumers` or `common`. Default:
    #: `organizations`; `consumers` for outlook; required for an application's own token.
    tenant: str
    #: `smtp`, `imap`, `pop`, or full scopes. Default: the provider's scope for SMTP.
    scopes: Sequence[str]


class _AuthService(_AuthCommon, total=False):
    """What a grant takes that asks a token endpoint."""

    #: The sign-in service's base URL; for `custom` the issuer, whose own document names the endpoints. Default: the
    #: provider's.
    authority: str
    #: The token endpoint (RFC 6749 §3.2). Default: the provider's.
    token_endpoint: str


class _AuthClient(_AuthService, total=False):
    """Who the application is, and how it proves that: in one way, or none."""

    #: The application's (client) id. Default: must be written, but where Azure gives a workload its own.
    client_id: str
    #: The application's secret; a public client has none.
    client_secret: Secret
    #: The application's private key and its certificate, instead of a secret: PEM, or PFX (as a text: in base64).
    certificate: Certificate
    #: Another issuer's token that the application trusts, instead of a secret; it is read anew at every use.
    client_assertion: Assertion
    #: The authorization endpoint (RFC 6749 §3.1). Default: the provider's.
    authorization_endpoint: str
    #: The device authorization endpoint (RFC 8628 §3.1). Default: the provider's.
    device_authorization_endpoint: str
    #: The revocation endpoint (RFC 7009 §2), which `logout` tells. Default: the provider's.
    revocation_endpoint: str
    #: How `auth.client_secret` travels: in the body (`post`), or as HTTP Basic authentication. `auto`: as the issuer's
    #: document says, else in the body, and as `basic` if that is refused. Default: `auto`.
    client_auth: Literal["auto", "post", "basic"]


class ClientCredentials(_AuthClient, total=False):
    """The application signs in as itself."""

    grant: Required[Literal["client_credentials"]]


class AuthorizationCode(_AuthClient, total=False):
    """A person signs in, in a browser or with a code shown on a device."""

    grant: Required[Literal["authorization_code", "device_code"]]
    #: The application's own address for the answer. Default: a listener of our own on loopback.
    redirect_uri: str
    #: What the sign-in page asks: `login`, `none`, `consent` or `select_account`.
    prompt: str
    #: The account that the sign-in page offers.
    login_hint: str
    #: The domain that the sign-in page offers.
    domain_hint: str
    #: A claims request, as JSON text.
    claims: str
    #: How the answer comes back. Default: `query`.
    response_mode: Literal["query", "form_post"]


class RefreshToken(_AuthClient, total=False):
    """A person signed in elsewhere, and here is the refresh token."""

    grant: Required[Literal["refresh_token"]]
    #: The refresh token to start from.
    refresh_token: Required[Secret]


class JwtBearer(_AuthService, total=False):
    """A Google service account, in the name of `subject`."""

    grant: Required[Literal["jwt_bearer"]]
    #: The key file of a Google service account (JSON).
    key_file: Union[str, "Path"]
    #: Who signs, if there is no key file.
    issuer: str
    #: The issuer's private key as PEM, if there is no key file.
    private_key: Secret
    #: The person in whose name the token is. Default: `username`.
    subject: str


class ManagedIdentity(_AuthCommon, total=False):
    """The machine's own identity, or one of several that it has."""

    grant: Required[Literal["managed_identity"]]
    #: The identity, by its client id. Default: the machine's own identity.
    identity_client_id: str
    #: The identity, by its object id.
    object_id: str
    #: The identity, by its resource id.
    resource_id: str


class Command(_AuthCommon, total=False):
    """A program that prints a token."""

    grant: Required[Literal["command"]]
    #: A program and its arguments, which prints a token, or JSON with `access_token` and `expires_in` or `expires_at`.
    command: Required[Sequence[str]]
    #: How long the program may take. Default: 30 s.
    timeout: Duration


class Callback(_AuthCommon, total=False):
    """A function of yours gets the tokens."""

    grant: Required[Literal["callback"]]
    #: A function of the program that gets the tokens; C sets it by mailbearer_config_set_token_callback().
    callback: Required[TokenCallback]


class StaticToken(_AuthCommon, total=False):
    """One access token, good until it expires."""

    grant: Required[Literal["access_token"]]
    #: The token itself.
    access_token: Required[Secret]
    #: When the token expires: RFC 3339, or epoch seconds. Default: the token's own `exp`.
    expires_at: Union[dt.datetime, int, str]


class FileStore(TypedDict, total=False):
    """A file that this user alone may read."""

    kind: Required[Literal["file"]]
    #: The file. Default: `mailbearer/tokens.json` in the user's state folder.
    path: Union[str, "Path"]
    #: Encrypts what is kept; at least 24 characters.
    key: Secret


class KeyringStore(TypedDict, total=False):
    """A file, encrypted with a key that the system's keyring keeps."""

    kind: Required[Literal["keyring"]]
    #: The file. Default: `mailbearer/tokens.json` in the user's state folder.
    path: Union[str, "Path"]


class RedisStore(TypedDict, total=False):
    """A server that processes and hosts share."""

    kind: Required[Literal["redis"]]
    #: The server: `redis://`, `rediss://` or `unix://`.
    url: Required[Secret]
    #: Encrypts what is kept; at least 24 characters.
    key: Secret


class TimeoutOptions(TypedDict, total=False):
    """One limit for each stage of a connection."""

    #: The TCP connection. Default `15s`.
    connect: Duration
    #: The TLS handshake. Default `15s`.
    tls: Duration
    #: The server's greeting. Default `30s`.
    greeting: Duration
    #: The reply to a command. Default `60s`.
    command: Duration
    #: A body that does not move. Default `3m`.
    progress: Duration
    #: The reply to the end of the message (RFC 5321 §4.5.3.2.6). Default `10m`.
    final_reply: Duration


class SmtpOptions(TypedDict, total=False):
    """How the mail server is reached."""

    #: The mail server, without scheme or port. Default: the provider's; required for custom.
    host: str
    #: The mail server's port. Default: the provider's; 465 for `tls`, 587 for `starttls`.
    port: int
    #: STARTTLS (required, never opportunistic), TLS from the first octet, or none, on loopback only. Default: the
    #: provider's; `tls` at port 465.
    security: Literal["starttls", "tls", "none"]
    #: The SASL mechanism; `auto` takes XOAUTH2 where it is offered, else OAUTHBEARER (RFC 7628). Default `auto`.
    mechanism: Literal["auto", "xoauth2", "oauthbearer"]
    #: Whether the token goes on the AUTH line (RFC 4954 §4). Default `auto`.
    initial_response: Literal["auto", "always", "never"]
    #: The name in EHLO. Default: this machine's address.
    hello_name: str
    #: The address to connect from.
    local_address: str
    #: A proxy's URL: `http://` (CONNECT), `socks5h://` (the proxy looks the name up) or `socks5://`, with user and
    #: password if it wants them.
    proxy: Secret
    #: How far commands run ahead of their replies (RFC 2920); `auto` is `group` for Microsoft's servers and `chain`
    #: elsewhere. Default `auto`.
    pipelining: Literal["auto", "chain", "group", "off"]
    #: Whether bodies go in chunks (BDAT, RFC 3030); `pipelined` is dangerous with servers that do not discard a
    #: refused chunk. Default `off`.
    chunking: Literal["off", "on", "pipelined"]
    #: One limit for each stage of a connection.
    timeouts: TimeoutOptions


class LimitOptions(TypedDict, total=False):
    """The mailbox's limits."""

    #: Connections at once for a host and mailbox, in this process. Default: the provider's.
    max_connections: int | None
    #: Messages in any minute, in this process. Default: 30 for microsoft365 and outlook, else none.
    messages_per_minute: int | None
    #: Messages before a connection is replaced. Default `100`.
    max_messages_per_connection: int | None
    #: How long an unused connection is kept. Default `60s`.
    idle_timeout: Duration | None
    #: How old a connection may grow. Default `10m`.
    max_age: Duration | None
    #: Stops signing in for 30 s after three refusals in a row, before the provider locks the account. Default `true`.
    breaker: bool
    #: A Redis server's URL (`redis://`, `rediss://`, `unix://`): all processes that name it keep
    #: `limits.max_connections` and `limits.messages_per_minute` together.
    shared: Secret


class TlsOptions(TypedDict, total=False):
    """Which certificates are trusted."""

    #: `platform`, `bundled` (Mozilla's), or the path of a PEM file. Default `platform`.
    roots: Union[str, "Path"]


class RetryOptions(TypedDict, total=False):
    """How often, and how soon, a send is tried again."""

    #: All tries of one send, with the first. Default `3`.
    attempts: int
    #: The first pause, doubled each time. Default `1s`.
    base_delay: Duration
    #: The longest pause. Default `60s`.
    max_delay: Duration


class HttpOptions(TypedDict, total=False):
    """How the sign-in service is reached."""

    #: One token request. Default `15s`.
    timeout: Duration
    #: A proxy's URL, as for `smtp.proxy`, or `none`; never for loopback. Default: HTTPS_PROXY, ALL_PROXY and NO_PROXY.
    proxy: Secret


class DkimOptions(TypedDict, total=False):
    """Signs every message (DKIM, RFC 6376)."""

    #: The domain that signs (`d=`): the author's own, or one above it.
    domain: Required[str]
    #: Which of its keys (`s=`): the public one stands in DNS at `SELECTOR._domainkey.DOMAIN`.
    selector: Required[str]
    #: The private key as PEM: RSA of at least 2,048 bits, or Ed25519.
    private_key: Required[Secret]


class _Options(TypedDict, total=False):
    """The options of a mailer or a token source."""

    #: Whose mail service it is; `custom` is any other, and `memory` keeps messages for tests and sends nothing.
    provider: Required[Provider]
    #: Microsoft's cloud: worldwide, GCC High, Department of Defense, or 21Vianet's. Default `global`.
    cloud: Literal["global", "us", "dod", "china"]
    #: The mailbox that signs in (the `user=` of XOAUTH2).
    username: str
    #: The author of messages that name none. Default: `username`.
    from_: Addr
    #: How long one send may take, with its waiting and its retries. Default: 5 minutes, and a second for each 16 KiB.
    timeout: Duration
    #: What happens if the server refuses some of the recipients: send to the others, or to nobody. Default `deliver`.
    partial: Literal["deliver", "refuse"]
    #: Which local files a message may attach by path: all, none (`deny`), or those in a list of folders. Default
    #: `allow`.
    files: Union[Literal["allow", "deny"], "Sequence[str | Path]"]
    #: Lets a token of a known provider go to an SMTP host that is not the provider's. Default `false`.
    danger_token_to_host: bool
    #: Tells every line that goes over a connection as an event `smtp.trace`, without secrets and bodies. Default
    #: `false`.
    trace: bool
    #: How tokens are acquired.
    auth: Auth
    #: How the mail server is reached.
    smtp: SmtpOptions
    #: The mailbox's limits.
    limits: LimitOptions
    #: Which certificates are trusted.
    tls: TlsOptions
    #: Where tokens are kept; Python and Node take an object of the program's own, too. Default: `memory`; `file` if a
    #: person signed in and the options came from a file.
    store: Store
    #: How often, and how soon, a send is tried again.
    retry: RetryOptions
    #: How the sign-in service is reached.
    http: HttpOptions
    #: Signs every message (DKIM, RFC 6376).
    dkim: DkimOptions
# </options>


class CertificateRef(SecretRef, CertificateOptions, total=False):
    """Where a certificate and its key stand, and how they are used."""


class AssertionRef(SecretRef, AssertionOptions, total=False):
    """Where another issuer's token stands."""


#: The private key and its certificate: itself, or where it stands.
Certificate = Union[str, CertificateRef]
#: Another issuer's token: itself, where it stands, or a function without arguments that brings it.
Assertion = Union[str, AssertionRef, Callable[[], "str | Awaitable[str]"]]
#: How tokens are acquired.
Auth = Union[
    ClientCredentials, AuthorizationCode, RefreshToken, JwtBearer, ManagedIdentity, Command, Callback, StaticToken
]
#: Where tokens are kept.
Store = Union[Literal["memory", "file", "keyring"], FileStore, KeyringStore, RedisStore, TokenStore]


class Options(_Options, total=False):
    """The options of a `Mailer` or a `TokenSource`. A dictionary may say ``from`` for ``from_``."""

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
