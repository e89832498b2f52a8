//! The eight services as eight processes: the same story, and a death between commit and publish.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use taskman_devstack::{Process, Profile, RabbitMq};
use taskman_taskman::fleet::{Options, Stores};
use taskman_taskman::keys::SERVICES;
use taskman_taskman::story::{Told, play};
use taskman_testkit::Space;

use crate::fleet::{every_event_is_audited_once, options, stage, unpublished, wait_long};

/// How long a process may take to end after SIGTERM: each of the three parts of its end has ten seconds.
const END: Duration = Duration::from_secs(40);

/// The ports that a process was told to take.
struct Ports {
    calls: u16,
    admin: u16,
}

/// Eight processes.
struct Processes {
    options: Options,
    ports: BTreeMap<&'static str, Ports>,
    keys: tempfile::TempDir,
    running: BTreeMap<&'static str, Process>,
}

impl Processes {
    async fn start(options: Options) -> Self {
        let keys = tempfile::tempdir().unwrap();
        options.keys.write_files(keys.path()).unwrap();
        let free = free_ports(2 * SERVICES.len());
        let (calls, admin) = free.split_at(SERVICES.len());
        let pairs = calls.iter().zip(admin).map(|(calls, admin)| Ports { calls: *calls, admin: *admin });
        let ports = SERVICES.into_iter().zip(pairs).collect();
        let mut processes = Self { options, ports, keys, running: BTreeMap::new() };
        for service in SERVICES {
            processes.launch(service);
        }
        processes.ready().await;
        processes
    }

    /// Waits until each of them says that it is ready.
    async fn ready(&self) {
        for (service, process) in &self.running {
            let url = format!("http://127.0.0.1:{}/health/ready", self.ports[service].admin);
            wait_long(&format!("{service} to be ready"), || async {
                assert!(process.is_running(), "{service} ended by itself");
                let answer = reqwest::get(&url).await.ok()?;
                answer.status().is_success().then_some(())
            })
            .await;
        }
    }

    fn launch(&mut self, service: &'static str) {
        let binary = target_folder().join(format!("{service}-service"));
        assert!(binary.exists(), "{} is not built; `make test` builds every binary", binary.display());
        let Stores { postgres_url, database_prefix, redis_url, amqp_url, smtp_addr } = &self.options.stores;
        let database = match service {
            "authentication" => "auth_db",
            "authorization" => "authz_db",
            "iam-admin" => "iam_db",
            "user" => "user_db",
            "task" => "task_db",
            "audit" => "audit_db",
            _ => "notification_db",
        };
        let mut url = url::Url::parse(postgres_url).unwrap();
        url.set_path(&format!("{database_prefix}{database}"));
        let key = |kind: &str| self.keys.path().join(format!("{service}.{kind}")).display().to_string();
        let mut variables = vec![
            ("TASKMAN__SERVER__LISTEN".to_owned(), format!("127.0.0.1:{}", self.ports[service].calls)),
            ("TASKMAN__SERVER__ADMIN_LISTEN".to_owned(), format!("127.0.0.1:{}", self.ports[service].admin)),
            ("TASKMAN__DATABASE__URL".to_owned(), url.to_string()),
            ("TASKMAN__DATABASE__CREATE_DATABASE".to_owned(), "true".to_owned()),
            ("TASKMAN__REDIS__URL".to_owned(), redis_url.clone().unwrap()),
            ("TASKMAN__RABBITMQ__URL".to_owned(), amqp_url.clone()),
            ("TASKMAN__IDENTITY__FLEET_KEYS_FILE".to_owned(), key("fleet-keys")),
            ("TASKMAN__IDENTITY__SECRET_KEY_FILE".to_owned(), key("secret-key")),
            ("TASKMAN__LIMITS__OFF".to_owned(), "true".to_owned()),
            ("TASKMAN__TELEMETRY__LOG".to_owned(), "error".to_owned()),
        ];
        for (peer, ports) in &self.ports {
            let name = format!("TASKMAN__UPSTREAMS__{}", peer.to_uppercase());
            variables.push((name, format!("http://127.0.0.1:{}", ports.calls)));
        }
        if service == "notification" {
            variables.push(("TASKMAN__SERVICE__SMTP__URL".to_owned(), format!("smtp://{smtp_addr}")));
        }
        let mut command = Process::command(&binary);
        command.envs(variables).stdout(std::process::Stdio::null());
        self.running.insert(service, Process::spawn(command).unwrap());
    }

    fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports["gateway"].calls)
    }

    /// Ends all, first the gateway, and makes sure that each ends in order and says so.
    async fn stop(mut self) {
        let gateway = self.running.remove("gateway").unwrap();
        gateway.terminate();
        ended_well("gateway", &gateway).await;
        for process in self.running.values() {
            process.terminate();
        }
        for (service, process) in &self.running {
            ended_well(service, process).await;
        }
    }
}

async fn ended_well(service: &str, process: &Process) {
    assert!(process.ends_within(END).await, "{service} does not end");
    let status = process.wait().await;
    assert!(status.success(), "{service} ended with {status}");
}

/// Finds ports that are free now; the processes take them before anybody else does.
fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

/// Returns the folder of the built binaries: this test runs from `deps` beside them.
fn target_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).map(Path::to_owned).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_play_the_story() {
    let space = Space::new().await;
    let processes = Processes::start(options(&space)).await;
    play(&stage(&space, &processes.gateway_url()), &mut |_: Told| {}).await.unwrap();
    every_event_is_audited_once(&processes.options.stores).await;
    processes.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_although_its_service_died_between_commit_and_publish() {
    let space = Space::new().await;
    let folder = tempfile::tempdir().unwrap();
    let mut broker = RabbitMq::start(folder.path(), Profile::Test).await.unwrap();
    let mut options = options(&space);
    options.stores.amqp_url = broker.url();
    let mut processes = Processes::start(options).await;
    let outcome = play(&stage(&space, &processes.gateway_url()), &mut |_: Told| {}).await.unwrap();
    let client = reqwest::Client::new();
    let login = json!({"email": outcome.admin_email, "password": outcome.admin_password});
    let url = format!("{}/auth/login", processes.gateway_url());
    let session: Value = client.post(url).json(&login).send().await.unwrap().json().await.unwrap();

    // The broker is away, so what is committed cannot be published; then the service is killed.
    broker.kill().await;
    let url = format!("{}/api/v1/projects/{}/tasks", processes.gateway_url(), outcome.project_id);
    let task = json!({"title": "Survive"});
    let created =
        client.post(url).bearer_auth(session["access_token"].as_str().unwrap()).json(&task).send().await.unwrap();
    assert_eq!(created.status(), StatusCode::CREATED);
    assert!(unpublished(&processes.options.stores, "task_db").await >= 1, "nothing waits to be published");
    drop(processes.running.remove("task").unwrap()); // kills it

    broker.restart().await.unwrap();
    processes.launch("task");
    processes.ready().await;
    wait_long("the outbox to be empty", || async {
        (unpublished(&processes.options.stores, "task_db").await == 0).then_some(())
    })
    .await;
    every_event_is_audited_once(&processes.options.stores).await;
    processes.stop().await;
}
