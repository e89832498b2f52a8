//! The configuration of a service: defaults, then a file, then the environment; unknown keys are refused.
//!
//! Environment variables are `TASKMAN__<SECTION>__<KEY>`, such as `TASKMAN__DATABASE__URL`. With `_FILE` behind it, the
//! variable names a file that holds the value: that is how secrets come from Vault or Kubernetes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use taskman_rpc::server::ServerOptions;

const PREFIX: &str = "TASKMAN__";
const FILE_SUFFIX: &str = "_FILE";

/// Everything that a service is told at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "C: DeserializeOwned + Default"))]
pub struct Config<C> {
    /// The ports, and how much work is taken on.
    #[serde(default)]
    pub server: ServerConfig,
    /// The database. Without a URL a service that needs one does not start.
    #[serde(default)]
    pub database: taskman_postgres::Config,
    /// Redis; the service works without it, slower.
    #[serde(default)]
    pub redis: taskman_cache::Config,
    /// Rate limits.
    #[serde(default)]
    pub limits: taskman_limits::Quotas,
    /// RabbitMQ.
    #[serde(default)]
    pub rabbitmq: taskman_messaging::Config,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// Tokens and the keys between services.
    #[serde(default)]
    pub identity: IdentityConfig,
    /// Where the other services are: name and `http://host:port`.
    #[serde(default)]
    pub upstreams: BTreeMap<String, String>,
    /// What only this service has to be told.
    #[serde(default)]
    pub service: C,
}

/// The ports of a service, and how much work it takes on.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address for calls; port 0 means any free one. Empty: the service's usual port on loopback.
    pub listen: String,
    /// The address for health and metrics. Empty: the usual port and 1 000.
    pub admin_listen: String,
    /// How many calls at once, and for how long.
    pub limits: ServerOptions,
    /// After SIGTERM, how long calls are still accepted so that load balancers learn of the end, in milliseconds.
    pub drain_delay_ms: u64,
    /// How long running calls, consumers and the relay may take to finish, in milliseconds.
    pub drain_timeout_ms: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: String::new(),
            admin_listen: String::new(),
            limits: ServerOptions::default(),
            drain_delay_ms: 0,
            drain_timeout_ms: 10_000,
        }
    }
}

/// Logs and traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// What is logged, in the syntax of `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// The OTLP endpoint for traces, `http://host:4317`; none means no traces leave the process.
    pub otlp_endpoint: Option<String>,
    /// The share of new traces that is kept, 0 to 1.
    pub sample_ratio: f64,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log: "info,opentelemetry=off,lapin::returned_messages=off,lapin::channels=off".to_owned(),
            otlp_endpoint: None,
            sample_ratio: 0.1,
        }
    }
}

/// Tokens and the keys between services.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// The `iss` of access tokens.
    pub issuer: String,
    /// The `aud` of access tokens.
    pub audience: String,
    /// The secret of HS256 where tokens are signed with it; at least 32 bytes. Without it keys are asymmetric and their
    /// public halves are fetched.
    pub hs256_secret: Option<SecretString>,
    /// The voucher keys of this service, as `taskman keys fleet` prints them.
    pub fleet_keys: Option<SecretString>,
    /// The service's own secret, 32 bytes in base64: what is sealed at rest is sealed with keys made from it. The same
    /// for all replicas.
    pub secret_key: Option<SecretString>,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            issuer: "https://taskman.dev".to_owned(),
            audience: "taskman".to_owned(),
            hs256_secret: None,
            fleet_keys: None,
            secret_key: None,
        }
    }
}

/// Why there is no configuration. The text names keys and files, never values.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A key is unknown, or its value is not of its type.
    #[error("{0}")]
    Content(String),
    /// Something that has no default is missing.
    #[error("{0}")]
    Missing(&'static str),
}

impl<C: DeserializeOwned + Default> Config<C> {
    /// Reads `file`, if given, and then `environment`.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            let text = read(&path.display().to_string())?;
            builder = builder.add_source(config::File::from_str(&text, config::FileFormat::Toml));
        }
        let variables = with_files(environment)?;
        let environment = config::Environment::with_prefix("TASKMAN")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(Some(variables));
        let tree = builder.add_source(environment).build().map_err(content)?;
        let mut config: Self = tree.try_deserialize().map_err(content)?;
        // A shell cannot export a name with a dash: iam_admin means iam-admin.
        config.upstreams = config.upstreams.into_iter().map(|(name, url)| (name.replace('_', "-"), url)).collect();
        Ok(config)
    }
}

impl<C: Default> Default for Config<C> {
    fn default() -> Self {
        Self {
            server: ServerConfig::default(),
            database: taskman_postgres::Config::default(),
            redis: taskman_cache::Config::default(),
            limits: taskman_limits::Quotas::default(),
            rabbitmq: taskman_messaging::Config::default(),
            telemetry: TelemetryConfig::default(),
            identity: IdentityConfig::default(),
            upstreams: BTreeMap::new(),
            service: C::default(),
        }
    }
}

/// Returns the `TASKMAN__…` variables of this process. What other programs are told need not even be text.
pub fn environment() -> Result<Vec<(String, String)>, ConfigError> {
    let ours = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    ours.map(|(name, value)| match (name.into_string(), value.into_string()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        (Ok(name), Err(_)) => Err(ConfigError::Content(format!("the value of {name} is not UTF-8"))),
        (Err(name), _) => {
            Err(ConfigError::Content(format!("the name of the variable {} is not UTF-8", name.display())))
        }
    })
    .collect()
}

/// Keeps our variables, and replaces those that name a file by what the file holds.
fn with_files(environment: impl IntoIterator<Item = (String, String)>) -> Result<HashMap<String, String>, ConfigError> {
    let ours = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX));
    ours.map(|(name, value)| match name.strip_suffix(FILE_SUFFIX) {
        Some(bare) => Ok((bare.to_owned(), read(&value)?.trim_end().to_owned())),
        None => Ok((name, value)),
    })
    .collect()
}

fn read(path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })
}

/// The library repeats a value that it cannot parse; a value may be a secret, so only the key is told.
fn content(error: config::ConfigError) -> ConfigError {
    ConfigError::Content(match error {
        config::ConfigError::Type { key, expected, .. } => {
            format!("`{}` must be {expected}", key.unwrap_or_default())
        }
        config::ConfigError::At { error, key, .. } => {
            format!("{} (at `{}`)", content(*error), key.unwrap_or_default())
        }
        config::ConfigError::FileParse { .. } => "the file is not TOML".to_owned(),
        config::ConfigError::NotFound(key) => format!("`{key}` is missing"),
        config::ConfigError::Message(message) => without_value(&message),
        _ => "the configuration cannot be read".to_owned(),
    })
}

/// Keeps of serde's text the names of keys and types; of a text that is not serde's own, nothing.
fn without_value(message: &str) -> String {
    const ABOUT_VALUES: [&str; 4] = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    if let Some((key, _)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        return format!("unknown field `{key}`");
    }
    // The value stands in front of the last `expected`: what stands behind it is from the program.
    match message.rsplit_once(", expected ") {
        Some((value, expected)) if ABOUT_VALUES.iter().any(|start| value.starts_with(start)) => {
            format!("expected {expected}")
        }
        _ => "the value is not valid".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Own {
        color: String,
    }

    fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config<Own>, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, file.unwrap_or_default()).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(file.map(|_| path.as_path()), variables)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let file = "[service]\ncolor = 'blue'\n[server]\nlisten = '127.0.0.1:1'";
        let config = load(Some(file), &[("TASKMAN__SERVER__LISTEN", "127.0.0.1:2"), ("PATH", "/bin")]).unwrap();
        assert_eq!((config.service.color.as_str(), config.server.listen.as_str()), ("blue", "127.0.0.1:2"));
        assert_eq!(config.server.limits.concurrency, 512);
    }

    #[test]
    fn unknown_keys_are_refused_wherever_they_stand() {
        assert!(load(Some("[service]\ncolour = 'blue'"), &[]).unwrap_err().to_string().contains("colour"));
        assert!(load(None, &[("TASKMAN__SERVER__LISTENN", "x")]).unwrap_err().to_string().contains("listenn"));
        assert!(load(None, &[("TASKMAN__SERVICES__COLOR", "x")]).is_err());
    }

    #[test]
    fn a_secret_may_stand_in_a_file_and_is_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "postgres://u:hunter2@h/db\n").unwrap();
        let config = load(None, &[("TASKMAN__DATABASE__URL_FILE", path.to_str().unwrap())]).unwrap();
        assert_eq!(config.database.url.expose_secret(), "postgres://u:hunter2@h/db");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_service_with_a_dash_can_be_named_by_a_shell() {
        let config = load(None, &[("TASKMAN__UPSTREAMS__IAM_ADMIN", "http://h:1")]).unwrap();
        assert_eq!(config.upstreams["iam-admin"], "http://h:1");
    }

    #[test]
    fn a_wrong_value_is_not_repeated() {
        let error = load(None, &[("TASKMAN__SERVER__DRAIN_DELAY_MS", "hunter2")]).unwrap_err().to_string();
        assert!(error.contains("drain_delay_ms") && !error.contains("hunter2"), "{error}");
        let error = load(None, &[("TASKMAN__DATABASE", "postgres://u:pw@h/db")]).unwrap_err().to_string();
        assert!(error.contains("database") && !error.contains("pw"), "{error}");
        let error = load(None, &[("TASKMAN__DATABASE__MIGRATE", "hunter2")]).unwrap_err().to_string();
        assert!(error.contains("migrate") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_value_that_looks_like_a_message_is_not_repeated_either() {
        let message = r#"invalid type: string "pw, expected pw", expected struct Config"#;
        assert_eq!(without_value(message), "expected struct Config");
        assert_eq!(without_value("pw is no color, expected pw"), "the value is not valid");
    }
}
