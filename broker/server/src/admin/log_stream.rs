//! Lines of the plugins' log for one reader.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;
use tokio::sync::{broadcast, mpsc};

use super::answer::{Answer, AnswerBody, answer, text};
use super::plugin_log;

const LINES_JSON: &str = "application/x-ndjson";
/// Lines handed to the connection that it has not sent yet.
const UNSENT_MAX: usize = 16;

/// The lines that there were of `plugin`, or of all; with `follow` also those to come, until the
/// reader goes. Who reads too slowly loses lines and is told how many.
pub(super) fn lines(plugin: Option<String>, follow: bool) -> Answer {
    let is_wanted = move |name: &str| plugin.as_deref().is_none_or(|plugin| plugin == name);
    let (recent, mut coming) = plugin_log::read();
    let recent = recent.iter().filter(|line| is_wanted(&line.plugin));
    let recent: String = recent.map(|line| line.text()).collect();
    if !follow {
        return text(LINES_JSON, recent);
    }
    let (sender, lines) = mpsc::channel(UNSENT_MAX);
    tokio::spawn(async move {
        // An empty line tells the reader that it is heard from here on.
        let mut next = format!("{recent}\n");
        loop {
            if sender.send(Bytes::from(next)).await.is_err() {
                return;
            }
            next = loop {
                let received = tokio::select! {
                    received = coming.recv() => received,
                    () = sender.closed() => return,
                };
                match received {
                    Ok(line) if is_wanted(&line.plugin) => break line.text(),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(count)) => {
                        break format!("{}\n", json!({ "lost": count }));
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            };
        }
    });
    answer(StatusCode::OK, LINES_JSON, AnswerBody::Lines(lines))
}
