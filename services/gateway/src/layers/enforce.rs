//! Access control at the door: admits the caller and vouches for the call to its service.

use http::{HeaderMap, HeaderValue, header};
use prost_reflect::DynamicMessage;
use taskman_access::Access;
use taskman_identity::{Client, Principal};
use taskman_rpc::Method;
use tonic::Status;

/// A call that may go on.
#[derive(Debug)]
pub struct Admitted {
    /// Who makes it.
    pub principal: Principal,
    /// The voucher that the service believes.
    pub voucher: HeaderValue,
}

/// Admits a call, or refuses it with the status that the client is to see.
pub async fn admit(
    access: &Access,
    method: &Method,
    headers: &HeaderMap,
    client: Client,
    message: &DynamicMessage,
) -> Result<Admitted, Status> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let principal = access.admit(method, authorization, client, Some(message)).await?;
    let audience = method.service.ok_or_else(taskman_rpc::status::internal)?;
    let voucher = access.vouch(method, audience, &principal)?;
    Ok(Admitted { principal, voucher })
}
