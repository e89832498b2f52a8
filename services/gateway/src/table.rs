//! The table of routes, for operators: what a request would need and where it would go.

use std::fmt;
use std::time::Duration;

use taskman_proto::options::{Exposure, Limit};
use taskman_rpc::Methods;

use crate::app::longest;
use crate::config::Config;
use crate::transcode::route::{RouteError, RouteTable};

/// One row: a route, or a method that is open by gRPC only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The HTTP method, or `gRPC`.
    pub verb: String,
    /// The path template, or the gRPC path.
    pub path: String,
    /// The method: `/taskman.task.v1.TaskService/GetTask`.
    pub method: String,
    /// The permission that is needed: `public`, `token`, or an action and its resource.
    pub permission: String,
    /// The rate class: `read`; `-` for none.
    pub limit: String,
    /// The field that holds the version, for `ETag`; `-` for none.
    pub version: String,
    /// The service.
    pub upstream: &'static str,
    /// The longest that a call may take.
    pub deadline: Duration,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, path, permission, limit, version, upstream, deadline, .. } = self;
        let deadline = deadline.as_millis();
        write!(f, "{verb:<6} {path:<52} {permission:<36} {limit:<7} {version:<8} {upstream:<15} {deadline} ms")
    }
}

/// Returns every route, and every method that is open without one.
pub fn routes(config: &Config, methods: &Methods) -> Result<Vec<Row>, RouteError> {
    let table = RouteTable::build(methods.pool(), methods.iter().cloned())?;
    let row = |verb: &str, path: &str, method: &taskman_rpc::Method| Row {
        verb: verb.to_owned(),
        path: path.to_owned(),
        method: method.path.clone(),
        permission: permission(method),
        limit: class(method.limit()),
        version: method.rules.cache.as_ref().map_or_else(|| "-".to_owned(), |cache| cache.version_field.clone()),
        upstream: method.service.unwrap_or("-"),
        deadline: longest(config, method.limit()),
    };
    let mut rows: Vec<Row> =
        table.bindings().iter().map(|binding| row(binding.verb.as_str(), &binding.pattern, &binding.method)).collect();
    let routed = |path: &str| table.bindings().iter().any(|binding| binding.method.path == path);
    let mut unrouted: Vec<Row> = methods
        .iter()
        .filter(|method| method.exposure() != Exposure::Fleet && !routed(&method.path))
        .map(|method| row("gRPC", &method.path, method))
        .collect();
    unrouted.sort_by(|a, b| a.path.cmp(&b.path));
    rows.extend(unrouted);
    Ok(rows)
}

fn permission(method: &taskman_rpc::Method) -> String {
    match method.exposure() {
        Exposure::Public => "public".to_owned(),
        Exposure::Self_ => "token".to_owned(),
        _ => format!("{} {}", method.rules.action, method.rules.resource),
    }
}

fn class(limit: Limit) -> String {
    match limit {
        Limit::Unspecified => "-".to_owned(),
        limit => limit.as_str_name().trim_start_matches("LIMIT_").to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_that_stand_in_the_documents_are_there() {
        let rows = routes(&Config::default(), &Methods::load()).unwrap();
        let find = |verb: &str, path: &str| rows.iter().find(|row| row.verb == verb && row.path == path);
        for (verb, path, method) in [
            ("POST", "/auth/login", "/taskman.authentication.v1.AuthenticationService/Login"),
            ("POST", "/api/v1/auth/login", "/taskman.authentication.v1.AuthenticationService/Login"),
            ("GET", "/.well-known/jwks.json", "/taskman.authentication.v1.AuthenticationService/GetJwks"),
            ("GET", "/tasks/{id}", "/taskman.task.v1.TaskService/GetTask"),
            ("GET", "/api/v1/projects/{project_id}/tasks", "/taskman.task.v1.TaskService/ListTasks"),
            ("PUT", "/api/v1/iam/users/{user_id}/roles/{role_id}", "/taskman.iam.v1.IAMAdminService/AssignRoleToUser"),
        ] {
            assert_eq!(find(verb, path).map(|row| row.method.as_str()), Some(method), "{verb} {path}");
        }
        let get_task = find("GET", "/api/v1/tasks/{id}").unwrap();
        assert_eq!((get_task.permission.as_str(), get_task.limit.as_str()), ("tasks:view tasks/{id}", "read"));
        assert_eq!((get_task.upstream, get_task.version.as_str()), ("task", "version"));
    }

    #[test]
    fn no_fleet_method_is_in_the_table_and_every_other_is() {
        let methods = Methods::load();
        let rows = routes(&Config::default(), &methods).unwrap();
        for method in methods.iter() {
            let open = method.exposure() != Exposure::Fleet;
            assert_eq!(rows.iter().any(|row| row.method == method.path), open, "{}", method.path);
        }
    }
}
