//! Sends calls as the gateway or another service would: with a voucher.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use taskman_clock::SharedClock;
use taskman_identity::{Principal, VOUCHER_HEADER, VoucherKeys};
use tonic::body::Body;
use tower::{BoxError, Service};

/// A channel for the generated clients that vouches for one principal.
#[derive(Debug, Clone)]
pub struct Calls {
    pub(crate) channel: tonic::transport::Channel,
    pub(crate) keys: VoucherKeys,
    pub(crate) audience: &'static str,
    pub(crate) principal: Principal,
    pub(crate) clock: SharedClock,
}

impl Service<Request<Body>> for Calls {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.channel.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let sealed = self
            .keys
            .issue(self.audience, &path, self.principal.clone(), self.clock.now(), Duration::from_secs(10))
            .expect("the fleet's keys cover every pair");
        request.headers_mut().insert(VOUCHER_HEADER, HeaderValue::try_from(sealed).expect("base64url"));
        let call = self.channel.call(request);
        Box::pin(async move { call.await.map_err(Into::into) })
    }
}
