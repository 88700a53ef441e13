//! Answers, and what they are made of.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::broker::{Refusal, RefusalKind};

pub(super) type Answer = Response<AnswerBody>;

/// What an answer holds.
pub(super) enum AnswerBody {
    Whole(Option<Bytes>),
    /// Lines as they come, without an end.
    Lines(mpsc::Receiver<Bytes>),
}

impl AnswerBody {
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Self::Lines(_))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Lines(lines) => {
                lines.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Lines(_) => SizeHint::default(),
        }
    }
}

pub(super) fn answer(status: StatusCode, content_type: &'static str, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

pub(super) fn text(content_type: &'static str, text: String) -> Answer {
    answer(StatusCode::OK, content_type, AnswerBody::Whole(Some(text.into())))
}

pub(super) fn json(value: &Value) -> Answer {
    json_with(StatusCode::OK, value)
}

pub(super) fn refusal(status: StatusCode, error: &str, hint: Option<&str>) -> Answer {
    let mut value = json!({ "error": error });
    if let (Some(hint), Some(object)) = (hint, value.as_object_mut()) {
        object.insert("hint".to_owned(), hint.into());
    }
    json_with(status, &value)
}

fn json_with(status: StatusCode, value: &Value) -> Answer {
    let text = format!("{value}\n");
    answer(status, "application/json", AnswerBody::Whole(Some(text.into())))
}

impl From<Refusal> for Answer {
    fn from(refused: Refusal) -> Self {
        let status = match refused.kind {
            RefusalKind::Question => StatusCode::BAD_REQUEST,
            RefusalKind::Missing => StatusCode::NOT_FOUND,
            RefusalKind::State => StatusCode::CONFLICT,
            RefusalKind::Plugin => StatusCode::UNPROCESSABLE_ENTITY,
            RefusalKind::Broker => StatusCode::INTERNAL_SERVER_ERROR,
        };
        refusal(status, &refused.error, refused.hint.as_deref())
    }
}
