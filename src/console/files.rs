//! Style and script of the console, built into the binary.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderValue, Response, StatusCode};

use super::reply::{Body, Reply};

struct File {
    path: &'static str,
    media: &'static str,
    text: &'static str,
}

const FILES: [File; 3] = [
    File {
        path: "/console/files/console.css",
        media: "text/css; charset=utf-8",
        text: include_str!("files/console.css"),
    },
    File {
        path: "/console/files/console.js",
        media: "text/javascript; charset=utf-8",
        text: include_str!("files/console.js"),
    },
    File { path: "/console/files/mark.svg", media: "image/svg+xml", text: include_str!("files/mark.svg") },
];

/// The file of a path. `known` is what the browser's copy is called.
pub(super) fn file(path: &str, known: Option<&HeaderValue>) -> Option<Reply> {
    let file = FILES.iter().find(|file| file.path == path)?;
    let tag =
        HeaderValue::try_from(format!("\"{}\"", &blake3::hash(file.text.as_bytes()).to_hex()[..16])).ok()?;
    let is_known = known == Some(&tag);
    let mut reply = Response::new(Body::from(if is_known { String::new() } else { file.text.to_owned() }));
    if is_known {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // Asked for each time, and sent only when another version runs.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, tag);
    Some(reply)
}
