//! The admin port: is the service alive, is it ready, what are its metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::jobs::Tasks;
use crate::parts::Check;

/// How often the checks are made.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a check may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many failures in a row make a service not ready: one slow answer does not.
const FAILURES: u32 = 3;

/// Whether the service is ready; the admin port and gRPC health tell the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }
}

/// Makes the checks until stopped, and tells whoever asks by gRPC health.
pub(crate) async fn watch(
    readiness: Readiness,
    checks: Vec<(&'static str, Check)>,
    health: HealthReporter,
    names: Vec<String>,
    stop: CancellationToken,
) {
    let mut failures = 0;
    let mut turns = tokio::time::interval(PERIOD);
    while stop.run_until_cancelled(turns.tick()).await.is_some() {
        failures = if all_pass(&checks).await { 0 } else { failures + 1 };
        let ready = failures == 0 || (readiness.is_ready() && failures < FAILURES);
        if ready != readiness.is_ready() {
            readiness.set(ready);
            tell(&health, &names, ready).await;
            tracing::info!(ready, "readiness changed");
        }
    }
    readiness.set(false);
    tell(&health, &names, false).await;
}

async fn all_pass(checks: &[(&'static str, Check)]) -> bool {
    for (name, check) in checks {
        if !tokio::time::timeout(PATIENCE, check()).await.unwrap_or(false) {
            tracing::warn!(check = name, "a check failed");
            return false;
        }
    }
    true
}

async fn tell(health: &HealthReporter, names: &[String], ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in names.iter().map(String::as_str).chain([""]) {
        health.set_service_status(name, status).await;
    }
}

/// Serves the admin port until stopped.
pub(crate) async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    tasks: Tasks,
    metrics: impl Fn() -> String + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) {
    let live = move || {
        let alive = tasks.dead() == 0;
        async move { answer(alive, "a task of the service is gone") }
    };
    let ready = move || {
        let ready = readiness.is_ready();
        async move { answer(ready, "not ready") }
    };
    let metrics = move || {
        let text = metrics();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response() }
    };
    let router = Router::new()
        .route("/health/live", get(live.clone()))
        .route("/health/ready", get(ready.clone()))
        .route("/health", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics));
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the admin port failed");
    }
}

fn answer(good: bool, problem: &'static str) -> axum::response::Response {
    if good {
        (StatusCode::OK, "ok").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, problem).into_response()
    }
}

#[cfg(test)]
mod tests {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus as Told;
    use tonic_health::pb::health_server::Health as _;
    use tonic_health::server::HealthService;

    use super::*;

    #[tokio::test]
    async fn a_service_that_stops_tells_so_under_each_of_its_names() {
        let (health, stop) = (HealthReporter::new(), CancellationToken::new());
        stop.cancel();
        watch(Readiness::default(), Vec::new(), health.clone(), vec!["x.Y".to_owned()], stop).await;
        let service = HealthService::from_health_reporter(health);
        for name in ["", "x.Y"] {
            let asked = tonic::Request::new(HealthCheckRequest { service: name.to_owned() });
            let answer = service.check(asked).await.unwrap().into_inner();
            assert_eq!(answer.status(), Told::NotServing, "{name:?}");
        }
    }
}
