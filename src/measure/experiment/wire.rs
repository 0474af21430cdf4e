//! One request out and its answer, read whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::{MissingReason, Reply};
use super::pace::retry_after;
use crate::document::chain;
use crate::upstream::{RequestBody, TimedBody, Upstream, UpstreamError};

/// Bytes: an answer that is longer is no answer to a question.
const LONGEST_ANSWER: usize = 4 << 20;

/// Characters of an endpoint's own words that are kept.
const LONGEST_DETAIL: usize = 300;
/// Characters of a model's name that are kept.
const LONGEST_NAME: usize = 100;

const ARM: HeaderName = HeaderName::from_static("x-foreword-arm");
const TOKEN: HeaderName = HeaderName::from_static("x-foreword-token");
const SNAPSHOT: HeaderName = HeaderName::from_static("x-foreword-snapshot");

/// Somewhere to ask.
#[derive(Clone)]
pub struct Endpoint {
    upstream: Arc<Upstream>,
    /// Its base URL, for messages.
    pub url: String,
    token: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
}

impl Endpoint {
    /// An endpoint that is asked with these header fields: `token` lets the proxy take arms from us, `authorization`
    /// is the endpoint's own.
    pub fn new(
        upstream: Upstream,
        token: Option<HeaderValue>,
        authorization: Option<HeaderValue>,
    ) -> Endpoint {
        let url = upstream.settings().address.to_string();
        Endpoint { upstream: Arc::new(upstream), url, token, authorization }
    }
}

impl Endpoint {
    /// The models that it offers, by `GET /models`; none where it does not say. `Err`: why it cannot be reached.
    pub async fn models(&self, deadline: Duration) -> Result<Vec<String>, String> {
        let mut request = Request::new(());
        request.headers_mut().extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        let (parts, ()) = request.into_parts();
        let listing = async {
            let body = RequestBody::whole(Bytes::new(), None);
            let sent = self.upstream.send(parts, "/models", body).await;
            let response = sent.map_err(|error| chain(&error))?;
            let body = read(response.into_body()).await.unwrap_or_default();
            let listed: Value = serde_json::from_slice(&body).unwrap_or_default();
            let models = listed["data"].as_array().into_iter().flatten();
            Ok::<Vec<String>, String>(
                models.filter_map(|model| model["id"].as_str().map(str::to_owned)).collect(),
            )
        };
        let in_time = tokio::time::timeout(deadline, listing).await;
        in_time.unwrap_or_else(|_| Err(format!("no answer within {} s", deadline.as_secs())))
    }
}

/// What one attempt came to.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) result: Result<Reply, Failure>,
    pub(super) took: Duration,
}

/// Why an attempt brought no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: MissingReason,
    pub(super) detail: Option<String>,
    /// Whether trying again may help: never where the model has answered.
    pub(super) transient: bool,
    /// What the endpoint asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    fn new(reason: MissingReason, detail: impl Into<String>) -> Failure {
        let detail = shortened(&detail.into());
        Failure {
            reason,
            detail: Some(detail).filter(|text| !text.is_empty()),
            transient: false,
            retry_after: None,
        }
    }

    fn transient(self) -> Failure {
        Failure { transient: true, ..self }
    }
}

impl Endpoint {
    /// Asks once. `arm` is named to the proxy only.
    pub(super) async fn ask(&self, arm: Option<&str>, body: Bytes, deadline: Duration) -> Attempt {
        let started = Instant::now();
        let result = match tokio::time::timeout(deadline, self.exchange(arm, body)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(MissingReason::Timeout, "").transient()),
        };
        Attempt { result, took: started.elapsed() }
    }

    async fn exchange(&self, arm: Option<&str>, body: Bytes) -> Result<Reply, Failure> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(self.authorization.clone().map(|value| (AUTHORIZATION, value)));
        if let Some(arm) = arm.and_then(|arm| HeaderValue::from_str(arm).ok()) {
            headers.insert(ARM, arm);
            headers.extend(self.token.clone().map(|token| (TOKEN, token)));
        }
        let (parts, ()) = request.into_parts();
        let sent = self.upstream.send(parts, "/chat/completions", RequestBody::whole(body, None)).await;
        let response = sent.map_err(|error| match &error {
            UpstreamError::Timeout(_) => Failure::new(MissingReason::Timeout, chain(&error)).transient(),
            _ => Failure::new(MissingReason::Connection, chain(&error)).transient(),
        })?;
        let (parts, body) = response.into_parts();
        let body = read(body).await?;
        if !parts.status.is_success() {
            return Err(refusal(parts.status, &parts.headers, &body));
        }
        // A proxy that takes the arm says which snapshot it decided with; what else answers would be taken for the arm.
        if arm.is_some() && !parts.headers.contains_key(SNAPSHOT) {
            return Err(Failure::new(MissingReason::NoArm, ""));
        }
        reply(&parts.headers, &body)
    }
}

async fn read(mut body: TimedBody) -> Result<Bytes, Failure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Failure::new(MissingReason::Connection, chain(&error)).transient())?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > LONGEST_ANSWER {
                return Err(Failure::new(MissingReason::TooLong, ""));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// A status that is no success. Overload and failures of servers may pass; the rest says that the request is wrong.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let detail = format!("HTTP {}: {}", status.as_u16(), message(body));
    let retry_after = retry_after(headers, Timestamp::now());
    let failure = match status.as_u16() {
        429 => Failure::new(MissingReason::RateLimited, detail).transient(),
        408 => Failure::new(MissingReason::Timeout, detail).transient(),
        500.. => Failure::new(MissingReason::ServerError, detail).transient(),
        _ => Failure::new(MissingReason::Refused, detail),
    };
    Failure { retry_after, ..failure }
}

/// What an error body says, in any of the usual shapes.
fn message(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let found = parsed.as_ref().and_then(|json| {
        [&json["error"]["message"], &json["message"], &json["detail"], &json["error"]]
            .into_iter()
            .find_map(|value| value.as_str().map(str::to_owned))
    });
    found.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    model: Option<String>,
    system_fingerprint: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Message>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Value>,
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Value>>,
}

#[derive(Deserialize, Default)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// The answer in a success. What the model said is never asked for again, whatever it is.
fn reply(headers: &HeaderMap, body: &[u8]) -> Result<Reply, Failure> {
    let completion: Completion = serde_json::from_slice(body)
        .map_err(|_| Failure::new(MissingReason::NotJson, String::from_utf8_lossy(body)))?;
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(Failure::new(MissingReason::NoChoice, String::from_utf8_lossy(body)));
    };
    let Some(message) = choice.message else {
        return Err(Failure::new(MissingReason::NoChoice, String::from_utf8_lossy(body)));
    };
    let text = message.content.as_ref().map(content_text).unwrap_or_default();
    let refused = message.refusal.is_some() || choice.finish_reason.as_deref() == Some("content_filter");
    let text = if text.is_empty() { message.refusal.clone().unwrap_or_default() } else { text };
    if text.trim().is_empty() && !refused {
        let calls = message.tool_calls.is_some_and(|calls| !calls.is_empty());
        let reason = if calls { MissingReason::ToolCall } else { MissingReason::NoText };
        let finish = choice.finish_reason.unwrap_or_default();
        return Err(Failure::new(reason, format!("finish_reason {finish}")));
    }
    let usage = completion.usage.unwrap_or_default();
    // Ids of items may hold letters of any script.
    let header = |name: &str| {
        headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).unwrap_or_default()
    };
    Ok(Reply {
        text,
        refused,
        finish: choice.finish_reason,
        model: plain(&completion.model.unwrap_or_default()),
        fingerprint: plain(&completion.system_fingerprint.unwrap_or_default()),
        prompt_tokens: usage.prompt_tokens,
        cached_tokens: usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
        completion_tokens: usage.completion_tokens,
        decision: header("x-foreword-decision").to_owned(),
        added_tokens: header("x-foreword-tokens").parse().unwrap_or(0),
        items: header("x-foreword-item-ids").split_whitespace().map(str::to_owned).collect(),
        canary: header("x-foreword-canary").to_owned(),
        snapshot: header(SNAPSHOT.as_str()).to_owned(),
        planning_us: header("x-foreword-planning-us").parse().unwrap_or(0),
    })
}

/// A content as text: a string, or the text parts of a list.
fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// A name as an endpoint gives it: what would change a terminal or a page is taken out.
fn plain(name: &str) -> String {
    let printable = |letter: &char| !letter.is_control() && !matches!(letter, '<' | '>' | '`');
    name.chars().filter(printable).take(LONGEST_NAME).collect()
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
    if line.chars().count() <= LONGEST_DETAIL {
        return line;
    }
    line.chars().take(LONGEST_DETAIL).chain(['…']).collect()
}
