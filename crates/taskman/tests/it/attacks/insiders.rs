//! What people of the company try with their own tokens, and with those that have ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures::future::join_all;
use prost_reflect::prost::Message as _;
use taskman_identity::LEEWAY;
use taskman_proto::options::Exposure;
use taskman_rpc::Method;
use taskman_taskman::keys::SERVICES;
use taskman_testkit::wait_until;
use tonic::Code;

use super::call::Proof;
use super::oracle::{Asker, Oracle};
use super::requests::{self, Fill, Names};
use super::world::Person;
use super::{Attack, SHUT, Try};

/// How soon somebody who is deactivated must be shut out everywhere (identity.md 7).
const SHUT_OUT_WITHIN: Duration = Duration::from_secs(2);

impl Attack<'_> {
    /// SELF and CALLER methods, called by each role of the company on things of the company.
    pub(super) async fn each_role_does_what_it_may(&mut self, oracle: &Oracle) {
        let world = self.world;
        for person in &world.people {
            for method in self.exposed(&[Exposure::Caller]) {
                for fill in [Fill::Required, Fill::Named] {
                    self.role_calls(oracle, person, &method, fill).await;
                }
            }
            for method in self.exposed(&[Exposure::Self_]) {
                let sent = self.request(&method);
                for door in world.doors(&method) {
                    // What changes something of the caller's may end the session that it is called with.
                    let fresh = if method.is_read_only() { person.clone() } else { world.login_again(person).await };
                    let (case, secrets) = (&person.role, &world.attacker.secrets);
                    let attempt = Try { case, door, method: &method, sent: &sent, secrets };
                    let (case, answer) = self.call(&attempt, &Proof::token(&fresh.token)).await;
                    self.found.expect(answer.code == Code::Ok, &case, &method, &answer, "is not for everybody");
                }
            }
        }
        for method in self.exposed(&SHUT) {
            self.found.expect_done(&method);
        }
    }

    /// Calls a CALLER method twice: on a task of the founder's, and on the one that the developer works on.
    async fn role_calls(&mut self, oracle: &Oracle, person: &Person, method: &Method, fill: Fill) {
        let world = self.world;
        let begun = [world.begun.clone()];
        let own_tasks = if person.role == "developer" { begun.as_slice() } else { &[] };
        let asker = Asker { role: &person.role, user: person.user, company: world.victim.id, own_tasks };
        for task in [&world.victim.task, &world.begun] {
            let id = |_: &str, thing| if thing == Names::Task { task.clone() } else { world.victim.id_of(thing) };
            for door in world.doors(method) {
                let request = self.fill(method, fill, &id);
                let sent = request.encode_to_vec();
                let (case, secrets) = (&person.role, &world.attacker.secrets);
                let (case, answer) =
                    self.call(&Try { case, door, method, sent: &sent, secrets }, &Proof::token(&person.token)).await;
                if oracle.allows(&asker, method, &request) {
                    self.found.expect_admitted(&case, method, &answer);
                } else {
                    self.found.expect_refusal(&case, method, &answer, Code::PermissionDenied, "PERMISSION_DENIED");
                    let named = answer.decision().is_some_and(|id| uuid::Uuid::parse_str(id).is_ok());
                    self.found.expect(named, &case, method, &answer, "names no decision");
                }
            }
            if !requests::named_fields(method).iter().any(|(_, thing)| *thing == Names::Task) {
                return;
            }
        }
    }

    /// SELF and CALLER methods, with a token that was good until its holder was deactivated.
    pub(super) async fn whoever_is_deactivated_is_shut_out(&mut self) {
        let world = self.world;
        let leaver = Proof::token(&world.leaver.token);
        let look = self.methods.get("/taskman.user.v1.UserService/GetCurrentUser").unwrap().clone();
        assert_eq!(world.gateway().call(&look.path, &[], &leaver).await.code, Code::Ok);
        let deactivate = self.methods.get("/taskman.user.v1.UserService/DeactivateUser").unwrap().clone();
        let sent = self.fill(&deactivate, Fill::Required, &|_, _| world.leaver.user.to_string()).encode_to_vec();
        let founder = Proof::token(&world.victim.founder.token);
        assert_eq!(world.gateway().call(&deactivate.path, &sent, &founder).await.code, Code::Ok);

        let since = Instant::now();
        // One method of each port: that no port needs longer is seen at once, that no method does just after.
        let methods = self.exposed(&SHUT);
        let ports: BTreeMap<_, _> = methods
            .iter()
            .flat_map(|method| world.doors(method).map(move |door| (door.service, (door, method))))
            .collect();
        assert_eq!(ports.len(), SERVICES.len());
        let this = &*self;
        join_all(ports.values().map(|(door, method)| {
            wait_until("the leaver to be refused", || async {
                door.call(&method.path, &this.request(method), &leaver).await.is(Code::Unauthenticated, "TOKEN_INVALID")
            })
        }))
        .await;
        let taken = since.elapsed();
        assert!(taken <= SHUT_OUT_WITHIN, "the leaver was shut out everywhere only after {taken:?}");
        self.all_refuse("deactivated", &leaver, "TOKEN_INVALID").await;
    }

    /// SELF and CALLER methods, with tokens that have ended; the last part, since it ends all of them.
    pub(super) async fn expired_tokens_are_refused(&mut self) {
        let world = self.world;
        let everybody: Vec<&Person> = world.people.iter().chain([&world.victim.founder]).collect();
        let longest = everybody.iter().map(|person| person.lifetime).max().unwrap();
        world.clock.advance(longest + LEEWAY + TimeDelta::seconds(1));
        for person in everybody {
            let case = format!("{} with an expired token", person.role);
            self.all_refuse(&case, &Proof::token(&person.token), "TOKEN_INVALID").await;
        }
    }
}
