//! What people outside, and services that were taken over, try.

use chrono::TimeDelta;
use prost_reflect::prost::Message as _;
use taskman_clock::Clock as _;
use taskman_proto::options::Exposure;
use taskman_rpc::Method;
use taskman_taskman::keys::{FleetKeys, SERVICES};
use tonic::Code;

use super::call::{Door, Proof};
use super::forgery::{self, Seals};
use super::requests::{self, Fill, Filling, Names};
use super::{Attack, Try, likeness};

impl Attack<'_> {
    /// Every way to show who one is, short of a voucher.
    fn everybody(&self) -> Vec<(String, Proof)> {
        let world = self.world;
        let mut everybody = vec![("nobody".to_owned(), Proof::default())];
        everybody
            .extend(forgery::tokens(world).into_iter().map(|(case, token)| (case.to_owned(), Proof::token(&token))));
        let insiders = world.people.iter().map(|person| (person.role.clone(), Proof::token(&person.token)));
        everybody.extend(insiders);
        everybody.push(("another company's admin".to_owned(), Proof::token(&world.attacker.founder.token)));
        everybody
    }

    /// FLEET methods: outside they do not exist, inside they are for services.
    pub(super) async fn methods_of_the_fleet_are_shut(&mut self) {
        let (world, secrets) = (self.world, self.all_secrets());
        for (case, proof) in self.everybody() {
            for method in self.exposed(&[Exposure::Fleet]) {
                let sent = self.request(&method);
                for door in world.doors(&method) {
                    let attempt = Try { case: &case, door, method: &method, sent: &sent, secrets: &secrets };
                    let (case, answer) = self.call(&attempt, &proof).await;
                    let (code, reason) = if door.is_gateway() {
                        (Code::Unimplemented, "UNIMPLEMENTED")
                    } else {
                        (Code::PermissionDenied, "FLEET_ONLY")
                    };
                    self.found.expect_refusal(&case, &method, &answer, code, reason);
                }
            }
        }
    }

    /// A voucher that the service cannot open is refused, whoever else shows it; the gateway does not read any.
    pub(super) async fn vouchers_are_not_forged(&mut self) {
        let (world, secrets) = (self.world, self.all_secrets());
        let (own, foreign) = (&world.fleet.options.keys, FleetKeys::generate().unwrap());
        for method in self.exposed(&[Exposure::Fleet, Exposure::Public, Exposure::Self_, Exposure::Caller]) {
            let sent = self.request(&method);
            let (issuer, principal) = forgery::believable(world, &method);
            for door in world.behind(&method) {
                // A method that several services share is for one of them, too.
                if door.service == issuer {
                    continue;
                }
                let good = Seals { keys: own, issuer: &issuer, audience: door.service, now: world.clock.now() };
                let elsewhere = SERVICES.into_iter().find(|name| *name != issuer && *name != door.service).unwrap();
                let (other, late) = ("/taskman.task.v1.TaskService/Other", good.now - TimeDelta::minutes(1));
                let seal = |seals: Seals<'_>, path: &str| seals.seal(path, principal.clone()).unwrap();
                let forged = [
                    ("garbage voucher", "e30.garbage".to_owned()),
                    ("voucher of another fleet", seal(Seals { keys: &foreign, ..good }, &method.path)),
                    ("voucher for another service", seal(Seals { audience: elsewhere, ..good }, &method.path)),
                    ("voucher for another method", seal(good, other)),
                    ("expired voucher", seal(Seals { now: late, ..good }, &method.path)),
                ];
                for (case, voucher) in &forged {
                    let attempt = Try { case, door, method: &method, sent: &sent, secrets: &secrets };
                    for proof in [Proof::default(), Proof::token(&world.victim.founder.token)] {
                        let (case, answer) = self.call(&attempt, &proof.with_voucher(voucher)).await;
                        self.found.expect_refusal(&case, &method, &answer, Code::Unauthenticated, "TOKEN_INVALID");
                    }
                }
                self.gateway_ignores(&method, &sent, &seal(good, &method.path)).await;
                self.services_keep_to_their_edges(door, &method, &sent).await;
            }
        }
    }

    /// A good voucher that was overheard is worth nothing outside.
    async fn gateway_ignores(&mut self, method: &Method, sent: &[u8], voucher: &str) {
        let (world, secrets) = (self.world, self.all_secrets());
        let attempt = Try { case: "good voucher", door: world.gateway(), method, sent, secrets: &secrets };
        let (case, answer) = self.call(&attempt, &Proof::default().with_voucher(voucher)).await;
        match method.exposure() {
            Exposure::Public => self.found.expect_admitted(&case, method, &answer),
            Exposure::Fleet => {
                self.found.expect_refusal(&case, method, &answer, Code::Unimplemented, "UNIMPLEMENTED");
            }
            _ => self.found.expect_refusal(&case, method, &answer, Code::Unauthenticated, "TOKEN_MISSING"),
        }
    }

    /// A service of this fleet, with its own good keys, calls what is not for it, and speaks for a user.
    async fn services_keep_to_their_edges(&mut self, door: &Door, method: &Method, sent: &[u8]) {
        let (world, secrets) = (self.world, self.all_secrets());
        let exposure = method.exposure();
        for issuer in SERVICES.into_iter().filter(|issuer| *issuer != door.service) {
            let seals =
                Seals { keys: &world.fleet.options.keys, issuer, audience: door.service, now: world.clock.now() };
            let is_listed = method.rules.fleet_callers.iter().any(|caller| caller == issuer);
            let is_gateway = issuer == "gateway";
            let principals = [
                ("as itself", forgery::service(issuer), is_listed || (is_gateway && exposure == Exposure::Public)),
                ("for a user", forgery::founder(world), is_gateway && exposure != Exposure::Fleet),
            ];
            for (how, principal, _) in principals.into_iter().filter(|(.., allowed)| !allowed) {
                let voucher = seals.seal(&method.path, principal).unwrap();
                let case = format!("{issuer} {how}");
                let attempt = Try { case: &case, door, method, sent, secrets: &secrets };
                let (case, answer) = self.call(&attempt, &Proof::default().with_voucher(&voucher)).await;
                self.found.expect_refusal(&case, method, &answer, Code::PermissionDenied, "FLEET_ONLY");
            }
        }
    }

    /// SELF and CALLER methods: without a token that the fleet has signed nobody gets further.
    pub(super) async fn nobody_is_let_in_without_a_valid_token(&mut self) {
        self.all_refuse("nobody", &Proof::default(), "TOKEN_MISSING").await;
        for (case, token) in forgery::tokens(self.world) {
            self.all_refuse(case, &Proof::token(&token), "TOKEN_INVALID").await;
        }
    }

    /// PUBLIC methods: nobody is asked for a token, a bad one does no harm, and who is known here is not told.
    pub(super) async fn public_methods_know_nobody(&mut self) {
        let (world, secrets) = (self.world, self.all_secrets());
        for method in self.exposed(&[Exposure::Public]) {
            for door in world.doors(&method) {
                let mut answers = Vec::new();
                for (case, email) in
                    [("known address", Some(world.victim.founder.email.as_str())), ("new address", None)]
                {
                    let id = |_: &str, thing: Names| world.victim.id_of(thing);
                    let filling = Filling { fill: Fill::Named, id: &id, email };
                    let sent = requests::request(&self.methods, &method, &filling).encode_to_vec();
                    let attempt = Try { case, door, method: &method, sent: &sent, secrets: &secrets };
                    for proof in [Proof::default(), Proof::token("garbage")] {
                        let (case, answer) = self.call(&attempt, &proof).await;
                        self.found.expect_admitted(&case, &method, &answer);
                        answers.push((case, answer));
                    }
                }
                // Signing up is the one method that says that an address is taken, and declares it.
                let tells = method.rules.error_reasons.iter().any(|reason| reason.ends_with("_TAKEN"));
                let (_, unknown) = answers.pop().unwrap();
                for (case, known) in answers.into_iter().filter(|_| !tells) {
                    let same = likeness(&method, &known) == likeness(&method, &unknown);
                    self.found.expect(same, &case, &method, &known, "tells a known address from an unknown one");
                }
            }
        }
    }
}
