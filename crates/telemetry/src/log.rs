//! Log lines: the subscriber layer that collects an event with what its spans know, and writes it in one piece.

mod line;

use std::io::Write as _;
use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt as _;
use taskman_clock::{Clock as _, SystemClock};
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use self::line::{Fields, Line};

/// How a line is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// One JSON object.
    Json,
    /// Text for a person at a terminal.
    Text,
}

/// Writes every event as one line.
///
/// An own layer rather than the one of `tracing-subscriber`, because the fields that a line inherits from its spans
/// stand beside its own ones, and because every value passes through the redaction.
#[derive(Debug)]
pub(crate) struct LogLayer<W> {
    style: Style,
    writer: W,
    /// The subscriber that this layer is part of: only it can tell the trace of a span.
    dispatch: OnceLock<WeakDispatch>,
}

impl<W> LogLayer<W> {
    pub(crate) fn new(style: Style, writer: W) -> Self {
        Self { style, writer, dispatch: OnceLock::new() }
    }

    /// Returns the trace and span ids, in hexadecimal, that belong to a span.
    fn trace<S>(&self, span: &SpanRef<'_, S>) -> Option<(String, String)>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let dispatch = self.dispatch.get()?.upgrade()?;
        let context = tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)?;
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let _ = self.dispatch.set(subscriber.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields.inheritable());
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Fields>()
        {
            known.update(fields.inheritable());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut trace = None;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Fields>() {
                fields.inherit(known);
            }
            trace = trace.or_else(|| self.trace(&span));
        }
        let metadata = event.metadata();
        let line = Line { at: SystemClock.now(), level: *metadata.level(), target: metadata.target(), trace, fields };
        let mut bytes = match self.style {
            Style::Json => line.to_json(),
            Style::Text => line.to_text().into_bytes(),
        };
        bytes.push(b'\n');
        // Nobody is left to tell when the log itself cannot be written.
        let _ = self.writer.make_writer_for(metadata).write_all(&bytes);
    }
}

#[cfg(test)]
mod tests;
