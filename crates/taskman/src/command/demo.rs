//! `taskman demo`: plays the story against a running fleet.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

use crate::command::up::Announcement;
use crate::story::{Stage, Step, Told, play};

/// The arguments of `taskman demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where `taskman up` runs.
    #[arg(long, default_value = ".dev")]
    dir: PathBuf,
}

/// The longest answer that is shown whole.
const SHOWN: usize = 400;

/// Plays the story.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = Announcement::file(&arguments.dir);
    let text = std::fs::read(&file).context("no fleet is running here; start one with `make dev`")?;
    let announcement: Announcement = serde_json::from_slice(&text)?;
    taskman_chassis::install_crypto();
    let stage = Stage::new(&announcement.gateway_url, &announcement.mail_url);
    let mut narrator = Narrator::default();
    let mut tell = |told| narrator.tell(told);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(play(&stage, &mut tell))?;
    narrator.end();
    Ok(())
}

#[derive(Default)]
struct Narrator {
    steps: Vec<(String, String)>,
}

#[expect(clippy::print_stdout, reason = "the story is what was asked for")]
impl Narrator {
    fn tell(&mut self, told: Told) {
        match told {
            Told::Step(step) => self.step(&step),
            Told::Mail { to, subject } => println!("   mail to {to}: {subject}\n"),
            Told::Trail(trail) => {
                println!("   The trail of events that the requests left:");
                for (id, request) in &self.steps {
                    if let Some(events) = trail.get(id) {
                        println!("     {request:<58} {}", events.join(", "));
                    }
                }
                println!();
            }
        }
    }

    fn step(&mut self, step: &Step) {
        println!("{}. {}", self.steps.len() + 1, step.title);
        println!("   {}{}", step.request, step.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default());
        println!("   {} {}\n", step.status, shortened(&step.answer));
        self.steps.push((step.request_id.clone(), step.request.clone()));
    }

    fn end(&self) {
        println!("All {} steps went as they should.", self.steps.len());
    }
}

fn shortened(answer: &Value) -> String {
    if answer.is_null() {
        return String::new();
    }
    let text = answer.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}
