//! The attributes of records, asked of the service that owns them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use taskman_ids::CompanyId;
use taskman_policy::attributes::{AttributeType, resource_attribute};
use taskman_policy::{ResourceAttributes, Value};
use taskman_proto::authorization::resource_attributes_service_client::ResourceAttributesServiceClient;
use taskman_proto::authorization::{self as proto, BatchGetResourceAttributesRequest};
use taskman_rpc::UpstreamError;
use taskman_rpc::client::Channel;

use super::{patience, shared};
use crate::app::App;

/// Records of one type in one company.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AttributesKey {
    pub(crate) company: CompanyId,
    pub(crate) kind: String,
    /// Sorted, each once, so that equal questions are seen as equal.
    pub(crate) ids: Vec<String>,
}

/// What policies may read of the records that exist, by id.
pub(crate) type Attributes = Arc<HashMap<String, BTreeMap<String, Value>>>;

/// Returns what policies may read of each record. A type that nobody owns has no attributes, which is known without
/// asking.
pub(crate) async fn fetch_attributes(app: &App, key: AttributesKey) -> HashMap<String, ResourceAttributes> {
    let Some(owner) = owner(app, &key.kind) else {
        return key.ids.into_iter().map(|id| (id, ResourceAttributes::Known(BTreeMap::new()))).collect();
    };
    let fetched = app.asked_attributes.ask(key.clone(), patience(app), shared(app, fetch(owner, &key))).await;
    match fetched {
        Ok(known) => key
            .ids
            .into_iter()
            .map(|id| {
                let attributes = known.get(&id).cloned().map_or(ResourceAttributes::Absent, ResourceAttributes::Known);
                (id, attributes)
            })
            .collect(),
        Err(error) => {
            tracing::warn!(resource.type = key.kind, %error, "attributes of a record could not be fetched");
            key.ids.into_iter().map(|id| (id, ResourceAttributes::Failed)).collect()
        }
    }
}

fn owner(app: &App, kind: &str) -> Option<ResourceAttributesServiceClient<Channel>> {
    match kind {
        "tasks" | "projects" => Some(app.task_attributes.clone()),
        "users" => Some(app.user_attributes.clone()),
        "roles" => Some(app.iam_attributes.clone()),
        _ => None,
    }
}

async fn fetch(
    mut owner: ResourceAttributesServiceClient<Channel>,
    key: &AttributesKey,
) -> Result<Attributes, UpstreamError> {
    let request = BatchGetResourceAttributesRequest {
        company_id: key.company.to_string(),
        r#type: key.kind.clone(),
        ids: key.ids.clone(),
    };
    let response = owner.batch_get_resource_attributes(request).await?.into_inner();
    Ok(Arc::new(response.resources.into_iter().map(|resource| (resource.id.clone(), values(resource))).collect()))
}

/// Takes the attributes that policies may read, each in its type. One that is not of its type is handed on as it came:
/// then reading it is an error, while leaving it out would be taken for its absence.
fn values(resource: proto::ResourceAttributes) -> BTreeMap<String, Value> {
    let named = resource.attributes.into_iter().filter_map(|(name, text)| {
        let (_, of) = resource_attribute(&name)?;
        let value = value(&text, of).unwrap_or_else(|| Value::from(text));
        Some((name, value))
    });
    named.collect()
}

fn value(text: &str, of: AttributeType) -> Option<Value> {
    match of {
        AttributeType::String => Some(Value::from(text)),
        AttributeType::Bool => text.parse::<bool>().ok().map(Value::from),
        AttributeType::Timestamp => {
            DateTime::parse_from_rfc3339(text).ok().map(|time| Value::from(time.with_timezone(&Utc)))
        }
        AttributeType::Strings => serde_json::from_str::<Vec<String>>(text).ok().map(Value::strings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_their_types_and_unknown_ones_are_left_out() {
        let sent = [
            ("owner", "somebody"),
            ("billable", "true"),
            ("due_date", "2026-11-21T09:30:00+01:00"),
            ("labels", r#"["a", "b"]"#),
            ("secret", "x"),
        ];
        let attributes = sent.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let values = values(proto::ResourceAttributes { id: "1".to_owned(), attributes });
        assert_eq!(values.keys().collect::<Vec<_>>(), ["billable", "due_date", "labels", "owner"]);
        assert_eq!(values["billable"], Value::Bool(true));
        assert_eq!(values["labels"], Value::strings(["a", "b"]));
        assert!(
            matches!(&values["due_date"], Value::Timestamp(time) if time.to_rfc3339() == "2026-11-21T08:30:00+00:00")
        );
    }

    #[test]
    fn an_attribute_of_a_wrong_type_is_there_and_wrong() {
        let attributes = [("billable".to_owned(), "perhaps".to_owned())].into();
        let values = values(proto::ResourceAttributes { id: "1".to_owned(), attributes });
        assert_eq!(values["billable"], Value::from("perhaps"));
    }
}
