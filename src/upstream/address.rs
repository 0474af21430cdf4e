//! The upstream's base URL, and how a client's path is joined to it.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Where requests go. Fixed by configuration: nothing of a client changes scheme, host or base path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    authority: Authority,
    /// Without a trailing slash; empty for the root.
    base_path: String,
}

/// Why a text is not a base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not parse.
    #[error("it is not a URL")]
    NotAUrl,
    /// It is relative, or of another scheme than http and https.
    #[error("it does not begin with http:// or https://")]
    NoScheme,
    /// It holds a user name or a password.
    #[error(
        "it holds a user name or password: name the key with upstream.api_key_env or upstream.api_key_file instead"
    )]
    Credentials,
    /// Its port is no number up to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// It has a query or a fragment.
    #[error("it has a query or a fragment, which a base URL cannot have")]
    Query,
}

impl Address {
    /// Reads a base URL such as `https://host/v1`, with or without a trailing slash.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        if text.contains('#') {
            return Err(AddressError::Query);
        }
        let parts = text.trim().parse::<Uri>().map_err(|_| AddressError::NotAUrl)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(AddressError::NoScheme);
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(AddressError::NoScheme);
        }
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        // What stands behind the last colon, where that is not within the brackets of an IPv6 address.
        let port =
            authority.as_str().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err(AddressError::Port);
        }
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err(AddressError::Query);
        }
        Ok(Address { scheme, authority, base_path: path.path().trim_end_matches('/').to_owned() })
    }

    /// Whether the connection is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The URL for a client's path and query. Where the base path ends in a version segment (`/v1`), a
    /// client's own leading version segment of the same name is taken as that one, so that both
    /// `http://proxy/v1` and `http://proxy` work as a client's base URL.
    pub fn join(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        let rest = match self.base_path.rsplit_once('/') {
            Some((_, version)) if is_version(version) => path_and_query
                .strip_prefix('/')
                .and_then(|path| path.strip_prefix(version))
                .filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
                .unwrap_or(path_and_query),
            _ => path_and_query,
        };
        let joined = if self.base_path.is_empty() && !rest.is_empty() {
            PathAndQuery::try_from(rest)?
        } else {
            PathAndQuery::try_from(format!("{}{rest}", self.base_path))?
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(joined)
            .build()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
