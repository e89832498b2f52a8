//! Spans: who makes them, which are sent, and what is blanked out on the way.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::{Error, Options, SERVICE_SPAN, redact};

/// Builds the maker of spans. Without an endpoint nothing is sent, and ids are still made and propagated.
pub(crate) fn provider(options: &Options) -> Result<SdkTracerProvider, Error> {
    let ratio = if options.sample_ratio.is_nan() { 0.0 } else { options.sample_ratio.clamp(0.0, 1.0) };
    let mut builder = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(Resource::builder().with_service_name(options.service_name.clone()).build());
    if let Some(endpoint) = &options.otlp_endpoint {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::NoRuntime);
        }
        let exporter = OtlpExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        builder = builder.with_batch_exporter(Redacting(exporter));
    }
    Ok(builder.build())
}

/// Turns the spans of `tracing` into those of OpenTelemetry, except for the roots of the services, which never end.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("taskman"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|metadata| !(metadata.is_span() && metadata.name() == SERVICE_SPAN)))
}

/// Blanks out secrets before spans are handed on.
#[derive(Debug)]
pub(crate) struct Redacting<E>(pub(crate) E);

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            blank(&mut span.attributes);
            for event in &mut span.events.events {
                event.name = redact::text(&event.name).into_owned().into();
                blank(&mut event.attributes);
            }
            if let opentelemetry::trace::Status::Error { description } = &mut span.status {
                *description = redact::text(description).into_owned().into();
            }
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn blank(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        if redact::is_secret(attribute.key.as_str()) {
            attribute.value = Value::from(redact::REDACTED);
        } else if let Value::String(text) = &attribute.value {
            attribute.value = Value::String(StringValue::from(redact::text(text.as_str()).into_owned()));
        }
    }
}
