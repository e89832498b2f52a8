//! Access control at the door: admits the caller and vouches for the call to its service.

use http::{HeaderMap, HeaderValue, header};
use prost_reflect::DynamicMessage;
use taskman_access::Access;
use taskman_identity::{Client, Principal};
use taskman_rpc::Method;
use tonic::Status;

/// Finds out who calls, before anything of the request is read.
pub async fn identify(
    access: &Access,
    method: &Method,
    headers: &HeaderMap,
    client: Client,
) -> Result<Principal, Status> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    access.identify(method, authorization, client).await
}

/// Admits the call of somebody who is known, and returns the voucher that the service believes.
pub async fn admit(
    access: &Access,
    method: &Method,
    principal: &Principal,
    message: &DynamicMessage,
) -> Result<HeaderValue, Status> {
    access.authorize(method, principal, Some(message)).await?;
    let audience = method.service.ok_or_else(taskman_rpc::status::internal)?;
    access.vouch(method, audience, principal)
}
