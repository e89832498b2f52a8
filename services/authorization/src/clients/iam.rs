//! The stream of roles, policies and assignments.

use futures::StreamExt as _;
use taskman_ids::{CompanyId, PolicyId, RoleId, UserId};
use taskman_policy::{Effect, PolicySource, Status};
use taskman_proto::iam as proto;
use taskman_proto::iam::change::What as Sent;
use taskman_proto::iam::watch_changes_response::Item as SentItem;
use taskman_rpc::UpstreamError;

use super::{Item, Items, time};
use crate::app::App;
use crate::domain::change::{CompanyState, IamChange, Numbered, RulesChange, What};
use crate::domain::rules::{Held, Role};
use crate::error::Error;

/// Opens the stream of changes after `since`.
pub(crate) async fn watch_iam(app: &App, since: i64) -> Result<Items<IamChange>, Error> {
    let request = proto::WatchChangesRequest { since };
    let opened = app.iam.clone().watch_changes(request).await.map_err(|status| Error::Stream(status.into()))?;
    Ok(opened.into_inner().map(|message| read(message.map_err(UpstreamError::from)?)).boxed())
}

fn read(message: proto::WatchChangesResponse) -> Result<Item<IamChange>, Error> {
    match message.item {
        Some(SentItem::Heartbeat(heartbeat)) => Ok(Item::Heartbeat(heartbeat.head)),
        Some(SentItem::Change(change)) => {
            let position = change.position;
            parse(change).map(Item::Change).ok_or(Error::ChangeMalformed(position))
        }
        None => Err(Error::ChangeMalformed(0)),
    }
}

fn parse(change: proto::Change) -> Option<Numbered<IamChange>> {
    let what = match change.what? {
        Sent::Role(sent) => What::Rules(RulesChange::Role(role(sent)?)),
        Sent::DeletedRoleId(id) => What::Rules(RulesChange::RoleDeleted(RoleId::parse(&id).ok()?)),
        Sent::Policy(sent) => What::Rules(RulesChange::Policy(Box::new(policy(sent)?))),
        Sent::DeletedPolicyId(id) => What::Rules(RulesChange::PolicyDeleted(PolicyId::parse(&id).ok()?)),
        Sent::SubjectRoles(sent) => {
            let (user, held) = held(sent)?;
            What::Held(user, held)
        }
        Sent::Company(sent) => What::Company(Box::new(CompanyState {
            roles: sent.roles.into_iter().map(role).collect::<Option<_>>()?,
            policies: sent.policies.into_iter().map(policy).collect::<Option<_>>()?,
            held: sent.subjects.into_iter().map(held).collect::<Option<_>>()?,
        })),
    };
    Some(Numbered {
        position: change.position,
        changed_at: time(change.changed_at)?,
        change: IamChange { company: CompanyId::parse(&change.company_id).ok()?, what },
    })
}

fn role(sent: proto::RoleState) -> Option<Role> {
    let policies = sent.policy_ids.iter().map(|id| PolicyId::parse(id).ok()).collect::<Option<_>>()?;
    Some(Role { id: RoleId::parse(&sent.id).ok()?, name: sent.name, policies })
}

fn policy(sent: proto::PolicyState) -> Option<PolicySource> {
    let effect = match sent.effect() {
        proto::Effect::Allow => Effect::Allow,
        proto::Effect::Deny => Effect::Deny,
        proto::Effect::Unspecified => return None,
    };
    let status = match sent.status() {
        proto::PolicyStatus::Draft => Status::Draft,
        proto::PolicyStatus::Shadow => Status::Shadow,
        proto::PolicyStatus::Active => Status::Active,
        proto::PolicyStatus::Disabled => Status::Disabled,
        proto::PolicyStatus::Unspecified => return None,
    };
    Some(PolicySource {
        id: PolicyId::parse(&sent.id).ok()?,
        name: sent.name,
        effect,
        actions: sent.actions,
        resources: sent.resources,
        condition: (!sent.condition.is_empty()).then_some(sent.condition),
        status,
        version: sent.version,
    })
}

fn held(sent: proto::SubjectRoles) -> Option<(UserId, Vec<Held>)> {
    let roles = sent.roles.into_iter().map(|held| {
        let expires_at = match held.expires_at {
            None => None,
            // An end that cannot be read must not become a role without end.
            end => Some(time(end)?),
        };
        Some(Held { role: RoleId::parse(&held.role_id).ok()?, expires_at })
    });
    Some((UserId::parse(&sent.user_id).ok()?, roles.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(what: Sent) -> proto::WatchChangesResponse {
        let change = proto::Change {
            position: 7,
            company_id: CompanyId::new().to_string(),
            changed_at: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
            what: Some(what),
        };
        proto::WatchChangesResponse { item: Some(SentItem::Change(change)) }
    }

    #[test]
    fn a_change_that_is_not_understood_is_never_passed_over() {
        let unknown_effect = proto::PolicyState {
            id: PolicyId::new().to_string(),
            effect: 9,
            status: proto::PolicyStatus::Active.into(),
            ..proto::PolicyState::default()
        };
        let endless = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        let wrong_end = proto::SubjectRoles {
            user_id: UserId::new().to_string(),
            roles: vec![proto::HeldRole { role_id: RoleId::new().to_string(), expires_at: Some(endless) }],
        };
        for what in [Sent::Policy(unknown_effect), Sent::DeletedRoleId("x".to_owned()), Sent::SubjectRoles(wrong_end)] {
            assert!(matches!(read(change(what)), Err(Error::ChangeMalformed(7))));
        }
        assert!(matches!(read(proto::WatchChangesResponse { item: None }), Err(Error::ChangeMalformed(_))));
    }
}
