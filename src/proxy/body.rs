//! The bodies of answers: the upstream's, or one of ours.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use super::inject::Edited;
use super::observe::Report;
use crate::tap::Tapped;
use crate::upstream::{BodyError, TimedBody};

/// What a client gets: an answer whose ending is reported.
pub type AnswerBody = Tapped<Answer, Report>;

/// The body of an answer.
pub enum Answer {
    /// The upstream's, frame by frame as it comes.
    Upstream(TimedBody),
    /// The upstream's, changed on its way.
    Edited(Box<Edited>),
    /// One of ours.
    Own(Full<Bytes>),
}

impl Answer {
    /// An answer of our own.
    pub fn own(text: String) -> Answer {
        Answer::Own(Full::new(Bytes::from(text)))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Answer::Upstream(body) => Pin::new(body).poll_frame(context),
            Answer::Edited(body) => body.poll(context),
            Answer::Own(body) => Pin::new(body).poll_frame(context).map_err(|infallible| match infallible {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Upstream(body) => body.is_end_stream(),
            Answer::Edited(body) => body.is_over(),
            Answer::Own(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Upstream(body) => body.size_hint(),
            Answer::Edited(_) => SizeHint::default(),
            Answer::Own(body) => body.size_hint(),
        }
    }
}
