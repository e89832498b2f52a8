//! The HTTP side: a JSON API for tests, and one page for people.

use std::{fmt::Write, future::IntoFuture, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::inbox::{Fault, Inbox, Message};

/// How long open requests may take after the stop.
const GRACE: Duration = Duration::from_secs(1);

/// Serves the pages until `stop`.
pub(super) async fn serve(listener: TcpListener, inbox: Arc<Inbox>, stop: CancellationToken) {
    let pages = Router::new()
        .route("/", get(page))
        .route("/api/messages", get(list).delete(clear))
        .route("/api/messages/{id}", get(show))
        .route("/api/faults", post(inject))
        .with_state(inbox);
    let server = axum::serve(listener, pages).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        _ = server.into_future() => {}
        () = late => {}
    }
}

#[derive(Debug, Deserialize)]
struct Filter {
    to: Option<String>,
}

async fn list(State(inbox): State<Arc<Inbox>>, Query(filter): Query<Filter>) -> Json<Vec<Message>> {
    Json(inbox.list(filter.to.as_deref()))
}

async fn show(State(inbox): State<Arc<Inbox>>, Path(id): Path<u64>) -> Result<Json<Message>, StatusCode> {
    inbox.find(id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn clear(State(inbox): State<Arc<Inbox>>) -> StatusCode {
    inbox.clear();
    StatusCode::NO_CONTENT
}

async fn inject(State(inbox): State<Arc<Inbox>>, Json(fault): Json<Fault>) -> StatusCode {
    if !(400..600).contains(&fault.smtp_code) {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    inbox.set_fault(fault);
    StatusCode::NO_CONTENT
}

async fn page(State(inbox): State<Arc<Inbox>>) -> impl IntoResponse {
    let mut rows = String::new();
    for message in inbox.list(None).iter().rev() {
        // Writing into a string does not fail.
        _ = write!(
            rows,
            "<details><summary><b>{subject}</b> to {to} <small>{at}</small></summary><p>from {from}</p><pre>{text}</pre>",
            subject = escape(&message.subject),
            to = escape(&message.to.join(", ")),
            at = message.received_at.format("%F %T"),
            from = escape(&message.from),
            text = escape(&message.text),
        );
        if let Some(html) = &message.html {
            _ = write!(rows, "<details><summary>HTML source</summary><pre>{}</pre></details>", escape(html));
        }
        rows.push_str("</details>\n");
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Caught mail</title>\
         <style>body{{font:15px sans-serif;max-width:60em;margin:2em auto}}pre{{white-space:pre-wrap}}</style>\
         <h1>Caught mail</h1>\n{rows}</html>"
    );
    ([(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'")], Html(page))
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_mail_is_shown_not_run() {
        assert_eq!(escape("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
    }
}
