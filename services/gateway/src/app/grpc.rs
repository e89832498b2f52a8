//! gRPC and gRPC-Web: the same chain, with messages passed on as the bytes they are.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use prost_reflect::DynamicMessage;
use taskman_errors::Kind;
use taskman_identity::Principal;
use taskman_resilience::Deadline;
use taskman_resilience::deadline;
use taskman_rpc::{Method, status};
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::{Status, Streaming};
use tonic_web::GrpcWebLayer;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::Gateway;
use super::visit::{Protocol, Visit};
use crate::error::Error;
use crate::upstream::{BytesCodec, answered};

impl Gateway {
    /// Answers a gRPC request, or one of gRPC-Web after it was turned into one.
    pub(super) async fn grpc(&self, request: Request<Body>, visit: &Visit) -> Response<Body> {
        let request = request.map(tonic::body::Body::new);
        let handler = service_fn(async |request| {
            Ok::<_, Infallible>(self.pass(request, visit).await.unwrap_or_else(|e| e.status().into_http()))
        });
        let response = match visit.protocol {
            Protocol::GrpcWeb => GrpcWebLayer::new().layer(handler).oneshot(request).await,
            _ => handler.oneshot(request).await,
        };
        match response {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }

    async fn pass(
        &self,
        request: Request<tonic::body::Body>,
        visit: &Visit,
    ) -> Result<Response<tonic::body::Body>, Error> {
        let (parts, body) = request.into_parts();
        self.check_head(&parts)?;
        let found = self.0.methods.get(parts.uri.path());
        let method = found.filter(|method| !method.descriptor.is_client_streaming()).ok_or_else(unknown)?;
        visit.at(&method.path);
        let headers = parts.headers.clone();
        let request = Request::from_parts(parts, body);
        let work = Box::pin(deadline::enforce(async {
            let principal = &self.identify(method, &headers, visit).await?;
            let mut grpc = tonic::server::Grpc::new(BytesCodec)
                .max_decoding_message_size(self.0.config.requests.max_body_bytes)
                .accept_compressed(CompressionEncoding::Gzip);
            if method.is_streaming() {
                let call = service_fn(async |request| self.stream(method, (&headers, principal), request, visit).await);
                Ok(grpc.server_streaming(call, request).await)
            } else {
                let call = service_fn(async |request| self.unary(method, (&headers, principal), request, visit).await);
                Ok(grpc.unary(call, request).await)
            }
        }));
        let longest = Deadline::after(self.longest(method.limit()));
        let sent = Deadline::from_grpc_timeout(&headers);
        // The deadline of a stream is for its beginning: from then on it lasts as long as both sides want.
        let deadline = sent.map_or(longest, |sent| sent.min(longest));
        deadline::scope(deadline, work).await.map_err(|_expired| Error::DeadlineExceeded)?
    }

    async fn unary(
        &self,
        method: &Method,
        (headers, principal): (&HeaderMap, &Principal),
        request: tonic::Request<Bytes>,
        visit: &Visit,
    ) -> Result<tonic::Response<Bytes>, Status> {
        let bytes = request.into_inner();
        let message = decode(method, &bytes)?;
        let metadata = self.admit(method, headers, (principal, &message), visit).await.map_err(|e| e.status())?;
        let answer = self.0.upstreams.unary(method, bytes, &metadata).await.map_err(|e| e.status())?;
        Ok(shown(answer))
    }

    async fn stream(
        &self,
        method: &Method,
        (headers, principal): (&HeaderMap, &Principal),
        request: tonic::Request<Bytes>,
        visit: &Visit,
    ) -> Result<tonic::Response<Streaming<Bytes>>, Status> {
        let bytes = request.into_inner();
        let message = decode(method, &bytes)?;
        let metadata = self.admit(method, headers, (principal, &message), visit).await.map_err(|e| e.status())?;
        let answer = self.0.upstreams.stream(method, bytes, metadata).await.map_err(|e| e.status())?;
        Ok(shown(answer))
    }
}

/// Reads the request, for the resources that access is decided on; what goes on are the bytes.
fn decode(method: &Method, bytes: &Bytes) -> Result<DynamicMessage, Status> {
    DynamicMessage::decode(method.input(), bytes.clone())
        .map_err(|_| status::refuse(Kind::Invalid, "REQUEST_MALFORMED", "the request is not a message of this method"))
}

/// Leaves of a service's metadata what clients are shown.
fn shown<T>(mut answer: tonic::Response<T>) -> tonic::Response<T> {
    *answer.metadata_mut() = MetadataMap::from_headers(answered(answer.metadata()));
    answer
}

fn unknown() -> Status {
    status::refuse(Kind::Unimplemented, "UNIMPLEMENTED", "there is no such method")
}
