//! Who and what is there without being asked for: the applications, the tenant, the mailbox.

/// The confidential client, which proves itself with [`DEFAULT_CLIENT_SECRET`] or an assertion.
pub const DEFAULT_CLIENT_ID: &str = "6f1c1d0e-2f5b-4a52-9c1e-0d6a5d2b7c11";

/// Its secret, unless `Config::client_secret` says otherwise.
pub const DEFAULT_CLIENT_SECRET: &str = "emu8Q~not-a-real-secret-but-as-long-as-one";

/// The public client: no secret, for people at a browser or a device.
pub const DEFAULT_PUBLIC_CLIENT_ID: &str = "a2d4c7b0-93e1-4f0c-8b57-5c9be0f3d922";

/// The tenant's domain.
pub const DEFAULT_TENANT: &str = "contoso.com";

/// The tenant's id.
pub const DEFAULT_TENANT_ID: &str = "3c0fd6b8-7a1d-4c39-8f6e-2b9a41d0e733";

/// Google's service account, which may speak for every mailbox of the tenant.
pub const DEFAULT_SERVICE_ACCOUNT: &str = "mailer@contoso-mail.iam.gserviceaccount.com";

/// The service account's numeric id, which an administrator enters for domain-wide delegation.
pub(crate) const DEFAULT_SERVICE_ACCOUNT_ID: &str = "108754126430956127315";

/// The mailbox that is meant where none is named.
pub const DEFAULT_USERNAME: &str = "noreply@contoso.com";

/// The redirect URI of both clients that is not a loopback one, for web applications.
pub const DEFAULT_REDIRECT_URI: &str = "https://app.contoso.com/callback";

/// Google's name for itself in tokens and callbacks.
pub(crate) const GOOGLE_ISSUER: &str = "https://accounts.google.com";
