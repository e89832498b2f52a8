//! The authentication service as those see it who verify its tokens: its public keys, and its word on a session.

use std::time::{Duration, Instant};

use taskman_identity::{Caller, Jwk, KeySet, VerifyingKey};
use taskman_proto::authentication::authentication_service_client::AuthenticationServiceClient;
use taskman_proto::authentication::{CheckSessionRequest, GetJwksRequest, JsonWebKey};
use taskman_rpc::UpstreamError;
use taskman_rpc::client::Channel;
use tokio::sync::Mutex;

/// Unknown key ids make us ask again at most so often, so that forged tokens cannot make us ask all the time.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Fetches keys and answers for sessions.
#[derive(Debug)]
pub struct Issuer {
    client: AuthenticationServiceClient<Channel>,
    keys: KeySet,
    refreshed: Mutex<Option<Instant>>,
}

impl Issuer {
    /// Puts the keys that it fetches through `channel` into `keys`.
    pub fn new(channel: Channel, keys: KeySet) -> Self {
        Self { client: AuthenticationServiceClient::new(channel), keys, refreshed: Mutex::new(None) }
    }

    /// Fetches the keys, unless somebody just did; whoever comes meanwhile waits for the same answer.
    pub async fn refresh_keys(&self) -> Result<(), UpstreamError> {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < REFRESH_PAUSE) {
            return Ok(());
        }
        let response = self.client.clone().get_jwks(GetJwksRequest {}).await?.into_inner();
        let keys: Vec<VerifyingKey> = response.keys.into_iter().filter_map(verifying_key).collect();
        // With a shared secret there is nothing to publish: the configured key stays.
        if !keys.is_empty() {
            self.keys.replace(keys);
        }
        *refreshed = Some(Instant::now());
        Ok(())
    }

    /// Asks whether the session of a token is still open.
    pub async fn session_is_open(&self, caller: &Caller) -> Result<bool, UpstreamError> {
        let request = CheckSessionRequest {
            session_id: caller.session.to_string(),
            company_id: caller.company.to_string(),
            issued_at: Some(timestamp(caller.issued_at)),
        };
        Ok(self.client.clone().check_session(request).await?.into_inner().open)
    }
}

fn timestamp(time: chrono::DateTime<chrono::Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}

fn verifying_key(key: JsonWebKey) -> Option<VerifyingKey> {
    let kid = key.kid.clone();
    let jwk = Jwk {
        kty: key.kty,
        use_: key.r#use,
        alg: key.alg,
        kid: key.kid,
        crv: key.crv,
        x: key.x,
        y: (!key.y.is_empty()).then_some(key.y),
    };
    VerifyingKey::from_jwk(jwk)
        .inspect_err(|error| tracing::warn!(key.id = kid, %error, "a published key cannot be used"))
        .ok()
}
