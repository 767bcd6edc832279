# Generated from core's tables by `make docs`.
"""The words that a code, an event's name and a provider may be."""

from typing import Literal

#: What stands in `Error.code`.
ErrorCode = Literal[
    "config_invalid",
    "message_invalid",
    "message_too_large",
    "attachment_unreadable",
    "account_mismatch",
    "login_invalid",
    "interaction_required",
    "consent_required",
    "client_rejected",
    "grant_rejected",
    "scope_rejected",
    "token_endpoint_unavailable",
    "login_declined",
    "login_expired",
    "token_provider_failed",
    "auth_rejected",
    "smtp_auth_disabled",
    "auth_policy_blocked",
    "account_blocked",
    "send_as_denied",
    "mailbox_unavailable",
    "recipients_rejected",
    "message_rejected",
    "throttled",
    "quota_exceeded",
    "sender_rejected",
    "mailbox_full",
    "temporarily_refused",
    "delivery_uncertain",
    "name_not_resolved",
    "connect_failed",
    "tls_failed",
    "certificate_invalid",
    "timed_out",
    "connection_lost",
    "protocol_error",
    "capability_missing",
    "store_failed",
    "cancelled",
    "closed",
    "internal",
]

#: What stands in `Event.name`.
EventName = Literal[
    "token.refreshed",
    "token.refresh_failed",
    "login.expiring",
    "credential.expiring",
    "login.required",
    "smtp.connected",
    "smtp.closed",
    "send.done",
    "recipient.refused",
    "send.retrying",
    "send.failed",
    "send.cancelled",
    "smtp.trace",
    "limit.waiting",
    "warning",
]

#: Whose mail service it is.
Provider = Literal[
    "microsoft365",
    "outlook",
    "gmail",
    "hve",
    "yahoo",
    "aol",
    "fastmail",
    "yandex",
    "comcast",
    "custom",
    "memory",
]
