//! What another company's administrator, who may do everything at home, tries.

use prost_reflect::prost::Message as _;
use taskman_ids::new_uuid;
use taskman_proto::options::Exposure;
use taskman_rpc::Method;
use tonic::Code;

use super::call::Proof;
use super::requests::{self, Fill};
use super::{Attack, SHUT, Try, likeness};

impl Attack<'_> {
    /// CALLER methods, called by another company's administrator on things of the victim's: as if there were none.
    pub(super) async fn another_company_sees_nothing(&mut self) {
        let before = self.victims_records().await;
        let nobody = new_uuid().to_string();
        // Reads come first: what the administrator changes at home then cannot be what makes two answers differ.
        let (reads, changes): (Vec<_>, Vec<_>) =
            self.exposed(&SHUT).into_iter().partition(|method| method.is_read_only());
        for method in reads.iter().chain(&changes) {
            let fields: Vec<String> = requests::named_fields(method).into_iter().map(|(field, _)| field).collect();
            let mut foreign: Vec<&[String]> = vec![&fields];
            if fields.len() > 1 {
                foreign.extend(fields.chunks(1));
            }
            for foreign in foreign {
                self.outsider_calls(method, foreign, &nobody).await;
            }
        }
        assert_eq!(before, self.victims_records().await, "another company has changed something");
    }

    /// Calls with the ids of the victim in the fields `foreign` and own ones in all others; and again with ids of nothing.
    async fn outsider_calls(&mut self, method: &Method, foreign: &[String], nobody: &str) {
        let world = self.world;
        let secrets = &world.victim.secrets;
        for door in world.doors(method) {
            let founder = &world.attacker.founder;
            // What changes something of the caller's own may end the session.
            let spare = method.exposure() == Exposure::Self_ && !method.is_read_only();
            let outsider = if spare { world.login_again(founder).await } else { founder.clone() };
            let proof = Proof::token(&outsider.token);
            if foreign.is_empty() {
                let sent = self.request(method);
                let attempt = Try { case: "another company's admin", door, method, sent: &sent, secrets };
                let (case, answer) = self.call(&attempt, &proof).await;
                self.found.expect_admitted(&case, method, &answer);
                continue;
            }
            let [(case, victims), (_, nothing)] = [true, false].map(|exists| {
                let id = |field: &str, thing| match (foreign.iter().any(|name| name == field), exists) {
                    (false, _) => world.attacker.id_of(thing),
                    (true, true) => world.victim.id_of(thing),
                    (true, false) => nobody.to_owned(),
                };
                let case = format!("another company's admin naming {foreign:?}");
                (case, self.fill(method, Fill::Named, &id).encode_to_vec())
            });
            let attempt = Try { case: &case, door, method, sent: &victims, secrets };
            let (case, victims) = self.call(&attempt, &proof).await;
            let attempt = Try { case: "naming nothing", door, method, sent: &nothing, secrets };
            let (_, nothing) = self.call(&attempt, &proof).await;
            self.found.expect_admitted(&case, method, &victims);
            let same = likeness(method, &victims) == likeness(method, &nothing);
            let wrong = format!("is not what it is for nothing: {:?} {:?}", nothing.code, nothing.error);
            self.found.expect(same, &case, method, &victims, &wrong);
        }
    }

    /// Returns what the victim's administrator sees of the records that have a version.
    async fn victims_records(&self) -> Vec<Vec<u8>> {
        let (world, mut records) = (self.world, Vec::new());
        let token = Proof::token(&world.victim.founder.token);
        for method in self.exposed(&[Exposure::Caller]).iter().filter(|method| method.rules.cache.is_some()) {
            let answer = world.gateway().call(&method.path, &self.request(method), &token).await;
            assert_eq!(answer.code, Code::Ok, "{}: {}", method.path, answer.error);
            records.push(answer.body);
        }
        assert!(!records.is_empty());
        records
    }
}
