//! Calls to the services: one channel for each, messages as the bytes they are, retries for what changes nothing.

mod codec;
mod metadata;

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use taskman_proto::options::Exposure;
use taskman_resilience::{RetryBudget, RetryPolicy, deadline, retry};
use taskman_rpc::Method;
use taskman_rpc::client::Channel;
use taskman_rpc::status::{DOMAIN, internal};
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::StatusExt as _;

pub use codec::BytesCodec;
pub use metadata::{answered, forwarded};

use crate::error::Error;

/// The services that calls go to.
#[derive(Debug)]
pub struct Upstreams {
    peers: HashMap<&'static str, Peer>,
    max_response: usize,
}

#[derive(Debug)]
struct Peer {
    channel: Channel,
    budget: RetryBudget,
}

impl Upstreams {
    /// Calls services through `channels`, each under the name of its peer; takes responses of `max_response` bytes.
    pub fn new(channels: impl IntoIterator<Item = Channel>, max_response: usize) -> Self {
        let peer = |channel: Channel| (channel.peer(), Peer { channel, budget: RetryBudget::new() });
        Self { peers: channels.into_iter().map(peer).collect(), max_response }
    }

    /// Says whether there is a channel to a service.
    pub fn has(&self, service: &str) -> bool {
        self.peers.contains_key(service)
    }

    /// Calls a unary method. Calls that change nothing are repeated when the service is away, within its budget.
    pub async fn unary(&self, method: &Method, message: Bytes, metadata: &HeaderMap) -> Result<Response<Bytes>, Error> {
        let peer = self.peer(method)?;
        let call = || self.once(peer, method, message.clone(), metadata.clone());
        let outcome =
            if method.is_read_only() { retry(&RetryPolicy::default(), &peer.budget, call).await } else { call().await };
        outcome.map_err(|status| refusal(method, status))
    }

    async fn once(
        &self,
        peer: &Peer,
        method: &Method,
        message: Bytes,
        metadata: HeaderMap,
    ) -> Result<Response<Bytes>, Status> {
        let (mut grpc, path) = self.ready(peer, method).await?;
        grpc.unary(request(message, metadata), path, BytesCodec).await
    }

    /// Calls a method that answers with a stream. It is never repeated: part of it may have been seen.
    pub async fn stream(
        &self,
        method: &Method,
        message: Bytes,
        metadata: HeaderMap,
    ) -> Result<Response<Streaming<Bytes>>, Error> {
        let (mut grpc, path) = self.ready(self.peer(method)?, method).await?;
        grpc.server_streaming(request(message, metadata), path, BytesCodec)
            .await
            .map_err(|status| refusal(method, status))
    }

    fn peer(&self, method: &Method) -> Result<&Peer, Status> {
        method.service.and_then(|service| self.peers.get(service)).ok_or_else(away)
    }

    async fn ready(&self, peer: &Peer, method: &Method) -> Result<(Grpc<Channel>, PathAndQuery), Status> {
        let mut grpc = Grpc::new(peer.channel.clone()).max_decoding_message_size(self.max_response);
        grpc.ready().await.map_err(|_| away())?;
        let path = PathAndQuery::try_from(method.path.as_str()).map_err(|_| internal())?;
        Ok((grpc, path))
    }
}

/// Tells what this side refused or found from what a service answered: only the latter has our `ErrorInfo`.
fn refusal(method: &Method, status: Status) -> Error {
    let is_answer = status.get_details_error_info().is_some_and(|info| info.domain == DOMAIN);
    let authenticated = matches!(method.exposure(), Exposure::Self_ | Exposure::Caller);
    match status.code() {
        Code::OutOfRange if status.details().is_empty() => Error::ResponseTooLarge,
        // An open circuit says when it will be tried again.
        Code::Unavailable if !is_answer => {
            Error::Away { retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay) }
        }
        // Nobody sent it: the time that was given to the call is over. So says the library by the other, too.
        Code::DeadlineExceeded if status.details().is_empty() => Error::DeadlineExceeded,
        Code::Cancelled if time_is_over() => Error::DeadlineExceeded,
        Code::Cancelled => gone(method, &status),
        Code::Unknown if !is_answer => gone(method, &status),
        // The token was good here; what failed is the voucher, and a 401 would make the client throw the token away.
        Code::Unauthenticated if authenticated => {
            tracing::error!(rpc.method = method.path, answer = status.message(), "a service refused a voucher");
            internal().into()
        }
        _ => status.into(),
    }
}

/// Says whether the time of the call is over: the deadline, less what this hop keeps of it.
fn time_is_over() -> bool {
    deadline::current().is_some_and(|deadline| deadline.for_next_hop().is_none())
}

/// A peer that died, or gave the call up, says nothing of its own.
fn gone(method: &Method, status: &Status) -> Error {
    let (code, answer) = (taskman_rpc::status::code_name(status.code()), status.message());
    tracing::warn!(rpc.method = method.path, rpc.code = code, answer, "a service left a call without an answer");
    Error::Away { retry_after: None }
}

fn request(message: Bytes, metadata: HeaderMap) -> Request<Bytes> {
    let mut request = Request::new(message);
    *request.metadata_mut() = MetadataMap::from_headers(metadata);
    request
}

fn away() -> Status {
    Error::Away { retry_after: None }.status()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use taskman_errors::Kind;
    use taskman_resilience::Deadline;
    use taskman_rpc::{Methods, status};
    use tonic_types::ErrorDetails;

    use super::*;

    const CALLER: &str = "/taskman.user.v1.UserService/GetUser";
    const OWN: &str = "/taskman.user.v1.UserService/GetCurrentUser";
    const PUBLIC: &str = "/taskman.authentication.v1.AuthenticationService/Login";

    fn refused(path: &str, status: Status) -> Error {
        refusal(Methods::load().get(path).unwrap(), status)
    }

    fn told(error: &Error) -> (Code, String, Option<Duration>) {
        let details = error.status().get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
        (error.status().code(), reason, details.retry_info().and_then(|info| info.retry_delay))
    }

    fn is_away(error: &Error, seconds: u64) -> bool {
        told(error) == (Code::Unavailable, "UNAVAILABLE".to_owned(), Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_service_that_is_away_is_told_as_such_and_keeps_its_pause() {
        assert!(is_away(&refused(CALLER, Status::unavailable("tcp connect error")), 1));
        let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        let open = refused(CALLER, Status::with_error_details(Code::Unavailable, "task: circuit open", details));
        assert!(is_away(&open, 7) && !open.to_string().contains("task"));
        let own = refused(CALLER, status::refuse(Kind::Unavailable, "STARTING", "not yet"));
        assert_eq!((told(&own).1.as_str(), own.to_string().as_str()), ("STARTING", "not yet"));
    }

    #[test]
    fn a_call_that_nobody_answered_may_be_tried_again() {
        for status in [Status::cancelled("Timeout expired"), Status::unknown("h2 protocol error")] {
            assert!(is_away(&refused(CALLER, status.clone()), 1), "{status}");
        }
        let details = ErrorDetails::with_error_info("STRANGE", DOMAIN, []);
        let own = refused(CALLER, Status::with_error_details(Code::Unknown, "strange", details));
        assert_eq!(told(&own), (Code::Internal, "INTERNAL".to_owned(), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_cancelled_by_its_deadline_only_when_that_is_over() {
        let work = |time| async move {
            let early = refused(CALLER, Status::cancelled("Timeout expired"));
            tokio::time::advance(time).await;
            (early, refused(CALLER, Status::cancelled("Timeout expired")))
        };
        // The service is given the deadline less the share of this hop.
        let (given, time) = (Deadline::HOP * 20, Deadline::HOP * 19);
        let (early, late) = deadline::scope(Deadline::after(given), work(time)).await;
        assert!(is_away(&early, 1));
        assert!(matches!(late, Error::DeadlineExceeded), "{late}");
    }

    #[test]
    fn a_token_that_was_good_here_is_not_refused_by_a_service() {
        let refusal = || status::refuse(Kind::Unauthenticated, "TOKEN_INVALID", "the voucher is not valid here");
        for path in [CALLER, OWN] {
            assert_eq!(told(&refused(path, refusal())), (Code::Internal, "INTERNAL".to_owned(), None), "{path}");
        }
        assert_eq!(told(&refused(PUBLIC, refusal())).0, Code::Unauthenticated);
    }
}
