//! What Entra's numbers and Google's sentences mean: the code, where `error` alone is ambiguous, and the cure. Sources:
//! Microsoft "Entra authentication and authorization error codes", Google "OAuth 2.0 error responses".

use crate::error::ErrorCode;

pub(super) type Row = (u64, Option<ErrorCode>, &'static str);

const CONSENT: Option<ErrorCode> = Some(ErrorCode::ConsentRequired);
const CLIENT: Option<ErrorCode> = Some(ErrorCode::ClientRejected);
const SCOPE: Option<ErrorCode> = Some(ErrorCode::ScopeRejected);
const POLICY: Option<ErrorCode> = Some(ErrorCode::AuthPolicyBlocked);
const LOGIN: Option<ErrorCode> = Some(ErrorCode::LoginInvalid);
pub(super) const PASSING: Option<ErrorCode> = Some(ErrorCode::TokenEndpointUnavailable);

const TENANT: &str = "Set auth.tenant to your organisation's domain, such as contoso.com, or its tenant id.";
const ACCOUNT: &str =
    "The account is not in this tenant: check auth.tenant, or sign in with an account of the right kind.";
const MFA: &str =
    "Sign in again with `mailbearer login`; for a program without a person use grant `client_credentials`.";
const DEVICE: &str =
    "Sign in from a managed device, or ask an administrator for a Conditional Access exception.";
const AGAIN: &str = "The sign-in was revoked, as after a change of password: run `mailbearer login`.";
const UNUSED: &str =
    "The sign-in was unused for too long: run `mailbearer login`, and keep the token store between runs.";
const UPLOAD: &str =
    "Upload the certificate to the application's registration, and check that it is the one configured.";
const CLOCK: &str = "Check this machine's clock: the assertion's time does not fit the service's.";
const FEDERATED: &str =
    "The federated credential's issuer, subject and audience must be exactly those of the assertion.";
const PERMISSION: &str =
    "Add the permission (SMTP.Send or SMTP.SendAsApp) of `Office 365 Exchange Online` to the registration.";
const ONE_RESOURCE: &str = "Ask for one resource at a time: leave auth.scopes out, or name one.";
const STALE_CODE: &str =
    "Start a new sign-in: a sign-in's code works once, in the sign-in that it belongs to.";
const FIELD: &str = "The request lacks a field: leave auth.scopes out, so that the preset fills it in.";
const CLOUD: &str =
    "The application belongs to another of Microsoft's clouds: set `cloud` (`global`, `us`, `dod`, `china`).";
const PLATFORM: &str = "The redirect URI is registered as `Single-page application`: register it as `Mobile and desktop applications`.";
const AUDIENCE: &str =
    "The registration takes work accounts only: let it support personal accounts, or set auth.tenant.";

/// Entra's numbers, in their order.
pub(super) static ENTRA: &[Row] = &[
    (28000, SCOPE, ONE_RESOURCE),
    (
        50011,
        None,
        "Register the redirect URI exactly: http://localhost under `Mobile and desktop applications`; the path is case-sensitive.",
    ),
    (50012, CLIENT, UPLOAD),
    (50020, None, ACCOUNT),
    (50033, PASSING, ""),
    (50034, None, ACCOUNT),
    (50053, None, "Wait a while, or ask an administrator to unlock the account."),
    (50055, None, "The account's password has expired: set a new one, then run `mailbearer login`."),
    (50057, None, "The account is disabled: an administrator must enable it."),
    (50058, None, "Nobody is signed in there: leave auth.prompt out, so that the person is asked."),
    (50059, None, TENANT),
    (50072, None, MFA),
    (50074, None, MFA),
    (50076, None, MFA),
    (50079, None, MFA),
    (50097, None, DEVICE),
    (50105, None, "Assign the person to the application: Enterprise applications, Users and groups."),
    (50126, None, "Check the name and the password: one of them is wrong."),
    (50128, None, TENANT),
    (50132, None, AGAIN),
    (50133, None, AGAIN),
    (50173, None, AGAIN),
    (50194, None, TENANT),
    (
        50196,
        PASSING,
        "Stop the program that asks again and again, and let it keep its tokens: the service sees a loop.",
    ),
    (53000, None, DEVICE),
    (53001, None, DEVICE),
    (
        53003,
        POLICY,
        "Conditional Access blocks it: exclude the application or location, or use another grant.",
    ),
    (54005, LOGIN, STALE_CODE),
    (65001, CONSENT, "The application was not granted the permission: an administrator must consent once."),
    (65004, Some(ErrorCode::LoginDeclined), "Start the sign-in again and accept what the page asks."),
    (70008, None, UNUSED),
    (70011, SCOPE, "Leave auth.scopes out, or write a full URL; `.default` is for applications only."),
    (70016, None, "The person has not finished signing in yet."),
    (70018, LOGIN, "The device code belongs to another sign-in: start a new one."),
    (70019, Some(ErrorCode::LoginExpired), "Start the sign-in again; a device code lasts 15 minutes."),
    (70020, Some(ErrorCode::LoginExpired), "Start the sign-in again; a device code lasts 15 minutes."),
    (70021, CLIENT, FEDERATED),
    (70043, None, "A policy demands a sign-in every so often: use grant `client_credentials` for a program."),
    (90002, None, TENANT),
    (90006, PASSING, ""),
    (90012, PASSING, ""),
    (90014, None, FIELD),
    (90024, PASSING, ""),
    (90033, PASSING, ""),
    (90055, PASSING, ""),
    (90072, None, ACCOUNT),
    (90094, CONSENT, "Only an administrator may grant this permission."),
    (90095, CONSENT, "Only an administrator may grant this permission."),
    (
        500011,
        SCOPE,
        "The service does not know the scope's resource: check auth.scopes and `cloud`; the organisation may have no Exchange.",
    ),
    (500133, CLIENT, CLOCK),
    (500208, None, ACCOUNT),
    (501481, LOGIN, STALE_CODE),
    (530032, None, DEVICE),
    (
        530035,
        POLICY,
        "The organisation's security defaults block it: an administrator must allow modern sign-in.",
    ),
    (650052, CONSENT, PERMISSION),
    (650053, CONSENT, PERMISSION),
    (650054, CONSENT, PERMISSION),
    (650055, CONSENT, PERMISSION),
    (650056, CONSENT, PERMISSION),
    (650057, CONSENT, PERMISSION),
    (700005, LOGIN, "The code came from another tenant: use the same auth.tenant for both steps."),
    (
        700016,
        CLIENT,
        "The application is not in this organisation: check auth.client_id and auth.tenant, or consent to it there.",
    ),
    (700022, SCOPE, ONE_RESOURCE),
    (700024, CLIENT, CLOCK),
    (700025, CLIENT, "The application is a public client: remove auth.client_secret."),
    (700027, CLIENT, UPLOAD),
    (700082, None, UNUSED),
    (
        700084,
        None,
        "The redirect URI is of type SPA, whose sign-ins last 24 hours: register it as `Mobile and desktop`.",
    ),
    (700211, CLIENT, FEDERATED),
    (700212, CLIENT, FEDERATED),
    (700213, CLIENT, FEDERATED),
    (700214, CLIENT, FEDERATED),
    (900144, None, FIELD),
    (900382, CLIENT, CLOUD),
    (900439, CLIENT, CLOUD),
    (7000112, CLIENT, "The application is disabled: use an application of your own in auth.client_id."),
    (7000215, CLIENT, "auth.client_secret must be the secret's Value, not its Secret ID."),
    (
        7000218,
        CLIENT,
        "Set `Allow public client flows` to Yes in the registration, or give auth.client_secret.",
    ),
    (
        7000222,
        CLIENT,
        "The application's secret has expired: make a new one and put its Value into auth.client_secret.",
    ),
    (
        7000229,
        CONSENT,
        "The application has no account in this organisation: an administrator must consent once, or set auth.tenant to the right one.",
    ),
    (9001023, None, TENANT),
    (9002325, CLIENT, PLATFORM),
    (9002326, CLIENT, PLATFORM),
    (9002327, CLIENT, PLATFORM),
    (9002332, None, AUDIENCE),
];

pub(super) type GoogleRow = (&'static str, &'static str, Option<ErrorCode>, &'static str);

/// `error`, a word of `error_subtype` or of the description (or any), the code if not the usual, the cure.
pub(super) static GOOGLE: &[GoogleRow] = &[
    (
        "invalid_grant",
        "reasonable timeframe",
        CLIENT,
        "Check this machine's clock: the time in the service account's assertion does not fit Google's.",
    ),
    (
        "invalid_grant",
        "Invalid JWT Signature",
        CLIENT,
        "Google does not know this key: it was deleted or disabled. Make a new key for the service account, and set auth.key_file.",
    ),
    (
        "invalid_grant",
        "account not found",
        CLIENT,
        "Google does not know the service account, or it was deleted: check auth.key_file.",
    ),
    (
        "invalid_grant",
        "Invalid email or User ID",
        None,
        "The mailbox in auth.subject (or username) is not in the Workspace: name an account of the organisation, not an alias or a group.",
    ),
    (
        "invalid_request",
        "Invalid impersonation",
        None,
        "The mailbox in auth.subject (or username) is not in the Workspace: name an account of the organisation, not an alias or a group.",
    ),
    (
        "invalid_grant",
        "has been deleted",
        None,
        "The Google account was deleted: use another one, or ask an administrator to restore it within 20 days.",
    ),
    (
        "deleted_client",
        "",
        None,
        "The OAuth client was deleted in the Google Cloud console: make a new one, and set auth.client_id.",
    ),
    (
        "disabled_client",
        "",
        None,
        "The OAuth client is disabled in the Google Cloud console: enable it there.",
    ),
    (
        "invalid_grant",
        "invalid_rapt",
        None,
        "The organisation's session length policy asks for a new sign-in: run `mailbearer login`.",
    ),
    (
        "invalid_grant",
        "expired or revoked",
        None,
        "Sign in again with `mailbearer login`; while Google's consent screen is in `Testing` that is needed every 7 days.",
    ),
    (
        "invalid_grant",
        "Malformed auth code",
        None,
        "The code was cut or encoded twice on its way: start a new sign-in.",
    ),
    (
        "redirect_uri_mismatch",
        "",
        None,
        "Register the redirect URI exactly as it is, or make the client of type `Desktop app`.",
    ),
    (
        "unauthorized_client",
        "",
        None,
        "The client may not use this grant: check its type, and for service accounts the domain-wide delegation.",
    ),
    (
        "invalid_client",
        "",
        None,
        "Check auth.client_id and auth.client_secret against the service's console.",
    ),
    (
        "admin_policy_enforced",
        "",
        Some(ErrorCode::ConsentRequired),
        "A Workspace administrator must allow the application under Security, API controls.",
    ),
    (
        "org_internal",
        "",
        Some(ErrorCode::ConsentRequired),
        "The application is for its own organisation only: sign in with an account of it.",
    ),
];
