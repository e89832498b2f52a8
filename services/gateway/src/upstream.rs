//! Calls to the services: one channel for each, messages as the bytes they are, retries for what changes nothing.

mod codec;
mod metadata;

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use taskman_resilience::{RetryBudget, RetryPolicy, retry};
use taskman_rpc::Method;
use taskman_rpc::client::Channel;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

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
        outcome.map_err(refusal)
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
        grpc.server_streaming(request(message, metadata), path, BytesCodec).await.map_err(refusal)
    }

    fn peer(&self, method: &Method) -> Result<&Peer, Status> {
        method.service.and_then(|service| self.peers.get(service)).ok_or_else(away)
    }

    async fn ready(&self, peer: &Peer, method: &Method) -> Result<(Grpc<Channel>, PathAndQuery), Status> {
        let mut grpc = Grpc::new(peer.channel.clone()).max_decoding_message_size(self.max_response);
        grpc.ready().await.map_err(|_| away())?;
        let path = PathAndQuery::try_from(method.path.as_str()).map_err(|_| taskman_rpc::status::internal())?;
        Ok((grpc, path))
    }
}

/// Tells what this side refused or found, whose statuses carry no details, from what a service answered, whose do.
fn refusal(status: Status) -> Error {
    match status.code() {
        Code::OutOfRange if status.details().is_empty() => Error::ResponseTooLarge,
        Code::Unavailable if status.details().is_empty() => away().into(),
        // The library says so when the time that was given to the call is over; nobody else cancels it.
        Code::Cancelled => Error::DeadlineExceeded,
        _ => status.into(),
    }
}

fn request(message: Bytes, metadata: HeaderMap) -> Request<Bytes> {
    let mut request = Request::new(message);
    *request.metadata_mut() = MetadataMap::from_headers(metadata);
    request
}

fn away() -> Status {
    taskman_rpc::status::refuse(
        taskman_errors::Kind::Unavailable,
        "UNAVAILABLE",
        "a service that is needed does not answer; try again",
    )
}
