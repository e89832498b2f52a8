//! Calls any method with any bytes, and keeps all that comes back.

use std::time::Duration;

use prost_reflect::bytes::{Buf as _, BufMut as _};
use taskman_identity::VOUCHER_HEADER;
use taskman_testkit::wait_for;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::{ErrorInfo, StatusExt as _};

/// The longest that one call may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port of the fleet.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// The service behind it.
    pub(super) service: &'static str,
    channel: Channel,
}

impl Door {
    /// Finds the port of `service` at `address`.
    pub(super) fn new(service: &'static str, address: std::net::SocketAddr) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        Self { service, channel }
    }

    /// Says whether it is the gateway's.
    pub(super) fn is_gateway(&self) -> bool {
        self.service == "gateway"
    }

    /// Calls the method at `path`. That something is not reachable at the moment is never the answer that is asked for
    /// here, so such a call is made again.
    pub(super) async fn call(&self, path: &str, message: &[u8], proof: &Proof) -> Answer {
        wait_for("an answer other than UNAVAILABLE", || async {
            let answer = self.call_once(path, message, proof).await;
            (answer.code != Code::Unavailable).then_some(answer)
        })
        .await
    }

    async fn call_once(&self, path: &str, message: &[u8], proof: &Proof) -> Answer {
        let mut request = tonic::Request::new(message.to_vec());
        request.set_timeout(PATIENCE);
        let headers = [("authorization", &proof.authorization), (VOUCHER_HEADER, &proof.voucher)];
        for (name, value) in headers {
            if let Some(value) = value {
                request.metadata_mut().insert(name, value.parse().unwrap());
            }
        }
        let mut grpc = tonic::client::Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        // On the wire a unary answer is a stream of one message, so that this one way of calling does for all methods.
        let response = match grpc.server_streaming(request, PathAndQuery::try_from(path).unwrap(), Verbatim).await {
            Ok(response) => response,
            Err(status) => return Answer::refused(&status),
        };
        let headers = format!("{:?}", response.metadata());
        match response.into_inner().message().await {
            Ok(body) => Answer::given(headers, body.unwrap_or_default()),
            Err(status) => Answer::refused(&status),
        }
    }
}

/// What a caller shows of who they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Proof {
    authorization: Option<String>,
    voucher: Option<String>,
}

impl Proof {
    /// Shows an access token.
    pub(super) fn token(token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), voucher: None }
    }

    /// Shows a voucher as well.
    pub(super) fn with_voucher(&self, voucher: &str) -> Self {
        Self { voucher: Some(voucher.to_owned()), ..self.clone() }
    }
}

/// All that came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: Code,
    pub(super) info: Option<ErrorInfo>,
    /// Message and details of an error, as text.
    pub(super) error: String,
    /// The first message of an answer.
    pub(super) body: Vec<u8>,
    /// Everything that the caller can read, as text.
    pub(super) visible: String,
}

impl Answer {
    fn given(headers: String, body: Vec<u8>) -> Self {
        let visible = headers + &String::from_utf8_lossy(&body);
        Self { code: Code::Ok, info: None, error: String::new(), body, visible }
    }

    fn refused(status: &Status) -> Self {
        let error = format!("{} {}", status.message(), String::from_utf8_lossy(status.details()));
        let visible = format!("{error} {:?}", status.metadata());
        let info = status.get_details_error_info();
        Self { code: status.code(), info, error, body: Vec::new(), visible }
    }

    /// Returns the reason of an error.
    pub(super) fn reason(&self) -> &str {
        self.info.as_ref().map_or("", |info| &info.reason)
    }

    /// Returns the decision that an error names.
    pub(super) fn decision(&self) -> Option<&str> {
        self.info.as_ref()?.metadata.get("decision_id").map(String::as_str)
    }

    /// Says whether it is a refusal with that code and reason.
    pub(super) fn is(&self, code: Code, reason: &str) -> bool {
        self.code == code && self.reason() == reason
    }
}

/// Leaves messages as the bytes they are.
#[derive(Debug, Clone, Copy)]
struct Verbatim;

impl Codec for Verbatim {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Verbatim {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Verbatim {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}
