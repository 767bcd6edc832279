//! What a GitHub Actions job is told about its own token (GitHub, "OpenID Connect reference").

use crate::error::{Error, Result};

/// # Errors
/// `config_invalid` if this is no such job.
pub(crate) fn check(field: &str, variable: impl Fn(&str) -> Option<String>) -> Result<()> {
    match [URL, TOKEN].iter().all(|name| variable(name).is_some_and(|text| !text.is_empty())) {
        true => Ok(()),
        false => Err(missing(field)),
    }
}

pub(crate) fn missing(field: &str) -> Error {
    Error::config(field, format!("`{field}`: this is not a GitHub Actions job with a token of its own"))
        .with_hint("Give the job `permissions: id-token: write`.")
}

/// Where a job is told to ask.
pub(crate) const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// What it asks with.
pub(crate) const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_by_its_environment() {
        let error = check("auth.client_assertion", |_| None).unwrap_err();
        assert!(error.hint().unwrap().contains("id-token"), "{error}");
        assert!(check("auth.client_assertion", |_| Some("x".into())).is_ok());
    }
}
