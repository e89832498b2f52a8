//! Tokens and vouchers that must not be believed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use taskman_clock::Clock as _;
use taskman_identity::{Algorithm, Claims, Client, Principal, SigningKey, VoucherKeys};
use taskman_ids::{RequestId, SessionId, new_uuid};
use taskman_proto::options::Exposure;
use taskman_rpc::Method;
use taskman_taskman::keys::FleetKeys;

use super::world::World;

/// Returns tokens that name the victim's founder, or are none at all, with what is wrong with each.
pub(super) fn tokens(world: &World) -> Vec<(&'static str, String)> {
    let genuine = &world.attacker.founder.token;
    let parts: Vec<&str> = genuine.split('.').collect();
    let (mut head, mut payload) = (decoded(parts[0]), decoded(parts[1]));
    let kid = head["kid"].as_str().unwrap().to_owned();
    let (company, user) = (world.victim.id.to_string(), world.victim.founder.user.to_string());
    for (name, value) in [("company_id", &company), ("tenant_id", &company), ("sub", &user), ("user_id", &user)] {
        payload[name] = json!(value);
    }
    let altered = format!("{}.{}.{}", parts[0], encoded(&payload), parts[2]);
    head["alg"] = json!("none");
    let unsigned = format!("{}.{}.", encoded(&head), encoded(&payload));
    vec![
        ("garbage token", "garbage".to_owned()),
        ("altered token", altered),
        ("unsigned token", unsigned),
        ("token of another key", of_another_key(world, &kid)),
        ("token of a key of our own", of_another_key(world, &new_uuid().to_string())),
    ]
}

fn of_another_key(world: &World, kid: &str) -> String {
    let now = world.clock.now();
    let key = SigningKey::generate(Algorithm::Es256, now).unwrap().to_pkcs8();
    let key = SigningKey::from_pkcs8(kid, Algorithm::Es256, &key, now).unwrap();
    let founder = &world.victim.founder;
    let claims = Claims {
        issuer: "https://taskman.dev".to_owned(),
        audience: "taskman".to_owned(),
        user: founder.user,
        company: world.victim.id,
        session: SessionId::new(),
        email: founder.email.clone(),
        roles: vec!["admin".to_owned()],
        iam_position: 0,
        token: new_uuid(),
        issued_at: now,
        not_before: now,
        expires_at: now + founder.lifetime,
        authenticated_at: now,
    };
    key.sign(&claims).unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    BASE64.encode(value.to_string())
}

/// Seals vouchers with the keys of one service.
#[derive(Clone, Copy)]
pub(super) struct Seals<'a> {
    /// The keys of this fleet, or of another.
    pub(super) keys: &'a FleetKeys,
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) now: DateTime<Utc>,
}

impl Seals<'_> {
    /// Seals a voucher for the method at `path`; there is none where a service has no key or may not say that.
    pub(super) fn seal(&self, path: &str, principal: Principal) -> Option<String> {
        let keys = VoucherKeys::parse(self.keys.of(self.issuer).unwrap().fleet().expose_secret()).unwrap();
        keys.issue(self.audience, path, principal, self.now, Duration::from_secs(10)).ok()
    }
}

/// Returns the victim's founder as somebody who would vouch for them describes them.
pub(super) fn founder(world: &World) -> Principal {
    let founder = &world.victim.founder;
    let mut caller = taskman_testkit::caller_of(world.victim.id);
    caller.user = founder.user;
    caller.email.clone_from(&founder.email);
    Principal::User(caller)
}

/// Returns a service as it describes itself.
pub(super) fn service(name: &str) -> Principal {
    Principal::Service { name: name.to_owned(), client: Client::unknown(RequestId::new()) }
}

/// Returns who would be believed if the seal were good: issuer and principal.
pub(super) fn believable(world: &World, method: &Method) -> (String, Principal) {
    match method.exposure() {
        Exposure::Fleet => {
            let caller = method.rules.fleet_callers[0].clone();
            let principal = service(&caller);
            (caller, principal)
        }
        Exposure::Public => ("gateway".to_owned(), Principal::Anonymous { client: Client::unknown(RequestId::new()) }),
        _ => ("gateway".to_owned(), founder(world)),
    }
}
