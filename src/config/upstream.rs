//! Keys of the upstream: where it is, whose key it gets, which paths may be reached.

use std::time::Duration;

use http::HeaderValue;

use super::reader::Reader;
use crate::chat::{Dialect, Paths};
use crate::upstream::{Address, UpstreamSettings};

/// What may be reached with the operator's key unless the configuration says otherwise: what makes a model answer, nothing
/// that manages an account, and nothing by which one client could read or delete what another has stored.
const ALLOWED_PATHS: &[&str] = &[
    "POST /v1/chat/completions",
    "POST /v1/completions",
    "POST /v1/responses",
    "POST /v1/messages",
    "POST /v1/messages/count_tokens",
    "POST /v1/embeddings",
    "GET /v1/models",
    "GET /v1/models/*",
    "POST /v1/moderations",
    "POST /v1/audio/*",
    "POST /v1/images/*",
    "POST /v1/rerank",
];

/// How long a connection without a request is kept. Model servers without TLS (uvicorn, Node, llama.cpp) close theirs after five
/// seconds, and a request that is on its way in that moment is lost; those behind a provider's front door keep them for long.
const LOCAL_IDLE: Duration = Duration::from_secs(4);
const REMOTE_IDLE: Duration = Duration::from_secs(60);

pub(super) fn upstream(reader: &mut Reader) -> Option<UpstreamSettings> {
    let url = reader.text("upstream.url");
    let address = match url.as_deref().map(Address::parse) {
        None => None,
        Some(Ok(address)) => Some(address),
        Some(Err(error)) => {
            // It may hold a password.
            reader.problem_with_secret(
                "upstream.url",
                &format!("is no base URL such as https://host/v1: {error}"),
            );
            None
        }
    };
    let authorization = operator_key(reader);
    let ca_file = reader.text("upstream.ca_file").map(|_| reader.path("upstream.ca_file", ""));
    let address = address?;
    let idle = if address.is_encrypted() { REMOTE_IDLE } else { LOCAL_IDLE };
    let settings = UpstreamSettings {
        address,
        authorization,
        ca_file,
        http2_prior_knowledge: reader.flag("upstream.http2_prior_knowledge", false),
        connect_timeout: reader.duration("upstream.connect_timeout", Duration::from_secs(10)),
        first_byte_timeout: reader.duration("upstream.first_byte_timeout", Duration::from_secs(600)),
        idle_timeout: reader.duration("upstream.idle_timeout", Duration::from_secs(600)),
        pool_idle_timeout: reader.duration("upstream.pool_idle_timeout", idle),
    };
    Some(settings)
}

/// The operator's key: from the environment variable or the file that the configuration names.
fn operator_key(reader: &mut Reader) -> Option<HeaderValue> {
    let (from_env, from_file) = ("upstream.api_key_env", "upstream.api_key_file");
    match (reader.text(from_env), reader.text(from_file)) {
        (None, None) => None,
        (Some(variable), None) => {
            let key = key_in_environment(reader, from_env, &variable)?;
            bearer(reader, from_env, &key)
        }
        (None, Some(_)) => {
            let path = reader.path(from_file, "");
            match std::fs::read_to_string(&path) {
                Ok(key) => bearer(reader, from_file, &key),
                Err(error) => {
                    // It may hold the key itself.
                    reader.problem_with_secret(
                        from_file,
                        &format!("is to be a file that holds the key, and cannot be read: {error}"),
                    );
                    None
                }
            }
        }
        (Some(_), Some(_)) => {
            reader.problem(
                from_file,
                &format!("and `{from_env}` both say where the key is: take one of them out"),
            );
            None
        }
    }
}

fn key_in_environment(reader: &mut Reader, named_by: &'static str, variable: &str) -> Option<String> {
    let is_name = variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name || variable.starts_with(|first: char| first.is_ascii_digit()) {
        reader.problem_with_secret(
            named_by,
            "is to be the name of an environment variable, and not the key: set the variable to the key",
        );
        return None;
    }
    let key = std::env::var(variable).ok().filter(|key| !key.trim().is_empty());
    if key.is_none() {
        reader.problem(
            named_by,
            &format!("names the environment variable {variable}, which is not set: set it, or take the key out to pass on the clients' own"),
        );
    }
    key
}

fn bearer(reader: &mut Reader, named_by: &'static str, key: &str) -> Option<HeaderValue> {
    let key = key.trim();
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).ok().filter(|_| !key.is_empty());
    match &mut value {
        Some(value) => value.set_sensitive(true),
        None => {
            reader.problem(named_by, "names what is no key: it is to hold one line of visible characters");
        }
    }
    value
}

pub(super) fn allowed_paths(reader: &mut Reader, operator_key: bool) -> Option<Vec<String>> {
    let listed = reader.list("upstream.allowed_paths");
    if listed.is_none() && !operator_key {
        return None;
    }
    // A method is in capitals, in requests too: in small letters an entry would match nothing.
    let is_entry = |entry: &&String| {
        let (method, path) = entry.split_once(' ').unwrap_or(("", entry));
        method.bytes().all(|byte| byte.is_ascii_uppercase()) && path.trim().starts_with('/')
    };
    if let Some(wrong) = listed.iter().flatten().find(|entry| !is_entry(entry)) {
        reader.problem(
            "upstream.allowed_paths",
            &format!("has {wrong:?}: write a path from a slash on, with or without a method before it, such as \"POST /v1/embeddings\""),
        );
    }
    Some(listed.unwrap_or_else(|| ALLOWED_PATHS.iter().map(|&path| path.to_owned()).collect()))
}

/// The ends of the paths whose requests injection knows.
pub(super) fn paths(reader: &mut Reader) -> Paths {
    let keys = [
        (Dialect::ChatCompletions, "injection.chat_paths"),
        (Dialect::Responses, "injection.responses_paths"),
        (Dialect::Completions, "injection.completions_paths"),
    ];
    let mut ends = Vec::new();
    for (dialect, key) in keys {
        let listed = reader.list(key).unwrap_or_else(|| vec![dialect.path_end().to_owned()]);
        if let Some(wrong) =
            listed.iter().find(|end| !end.starts_with('/') || end.len() < 2 || end.ends_with('/'))
        {
            reader.problem(
                key,
                &format!(
                    "has {wrong:?}: write the end of a path from a slash on, such as {:?}",
                    dialect.path_end()
                ),
            );
        }
        ends.extend(listed.into_iter().map(|end| (dialect, end)));
    }
    Paths::new(ends)
}
