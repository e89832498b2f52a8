//! Users: the stream of their changes, and one of whom no change has come yet.

use std::sync::Arc;

use futures::StreamExt as _;
use taskman_ids::{CompanyId, UserId};
use taskman_proto::user as proto;
use taskman_proto::user::watch_changes_response::Item as SentItem;
use taskman_rpc::UpstreamError;
use tonic::{Code, Status};

use super::{Item, Items, patience, shared, time};
use crate::app::App;
use crate::domain::change::{Numbered, UserChange};
use crate::domain::subject::Subject;
use crate::error::Error;

/// Opens the stream of changes after `since`.
pub(crate) async fn watch_users(app: &App, since: i64) -> Result<Items<UserChange>, Error> {
    let request = proto::WatchChangesRequest { since };
    let opened = app.users.clone().watch_changes(request).await.map_err(|status| Error::Stream(status.into()))?;
    Ok(opened.into_inner().map(|message| read(message.map_err(UpstreamError::from)?)).boxed())
}

/// Asks for a user; the answer is for one decision and not kept, for only the stream knows when it changes.
pub(crate) async fn find_subject(app: &App, user: UserId) -> Result<Option<Arc<Subject>>, Error> {
    let ask = async {
        let request = proto::GetSubjectRequest { user_id: user.to_string() };
        match shared(app, app.users.clone().get_subject(request)).await {
            Ok(response) => {
                let subject = response.into_inner().subject.and_then(subject);
                subject.map(|subject| Some(Arc::new(subject))).ok_or_else(|| Status::internal("no subject").into())
            }
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(UpstreamError::from(status)),
        }
    };
    app.asked_subjects.ask(user, patience(app), ask).await.map_err(Error::SubjectUnavailable)
}

fn read(message: proto::WatchChangesResponse) -> Result<Item<UserChange>, Error> {
    match message.item {
        Some(SentItem::Heartbeat(heartbeat)) => Ok(Item::Heartbeat(heartbeat.head)),
        Some(SentItem::Change(change)) => {
            let position = change.position;
            parse(change).map(Item::Change).ok_or(Error::ChangeMalformed(position))
        }
        None => Err(Error::ChangeMalformed(0)),
    }
}

fn parse(change: proto::SubjectChange) -> Option<Numbered<UserChange>> {
    Some(Numbered {
        position: change.position,
        changed_at: time(change.changed_at)?,
        change: subject(change.subject?)?,
    })
}

fn subject(sent: proto::Subject) -> Option<Subject> {
    let company_suspended = match sent.company_status() {
        proto::CompanyStatus::Suspended => true,
        proto::CompanyStatus::Active | proto::CompanyStatus::Provisioning => false,
        proto::CompanyStatus::Unspecified => return None,
    };
    let set = |text: String| (!text.is_empty()).then_some(text);
    Some(Subject {
        id: UserId::parse(&sent.user_id).ok()?,
        company: CompanyId::parse(&sent.company_id).ok()?,
        email: sent.email,
        department: set(sent.department),
        location: set(sent.location),
        active: sent.active,
        company_suspended,
    })
}
