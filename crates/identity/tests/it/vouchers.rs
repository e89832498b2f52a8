//! Vouchers: for whom they open, for whom they do not, and through a change of keys.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use proptest::prelude::*;
use taskman_identity::{
    Principal, Rotation, Voucher, VoucherError, VoucherKeys, generate_fleet_keys, rotate_fleet_keys,
};

use crate::fixture::{caller, client, noon};

const GET_TASK: &str = "/taskman.task.v1.TaskService/GetTask";
const MINUTE: Duration = Duration::from_mins(1);

fn fleet() -> BTreeMap<String, String> {
    generate_fleet_keys(&["gateway", "task", "user"]).unwrap()
}

fn keys(fleet: &BTreeMap<String, String>, service: &str) -> VoucherKeys {
    VoucherKeys::parse(&fleet[service]).unwrap()
}

fn anonymous() -> Principal {
    Principal::Anonymous { client: client() }
}

fn voucher() -> Voucher {
    Voucher {
        issuer: "gateway".to_owned(),
        audience: "task".to_owned(),
        method: GET_TASK.to_owned(),
        principal: anonymous(),
        issued_at: noon(),
        expires_at: noon() + TimeDelta::seconds(10),
    }
}

#[test]
fn a_voucher_gives_every_principal_back() {
    let fleet = fleet();
    let (gateway, task) = (keys(&fleet, "gateway"), keys(&fleet, "task"));
    let service = Principal::Service { name: "gateway".to_owned(), client: client() };
    for principal in [Principal::User(caller()), service, anonymous()] {
        let text = gateway.issue("task", GET_TASK, principal.clone(), noon(), MINUTE).unwrap();
        let opened = task.open(&text, GET_TASK, noon()).unwrap();
        assert_eq!(opened.principal, principal);
        assert_eq!((opened.issuer(), opened.audience.as_str()), ("gateway", "task"));
        assert_eq!(opened.expires_at, noon() + TimeDelta::seconds(10));
    }
}

#[test]
fn a_voucher_ends_with_the_deadline_where_that_is_sooner() {
    let fleet = fleet();
    let text = keys(&fleet, "gateway").issue("task", GET_TASK, anonymous(), noon(), Duration::from_secs(1)).unwrap();
    let opened = keys(&fleet, "task").open(&text, GET_TASK, noon()).unwrap();
    assert_eq!(opened.expires_at, noon() + TimeDelta::seconds(1));
}

#[test]
fn a_voucher_is_good_in_its_time_with_two_seconds_for_the_clocks() {
    let fleet = fleet();
    let (gateway, task) = (keys(&fleet, "gateway"), keys(&fleet, "task"));
    let text = gateway.seal(&voucher()).unwrap();
    let at = |millis| task.open(&text, GET_TASK, noon() + TimeDelta::milliseconds(millis)).err();
    assert_eq!(at(-2_001), Some(VoucherError::NotYetValid));
    assert_eq!(at(-2_000), None);
    assert_eq!(at(11_999), None);
    assert_eq!(at(12_000), Some(VoucherError::Expired));
}

#[test]
fn a_voucher_opens_for_its_audience_and_its_method_only() {
    let fleet = fleet();
    let text = keys(&fleet, "gateway").seal(&voucher()).unwrap();
    let task = keys(&fleet, "task");
    let delete = task.open(&text, "/taskman.task.v1.TaskService/DeleteTask", noon());
    assert_eq!(delete.unwrap_err(), VoucherError::WrongMethod);
    assert_eq!(keys(&fleet, "user").open(&text, GET_TASK, noon()).unwrap_err(), VoucherError::UnknownKey);
    // The issuer holds the key and is still not the audience.
    assert_eq!(keys(&fleet, "gateway").open(&text, GET_TASK, noon()).unwrap_err(), VoucherError::WrongAudience);
}

#[test]
fn a_service_cannot_speak_as_another() {
    let fleet = fleet();
    let user = keys(&fleet, "user");
    assert_eq!(user.seal(&voucher()).unwrap_err(), VoucherError::WrongIssuer);
    let as_gateway = Principal::Service { name: "gateway".to_owned(), client: client() };
    let issued = user.issue("task", GET_TASK, as_gateway, noon(), MINUTE);
    assert_eq!(issued.unwrap_err(), VoucherError::WrongIssuer);

    // The user service holds its own key for task: sealed by hand under it, the gateway's name still does not pass.
    let entry = fleet_key(&fleet["user"], "user", "task");
    let forged = seal_by_hand(&entry, &voucher());
    assert_eq!(keys(&fleet, "task").open(&forged, GET_TASK, noon()).unwrap_err(), VoucherError::WrongIssuer);
}

#[test]
fn a_voucher_for_too_long_is_neither_made_nor_taken() {
    let fleet = fleet();
    let long = Voucher { expires_at: noon() + TimeDelta::seconds(11), ..voucher() };
    assert_eq!(keys(&fleet, "gateway").seal(&long).unwrap_err(), VoucherError::TooLong);
    let forged = seal_by_hand(&fleet_key(&fleet["gateway"], "gateway", "task"), &long);
    assert_eq!(keys(&fleet, "task").open(&forged, GET_TASK, noon()).unwrap_err(), VoucherError::TooLong);
}

#[test]
fn a_voucher_needs_a_key_and_some_room() {
    let gateway = keys(&fleet(), "gateway");
    let nobody = gateway.issue("audit", GET_TASK, anonymous(), noon(), MINUTE);
    assert_eq!(nobody.unwrap_err(), VoucherError::NoKey);
    let mut caller = caller();
    caller.roles = vec!["r".repeat(100); 100];
    let large = gateway.issue("task", GET_TASK, Principal::User(caller), noon(), MINUTE);
    assert_eq!(large.unwrap_err(), VoucherError::TooLarge);
}

#[test]
fn what_is_no_voucher_is_refused() {
    let fleet = fleet();
    let good = keys(&fleet, "gateway").seal(&voucher()).unwrap();
    let (payload, seal) = good.split_once('.').unwrap();
    let unnamed = URL_SAFE_NO_PAD.encode("{}");
    let cases = [
        (String::new(), VoucherError::Malformed),
        (payload.to_owned(), VoucherError::Malformed),
        (format!("{good}.{seal}"), VoucherError::Malformed),
        (format!("{good}="), VoucherError::Malformed),
        (format!("{unnamed}.{seal}"), VoucherError::Malformed),
        (format!("{}{good}", "A".repeat(12 * 1024)), VoucherError::Malformed),
        (format!("{payload}."), VoucherError::BadSeal),
        (format!("{payload}.{}", &seal[..40]), VoucherError::BadSeal),
    ];
    for (text, expected) in cases {
        assert_eq!(keys(&fleet, "task").open(&text, GET_TASK, noon()).unwrap_err(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_changed_content_keeps_its_seal(at in 0_usize..4096, to in any::<u8>()) {
        let fleet = fleet();
        let good = keys(&fleet, "gateway").seal(&voucher()).unwrap();
        let (payload, seal) = good.split_once('.').unwrap();
        let mut json = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let at = at % json.len();
        prop_assume!(json[at] != to);
        json[at] = to;
        let forged = format!("{}.{seal}", URL_SAFE_NO_PAD.encode(&json));
        prop_assert!(keys(&fleet, "task").open(&forged, GET_TASK, noon()).is_err());
    }
}

#[test]
fn a_rotation_needs_no_pause_whoever_reads_the_new_files_first() {
    let mut old = fleet();
    let first = fleet_key(&old["task"], "gateway", "task");
    for step in [Rotation::Add, Rotation::Promote, Rotation::Retire] {
        let new = rotate_fleet_keys(&old, step).unwrap();
        assert_eq!(rotate_fleet_keys(&new, step).unwrap(), new, "{step:?} twice");
        for (sender, receiver) in [(&old, &old), (&old, &new), (&new, &old), (&new, &new)] {
            let text = keys(sender, "gateway").seal(&voucher()).unwrap();
            assert!(keys(receiver, "task").open(&text, GET_TASK, noon()).is_ok(), "{step:?}");
        }
        old = new;
    }
    let retired = seal_by_hand(&first, &voucher());
    assert_eq!(keys(&old, "task").open(&retired, GET_TASK, noon()).unwrap_err(), VoucherError::UnknownKey);
}

#[test]
fn a_service_gets_the_keys_of_its_own_pairs_only() {
    let fleet = fleet();
    assert_eq!(fleet.keys().map(String::as_str).collect::<Vec<_>>(), ["gateway", "task", "user"]);
    for (service, text) in &fleet {
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let entries = file["keys"].as_array().unwrap();
        assert_eq!(entries.len(), 4);
        assert!(entries.iter().all(|key| key["issuer"] == **service || key["audience"] == **service));
    }
}

#[test]
fn a_set_of_keys_that_breaks_a_rule_is_refused_without_showing_it() {
    let good: serde_json::Value = serde_json::from_str(&fleet()["task"]).unwrap();
    let changed = |name: &str, value: &str| {
        let mut file = good.clone();
        file["keys"][0][name] = value.into();
        file.to_string()
    };
    let own = good["keys"][0]["audience"].as_str().unwrap().to_owned();
    let second_id = good["keys"][1]["id"].as_str().unwrap().to_owned();
    let (short, long) = (URL_SAFE_NO_PAD.encode([7; 31]), "k".repeat(129));
    let cases = [
        (changed("issuer", &own), "the issuer is the audience"),
        (good.to_string().replacen(r#""service":"task""#, r#""service":"audit""#, 1), "belongs to other services"),
        (changed("id", &second_id), "the id is repeated"),
        (changed("id", &long), "the id is empty or too long"),
        (changed("secret", &short), "shorter than 32 bytes"),
        (changed("secret", "not base64!"), "the secret is not base64url"),
        (changed("hint", "x"), "not valid JSON of their form"),
        (r#"{"service":"task","service":"user","keys":[]}"#.to_owned(), "not valid JSON of their form"),
    ];
    for (text, expected) in cases {
        let error = VoucherKeys::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        let secret = good["keys"][0]["secret"].as_str().unwrap();
        assert!(!error.contains(secret));
    }
}

#[test]
fn a_third_key_of_a_pair_is_refused() {
    let mut file: serde_json::Value = serde_json::from_str(&fleet()["task"]).unwrap();
    let entry = file["keys"][0].clone();
    for id in ["second", "third"] {
        let mut more = entry.clone();
        more["id"] = id.into();
        file["keys"].as_array_mut().unwrap().push(more);
    }
    let error = VoucherKeys::parse(&file.to_string()).unwrap_err().to_string();
    assert!(error.contains("more than two keys"), "{error}");
}

/// The id and the secret of a pair's first key.
fn fleet_key(file: &str, issuer: &str, audience: &str) -> (String, Vec<u8>) {
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let entries = file["keys"].as_array().unwrap();
    let entry = entries.iter().find(|key| key["issuer"] == issuer && key["audience"] == audience).unwrap();
    let secret = URL_SAFE_NO_PAD.decode(entry["secret"].as_str().unwrap()).unwrap();
    (entry["id"].as_str().unwrap().to_owned(), secret)
}

/// Seals whatever is asked, as a service that was taken over could with a key that it holds.
fn seal_by_hand((kid, secret): &(String, Vec<u8>), voucher: &Voucher) -> String {
    use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
    let payload = URL_SAFE_NO_PAD.encode(serde_json::json!({"kid": kid, "voucher": voucher}).to_string());
    let seal = sign(&Key::new(HMAC_SHA256, secret), format!("taskman voucher 1\n{payload}").as_bytes());
    format!("{payload}.{}", URL_SAFE_NO_PAD.encode(seal.as_ref()))
}
