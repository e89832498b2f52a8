//! The three lines of every gRPC method: take the caller, run the use case, map and log the error once.

use taskman_errors::{Failure, Kind};
use taskman_identity::{Caller, Client, Principal};
use tonic::{Request, Response, Status};

use crate::status;

/// Runs the use case of a SELF or CALLER method for the user that the enforcement layer admitted.
pub async fn handle<M, R, E, F, Fut>(request: Request<M>, use_case: F) -> Result<Response<R>, Status>
where
    E: Failure,
    F: FnOnce(Caller, M) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Principal>() {
        Some(Principal::User(caller)) => answer(use_case(caller, message).await),
        _ => Err(not_admitted()),
    }
}

/// Runs the use case of a PUBLIC method, of which only the client is known.
pub async fn handle_public<M, R, E, F, Fut>(request: Request<M>, use_case: F) -> Result<Response<R>, Status>
where
    E: Failure,
    F: FnOnce(Client, M) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Principal>() {
        Some(principal) => answer(use_case(principal.client().clone(), message).await),
        None => Err(not_admitted()),
    }
}

/// Runs the use case of a FLEET method for the service, by name, that the enforcement layer admitted.
pub async fn handle_fleet<M, R, E, F, Fut>(request: Request<M>, use_case: F) -> Result<Response<R>, Status>
where
    E: Failure,
    F: FnOnce(String, M) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Principal>() {
        Some(Principal::Service { name, .. }) => answer(use_case(name, message).await),
        _ => Err(not_admitted()),
    }
}

fn answer<R, E: Failure>(outcome: Result<R, E>) -> Result<Response<R>, Status> {
    outcome.map(Response::new).map_err(|error| {
        log(&error);
        status::from_failure(&error)
    })
}

fn log(error: &dyn Failure) {
    let reason = error.reason();
    match error.kind() {
        Kind::Internal => tracing::error!(error.reason = reason, error = %chain(error), "request failed"),
        Kind::Unavailable | Kind::Timeout => {
            tracing::warn!(error.reason = reason, error = %chain(error), "request failed");
        }
        _ => tracing::debug!(error.reason = reason, "request refused"),
    }
}

fn chain(error: &dyn Failure) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// A method was reached without its enforcement layer, or with the wrong sort of principal: a fault of assembly.
fn not_admitted() -> Status {
    tracing::error!("a method was reached by somebody whom the enforcement layer did not admit");
    status::internal()
}
