//! Reads the one message of a unary gRPC request without using it up.

use bytes::{Buf as _, Bytes};
use http_body_util::{BodyExt as _, Full, Limited};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use taskman_errors::Kind;
use taskman_rpc::status;
use tonic::Status;
use tonic::body::Body;

/// The largest request message; the same as tonic's own limit.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// What precedes a message on the wire: one byte for compression, four for the length.
const PREFIX: usize = 5;

/// Reads the whole body; gives it back together with the message in it.
pub(crate) async fn peek(body: Body, input: MessageDescriptor) -> Result<(Body, DynamicMessage), Status> {
    let collected = Limited::new(body, MAX_BYTES + PREFIX).collect().await.map_err(|_| too_large())?;
    let bytes = collected.to_bytes();
    let message = decode(unframe(bytes.clone())?, input)?;
    Ok((Body::new(Full::new(bytes).map_err(|never| match never {})), message))
}

/// Takes the message out of the gRPC framing of a unary request.
pub fn unframe(mut framed: Bytes) -> Result<Bytes, Status> {
    if framed.len() < PREFIX {
        return Err(malformed());
    }
    let compressed = framed.get_u8() != 0;
    let length = framed.get_u32() as usize;
    if compressed {
        return Err(status::refuse(Kind::Unimplemented, "UNIMPLEMENTED", "requests are not accepted compressed"));
    }
    if framed.len() != length {
        return Err(malformed());
    }
    Ok(framed)
}

fn decode(bytes: Bytes, input: MessageDescriptor) -> Result<DynamicMessage, Status> {
    DynamicMessage::decode(input, bytes).map_err(|_| malformed())
}

fn malformed() -> Status {
    status::refuse(Kind::Invalid, "REQUEST_MALFORMED", "the request is not a message of this method")
}

fn too_large() -> Status {
    status::refuse(Kind::Exhausted, "TOO_LARGE", "the request is larger than allowed")
}
