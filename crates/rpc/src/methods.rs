//! The table of every method of the fleet with its rules, read once from the descriptors.

use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MessageDescriptor, MethodDescriptor, Value};
use taskman_proto::options::{Exposure, Limit, MethodRules};

/// One method of the fleet.
#[derive(Debug)]
pub struct Method {
    /// The gRPC path: `/taskman.task.v1.TaskService/GetTask`.
    pub path: String,
    /// The service of the fleet that serves it: `task`; `None` where several do (resource attributes).
    pub service: Option<&'static str>,
    /// What it needs of its surroundings.
    pub rules: MethodRules,
    /// The descriptor.
    pub descriptor: MethodDescriptor,
}

impl Method {
    /// Returns who may call.
    pub fn exposure(&self) -> Exposure {
        self.rules.exposure()
    }

    /// Returns the rate class.
    pub fn limit(&self) -> Limit {
        self.rules.limit()
    }

    /// Returns the descriptor of the request message.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// Says whether the method answers with a stream, which outlives any deadline.
    pub fn is_streaming(&self) -> bool {
        self.descriptor.is_server_streaming()
    }

    /// Says whether the method changes nothing, so that a call may be repeated at will.
    pub fn is_read_only(&self) -> bool {
        self.idempotency_level() == Some(1)
    }

    fn idempotency_level(&self) -> Option<i32> {
        self.descriptor.method_descriptor_proto().options.as_ref().map(|options| options.idempotency_level() as i32)
    }
}

/// Every method of the fleet, by gRPC path; cheap to clone.
#[derive(Debug, Clone)]
pub struct Methods {
    by_path: Arc<HashMap<String, Arc<Method>>>,
    pool: DescriptorPool,
}

impl Methods {
    /// Reads the descriptors that are compiled into the program. Call it once per process.
    pub fn load() -> Self {
        let pool = taskman_proto::descriptor_pool();
        let rules = pool.get_extension_by_name("taskman.options.v1.rules");
        let services = pool.services().filter(|service| service.full_name().starts_with("taskman."));
        let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
        let by_path = methods
            .filter_map(|descriptor| {
                let options = descriptor.options();
                let Value::Message(rules) = options.get_extension(rules.as_ref()?).into_owned() else { return None };
                let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
                let rules = rules.transcode_to().ok()?;
                let service = owner(descriptor.parent_service().full_name());
                Some((path.clone(), Arc::new(Method { path, service, rules, descriptor })))
            })
            .collect();
        Self { by_path: Arc::new(by_path), pool }
    }

    /// Finds the method at a gRPC path.
    pub fn get(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// Returns every method, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.by_path.values()
    }

    /// Returns the pool that the descriptors belong to.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }
}

/// Names the service of the fleet that serves a gRPC service.
fn owner(grpc_service: &str) -> Option<&'static str> {
    Some(match grpc_service {
        "taskman.authentication.v1.AuthenticationService" => "authentication",
        "taskman.authorization.v1.AuthorizationService" => "authorization",
        "taskman.user.v1.UserService" => "user",
        "taskman.iam.v1.IAMAdminService" => "iam-admin",
        "taskman.task.v1.TaskService" => "task",
        "taskman.audit.v1.AuditService" => "audit",
        "taskman.notification.v1.NotificationService" => "notification",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_in_the_table_with_its_rules_and_owner() {
        let methods = Methods::load();
        let pool = methods.pool();
        let declared: usize = pool
            .services()
            .filter(|service| service.full_name().starts_with("taskman."))
            .map(|s| s.methods().len())
            .sum();
        assert_eq!(methods.iter().count(), declared);
        for method in methods.iter() {
            assert_ne!(method.exposure(), Exposure::Unspecified, "{}", method.path);
            let shared = method.path.contains("ResourceAttributesService");
            assert_eq!(method.service.is_none(), shared, "{}", method.path);
        }
    }

    #[test]
    fn reads_are_told_from_changes() {
        let methods = Methods::load();
        let read_only = |path: &str| methods.get(path).is_some_and(|method| method.is_read_only());
        assert!(read_only("/taskman.task.v1.TaskService/GetTask"));
        assert!(!read_only("/taskman.task.v1.TaskService/CreateTask"));
        assert!(!read_only("/taskman.task.v1.TaskService/AssignTask"));
    }
}
