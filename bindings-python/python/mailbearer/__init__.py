"""Send mail through Microsoft 365, Gmail and others with OAuth2 tokens.

>>> from mailbearer import Mailer
>>> with Mailer(provider="microsoft365", username="noreply@contoso.com",
...             auth={"grant": "client_credentials", "tenant": "contoso.com",
...                   "client_id": "…", "client_secret": {"env": "CONTOSO_SECRET"}}) as mailer:
...     mailer.send(to="ada@example.com", subject="Hello", text="Hi")
"""

import atexit as _atexit
import sys as _sys

from ._native import __version__ as __version__
from ._native import prometheus as prometheus
from ._native import shutdown as _shutdown
from .access_token import AccessToken as AccessToken
from .access_token import TokenRequest as TokenRequest
from .aio import AsyncMailer as AsyncMailer
from .attachment import Attachment as Attachment
from .bulk import AsyncSendStream as AsyncSendStream
from .bulk import SendStream as SendStream
from .errors import AuthError as AuthError
from .errors import Cancelled as Cancelled
from .errors import Closed as Closed
from .errors import ConfigError as ConfigError
from .errors import DeliveryError as DeliveryError
from .errors import Error as Error
from .errors import InternalError as InternalError
from .errors import LoginRequired as LoginRequired
from .errors import MessageError as MessageError
from .errors import NetworkError as NetworkError
from .errors import OAuthDetail as OAuthDetail
from .errors import StoreError as StoreError
from .errors import TimedOut as TimedOut
from .errors import TokenError as TokenError
from .events import Event as Event
from .explanation import Explanation as Explanation
from .explanation import explain as explain
from .login import Account as Account
from .login import AsyncLogin as AsyncLogin
from .login import Login as Login
from .mailer import Mailer as Mailer
from .message import Message as Message
from .receipt import Counts as Counts
from .receipt import Envelope as Envelope
from .receipt import Kept as Kept
from .receipt import Receipt as Receipt
from .receipt import SendResult as SendResult
from .reply import Rejection as Rejection
from .reply import Reply as Reply
from .report import Finding as Finding
from .report import Report as Report
from .tokens import AsyncTokenSource as AsyncTokenSource
from .tokens import TokenSource as TokenSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Addr as Addr
    from .options import Addrs as Addrs
    from .options import Auth as Auth
    from .options import AuthorizationCode as AuthorizationCode
    from .options import Callback as Callback
    from .options import ClientCredentials as ClientCredentials
    from .options import Duration as Duration
    from .options import MessageFields as MessageFields
    from .options import Options as Options
    from .options import Provider as Provider
    from .options import RefreshToken as RefreshToken
    from .options import Secret as Secret
    from .options import SecretRef as SecretRef
    from .options import StaticToken as StaticToken
    from .options import TokenStore as TokenStore
    from .words import ErrorCode as ErrorCode
    from .words import EventName as EventName


def __getattr__(name: str) -> object:
    # The types for annotations: imported when somebody asks for them at run time.
    if name in _TYPES:
        from . import options, words

        return getattr(words if name in ("ErrorCode", "EventName") else options, name)
    raise AttributeError(f"module 'mailbearer' has no attribute {name!r}")


_TYPES = {
    "Addr",
    "Addrs",
    "Auth",
    "AuthorizationCode",
    "Callback",
    "ClientCredentials",
    "Duration",
    "ErrorCode",
    "EventName",
    "MessageFields",
    "Options",
    "Provider",
    "RefreshToken",
    "Secret",
    "SecretRef",
    "StaticToken",
    "TokenStore",
}



def _end() -> None:
    # Nothing of ours may call an interpreter that has ended. Before Python 3.12 a sub-interpreter can import this
    # package too; its end is not the end of the process, unless Python itself is ending and ends what was left.
    if _sys.is_finalizing():
        return _shutdown(True, True)
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        main = True
    else:
        main = interpreters.get_current() == interpreters.get_main()
    _shutdown(main, False)


_atexit.register(_end)
