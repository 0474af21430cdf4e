//! "Ask the model": an answer with what was added, or without, streamed from the upstream that clients get.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, request};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::answer::{Growing, complaint, text_of};
use super::attempt::Attempt;
use super::conversation::to_send;
use super::form::Form;
use super::reply::{Reply, json as document, lines};
use super::service::Console;
use crate::chat::{Conversation, Dialect, SseDecoder};
use crate::document::chain;
use crate::mentions::Lexicon;
use crate::snapshot::Treatment;
use crate::upstream::{RequestBody, TimedBody, Upstream};

/// Bytes of one event.
const LARGEST_EVENT: usize = 256 << 10;
/// Bytes of a whole answer, and of a list of models.
const LARGEST_ANSWER: usize = 4 << 20;
/// Lines that wait for a browser to read them.
const WAITING_LINES: usize = 64;

/// What is asked, with all that judging the answer needs.
struct Question {
    body: Bytes,
    dialect: Dialect,
    text: String,
    key: Option<HeaderValue>,
    lexicon: Option<Arc<Lexicon>>,
    own: BTreeSet<String>,
}

impl Console {
    /// Streams one answer as JSON lines: `text` and `marks` as they come, then `done` or `error`.
    pub(super) async fn ask(&self, form: Form) -> Reply {
        let (sender, receiver) = mpsc::channel(WAITING_LINES);
        let mut teller = Teller(sender);
        match self.question(form).await {
            Ok((upstream, question)) => {
                tokio::spawn(async move {
                    if let Err(problem) = answer(&upstream, &question, &mut teller).await {
                        teller.tell(&json!({ "error": problem })).await;
                    }
                });
            }
            Err(problem) => teller.tell(&json!({ "error": problem })).await,
        }
        lines(receiver)
    }

    async fn question(&self, form: Form) -> Result<(Arc<Upstream>, Question), String> {
        let upstream = self.upstream.clone().ok_or("No upstream is configured.")?;
        let key = match form.given("key") {
            None => None,
            Some(key) => Some(
                HeaderValue::try_from(format!("Bearer {key}"))
                    .map_err(|_| "The key has characters that no header can carry.")?,
            ),
        };
        let attempt = Attempt { form };
        let pasted = attempt.pasted()?;
        let model = attempt.form.text("model").to_owned();
        // The request is completed first and added to then, as a client's would be.
        let body = to_send(&pasted.body, &model).ok_or("The request is no JSON object.")?;
        let treatment = if attempt.form.text("arm") == "direct" {
            Treatment::Passthrough
        } else {
            attempt.treatment()?
        };
        let (planner, brand, dialect) = (self.planner.clone(), attempt.brand(), pasted.dialect);
        let explaining = tokio::task::spawn_blocking(move || {
            let explained = planner.explain(&body, dialect, &brand.into(), &treatment);
            (explained.map(|explanation| explanation.spliced.body).map_err(|error| error.to_string()), body)
        });
        let (sent, body) = explaining.await.map_err(|_| "Retrieval broke off; the log says more.")?;
        let snapshot = self.planner.snapshot();
        Ok((
            upstream,
            Question {
                body: sent?,
                dialect,
                text: last_question(&body, dialect),
                key,
                lexicon: self.lexicon(&snapshot),
                own: snapshot.brands.iter().map(|brand| brand.id.clone()).collect(),
            },
        ))
    }

    /// The models that the upstream lists; none where it does not.
    pub(super) async fn models(&self) -> Reply {
        let listed = match &self.upstream {
            Some(upstream) => list_models(upstream).await,
            None => None,
        };
        document(&json!({ "models": listed.unwrap_or_default() }))
    }
}

/// What the user asked last, to know it again where an answer quotes it.
fn last_question(body: &[u8], dialect: Dialect) -> String {
    let (Ok(conversation), Ok(text)) = (Conversation::read(body, dialect), std::str::from_utf8(body)) else {
        return String::new();
    };
    conversation.turns().last().map(|turn| turn.text(text).into_owned()).unwrap_or_default()
}

async fn list_models(upstream: &Upstream) -> Option<Vec<String>> {
    let (parts, ()) = Request::get("/").body(()).ok()?.into_parts();
    let response = upstream.send(parts, "/v1/models", RequestBody::whole(Bytes::new(), None)).await.ok()?;
    let body = whole(response).await.ok()?;
    let listed: Value = serde_json::from_str(&body).ok()?;
    let ids = listed["data"].as_array()?.iter().filter_map(|model| Some(model["id"].as_str()?.to_owned()));
    Some(ids.take(200).collect())
}

/// Lines to a browser, which may have gone.
struct Teller(mpsc::Sender<Bytes>);

impl Teller {
    async fn tell(&mut self, line: &Value) {
        // Nobody reads any more: `is_heard` tells.
        let _gone = self.0.send(Bytes::from(format!("{line}\n"))).await;
    }

    fn is_heard(&self) -> bool {
        !self.0.is_closed()
    }
}

async fn answer(upstream: &Upstream, question: &Question, teller: &mut Teller) -> Result<(), String> {
    let started = Instant::now();
    let path = format!("/v1{}", question.dialect.path_end());
    let body = RequestBody::whole(question.body.clone(), None);
    let sent = upstream.send(head(question.key.as_ref())?, &path, body).await;
    let response = sent.map_err(|error| no_answer(&error))?;
    let status = response.status();
    if !status.is_success() {
        let said = complaint(&whole(response).await.unwrap_or_default());
        let key = if status.as_u16() == 401 { " It wants a key: give one beside “Model”." } else { "" };
        return Err(format!("The upstream answered {status}: {said}{key}"));
    }
    let mut answer = Growing::new(question.lexicon.as_deref(), &question.own, &question.text);
    let mut first = None;
    let mut usage = Value::Null;
    let media =
        response.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    if media.starts_with("text/event-stream") {
        let mut decoder = SseDecoder::new(LARGEST_EVENT);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| no_answer(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            let mut events: Vec<Value> = Vec::new();
            decoder.feed(&data, |event| events.extend(serde_json::from_slice::<Value>(event.data)));
            for event in events {
                if !event["error"].is_null() {
                    return Err(format!("The upstream broke off: {}", complaint(&event.to_string())));
                }
                take_usage(&mut usage, &event);
                if let Some(line) = answer.push(text_of(&event)) {
                    first.get_or_insert_with(|| started.elapsed());
                    teller.tell(&line).await;
                }
            }
            if !teller.is_heard() {
                return Ok(());
            }
        }
    } else {
        let whole: Value = serde_json::from_str(&whole(response).await?).unwrap_or_default();
        take_usage(&mut usage, &whole);
        if let Some(line) = answer.push(text_of(&whole)) {
            teller.tell(&line).await;
        }
    }
    let (own, others) = answer.counts();
    let done = json!({
        "milliseconds": started.elapsed().as_millis() as u64,
        "first": first.map(|first| first.as_millis() as u64),
        "own": own,
        "others": others,
        "usage": usage,
    });
    teller.tell(&json!({ "done": done })).await;
    Ok(())
}

fn take_usage(usage: &mut Value, event: &Value) {
    for found in [&event["usage"], &event["response"]["usage"]] {
        if found.is_object() {
            *usage = found.clone();
        }
    }
}

fn head(key: Option<&HeaderValue>) -> Result<request::Parts, String> {
    let mut request = Request::post("/")
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "text/event-stream, application/json")
        .header(ACCEPT_ENCODING, "identity");
    if let Some(key) = key {
        request = request.header(AUTHORIZATION, key);
    }
    let (parts, ()) = request.body(()).map_err(|error| error.to_string())?.into_parts();
    Ok(parts)
}

async fn whole(response: Response<TimedBody>) -> Result<String, String> {
    let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
    let bytes = body.map_err(|error| format!("The answer broke off: {error}."))?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn no_answer(error: &dyn Error) -> String {
    format!("No answer: {}.", chain(error))
}
