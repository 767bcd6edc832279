//! The tenants that this Entra knows, and the ids of their users.

use crate::defaults::{DEFAULT_TENANT, DEFAULT_TENANT_ID};
use crate::random;

/// Microsoft's tenant of personal accounts.
pub(crate) const CONSUMERS_ID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// What a tenant segment of a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    /// `contoso.com`, under one of its names.
    Work,
    /// `common`: work and personal accounts.
    Common,
    /// `organizations`: work accounts of any tenant.
    Organizations,
    /// `consumers`, or its GUID: personal accounts.
    Consumers,
}

impl Tenant {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            DEFAULT_TENANT | DEFAULT_TENANT_ID | "contoso.onmicrosoft.com" => Some(Self::Work),
            "common" => Some(Self::Common),
            "organizations" => Some(Self::Organizations),
            "consumers" | CONSUMERS_ID => Some(Self::Consumers),
            _ => None,
        }
    }

    /// The id of the tenant in which this user signs in.
    pub(crate) fn id_for(self, username: &str) -> &'static str {
        let personal = match self {
            Self::Consumers => true,
            Self::Common => is_personal(username),
            Self::Work | Self::Organizations => false,
        };
        if personal { CONSUMERS_ID } else { DEFAULT_TENANT_ID }
    }
}

/// A user's object id, always the same.
pub(crate) fn object_id(username: &str) -> String {
    random::guid_of(username)
}

fn is_personal(username: &str) -> bool {
    let domain = username.rsplit('@').next().unwrap_or_default();
    ["outlook.com", "hotmail.com", "live.com", "msn.com"]
        .iter()
        .any(|personal| domain.eq_ignore_ascii_case(personal))
}
