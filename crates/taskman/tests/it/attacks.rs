//! Every RPC, called by everybody who must not.
//!
//! The methods come from the descriptors, what they need from their options, who may call them from the data file that
//! roles are made of. So a method that is added is attacked without a word here; where its request holds something that
//! nobody here knows how to make, or nobody may call it with success, the test fails until it is taught.

mod call;
mod clock;
mod findings;
mod forgery;
mod insiders;
mod oracle;
mod outsiders;
mod requests;
mod strangers;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use taskman_proto::options::Exposure;
use taskman_rpc::{Method, Methods};
use tonic::Code;

use call::{Answer, Door, Proof};
use findings::Findings;
use oracle::Oracle;
use requests::{Fill, Filling, Names};
use world::World;

/// The exposures that need a token.
const SHUT: [Exposure; 2] = [Exposure::Self_, Exposure::Caller];

#[tokio::test(flavor = "multi_thread")]
async fn every_rpc_refuses_everybody_who_may_not_call_it_and_tells_them_nothing() {
    let oracle = Oracle::read();
    let world = World::start(&oracle).await;
    let mut attack = Attack::new(&world);
    attack.methods_of_the_fleet_are_shut().await;
    attack.vouchers_are_not_forged().await;
    attack.nobody_is_let_in_without_a_valid_token().await;
    attack.public_methods_know_nobody().await;
    attack.each_role_does_what_it_may(&oracle).await;
    attack.another_company_sees_nothing().await;
    attack.whoever_is_deactivated_is_shut_out().await;
    attack.expired_tokens_are_refused().await;
    attack.found.conclude();
    world.fleet.stop().await;
}

/// The attack as it goes on.
struct Attack<'a> {
    world: &'a World,
    methods: Methods,
    found: Findings,
}

/// One call: what is called, by whom, and what that caller may not see.
struct Try<'a> {
    case: &'a str,
    door: &'a Door,
    method: &'a Method,
    sent: &'a [u8],
    secrets: &'a [String],
}

impl<'a> Attack<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, methods: Methods::load(), found: Findings::default() }
    }

    /// Returns the methods with one of these exposures, always in the same order.
    fn exposed(&self, exposures: &[Exposure]) -> Vec<Arc<Method>> {
        let found = self.methods.iter().filter(|method| exposures.contains(&method.exposure()));
        found
            .map(|method| (method.path.clone(), Arc::clone(method)))
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .collect()
    }

    /// Makes a request as it is described.
    fn fill(&self, method: &Method, fill: Fill, id: &dyn Fn(&str, Names) -> String) -> DynamicMessage {
        requests::request(&self.methods, method, &Filling { fill, id, email: None })
    }

    /// Makes a request that names things of the victim.
    fn request(&self, method: &Method) -> Vec<u8> {
        self.fill(method, Fill::Named, &|_, thing| self.world.victim.id_of(thing)).encode_to_vec()
    }

    /// Makes the call and looks at what every answer must keep to; returns a name for the call, too.
    async fn call(&mut self, attempt: &Try<'_>, proof: &Proof) -> (String, Answer) {
        let Try { case, door, method, sent, secrets } = attempt;
        let case = format!("[{case} at {}]", door.service);
        let answer = door.call(&method.path, sent, proof).await;
        self.found.examine(&case, method, sent, &answer, secrets);
        (case, answer)
    }

    /// Calls every method that needs a token on every port, and expects to be refused for want of one.
    async fn all_refuse(&mut self, case: &str, proof: &Proof, reason: &str) {
        let (world, secrets) = (self.world, self.all_secrets());
        for method in self.exposed(&SHUT) {
            let sent = self.request(&method);
            for door in world.doors(&method) {
                let attempt = Try { case, door, method: &method, sent: &sent, secrets: &secrets };
                let (case, answer) = self.call(&attempt, proof).await;
                self.found.expect_refusal(&case, &method, &answer, Code::Unauthenticated, reason);
            }
        }
    }

    fn all_secrets(&self) -> Vec<String> {
        [self.world.victim.secrets.as_slice(), &self.world.attacker.secrets].concat()
    }
}

/// What of an answer must not depend on whether somebody or something exists: what a refusal says, and what a read shows.
/// A new id and a position in a stream come with every answer.
fn likeness(method: &Method, answer: &Answer) -> (Code, String, Option<Vec<u8>>) {
    let shown = method.is_read_only().then(|| {
        let mut body = DynamicMessage::decode(method.descriptor.output(), answer.body.as_slice()).unwrap();
        body.clear_field_by_name("decision_id");
        body.clear_field_by_name("position");
        body.encode_to_vec()
    });
    (answer.code, answer.error.clone(), shown)
}
