//! Whose identity a machine or a job has, as the platform left it in the environment. Who gives the token is asked in
//! `oauth`.

use std::path::Path;

use url::Url;

use crate::input::Secret;
use crate::net::pinned;
use crate::provider::Family;

/// The service that gives this machine its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityService {
    /// Azure's virtual machines and scale sets.
    Imds(Url),
    /// App Service, Functions, Container Apps.
    AppService(Url, Secret),
    /// Azure Machine Learning.
    MachineLearning(Url, Secret),
    /// A server of one's own that Azure Arc knows.
    Arc(Url),
    /// Service Fabric, whose server is known by its certificate's thumbprint.
    ServiceFabric(Url, Secret, [u8; 20]),
    /// Google's machines.
    Google(Url),
}

/// Which of several identities is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The machine's own.
    System,
    /// By its client id.
    Client(String),
    /// By its object id.
    Object(String),
    /// By its resource id.
    Resource(String),
}

impl IdentityService {
    /// Looks at what the platform left in the environment.
    ///
    /// # Errors
    /// A sentence for a variable that is no URL.
    pub(crate) fn detect(family: Family, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| variable(name).filter(|text| !text.is_empty());
        let url = |name: &str, text: &str| {
            Url::parse(text).map_err(|_| format!("the environment variable {name} is not a URL"))
        };
        let fixed = |name: &str, default: &str, path: &str| {
            let base = set(name).unwrap_or_else(|| default.to_owned());
            url(name, &format!("{}{path}", base.trim_end_matches('/')))
        };
        if family == Family::Google {
            let host = set("GCE_METADATA_HOST").unwrap_or_else(|| "metadata.google.internal".into());
            let path = "computeMetadata/v1/instance/service-accounts/default/token";
            return url("GCE_METADATA_HOST", &format!("http://{host}/{path}")).map(Self::Google);
        }
        if let Some(endpoint) = set("IDENTITY_ENDPOINT") {
            let endpoint = url("IDENTITY_ENDPOINT", &endpoint)?;
            return match (set("IDENTITY_HEADER"), set("IDENTITY_SERVER_THUMBPRINT")) {
                (Some(header), Some(text)) => match pinned::thumbprint(&text) {
                    Some(thumbprint) => Ok(Self::ServiceFabric(endpoint, Secret::new(header), thumbprint)),
                    None => {
                        Err("the environment variable IDENTITY_SERVER_THUMBPRINT is not a thumbprint".into())
                    }
                },
                (Some(header), None) => Ok(Self::AppService(endpoint, Secret::new(header))),
                (None, _) => Ok(Self::Arc(endpoint)),
            };
        }
        if let (Some(endpoint), Some(secret)) = (set("MSI_ENDPOINT"), set("MSI_SECRET")) {
            return Ok(Self::MachineLearning(url("MSI_ENDPOINT", &endpoint)?, Secret::new(secret)));
        }
        if Path::new("/opt/azcmagent/bin/himds").exists() {
            return url("", "http://localhost:40342/metadata/identity/oauth2/token").map(Self::Arc);
        }
        fixed(
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            "http://169.254.169.254",
            "/metadata/identity/oauth2/token",
        )
        .map(Self::Imds)
    }
}
