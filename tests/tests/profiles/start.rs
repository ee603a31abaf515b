//! One start: the driver starts the server, the server becomes ready, takes two rows, reports its settings, and stops.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use soak_engine::load::Progress;
use soak_engine::residue::Register;
use soak_engine::target::{Batch, Client, Driver, Target};
use soak_engine::{ContainerDriver, Image, ProcessDriver, Program, When, verified};
use soak_record::{EventKind, RunFolder};
use soak_scenario::{Launch, Plan, Request, load_text};

use crate::knobs::Set;

/// A start takes less, also of a large server on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A call, the first of which may create an index.
const CALL: Duration = Duration::from_secs(60);

/// Some servers apply a setting a moment after they answer.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);

const SCENARIO: &str = r#"
name = "start"
title = "Started, asked, and stopped"
[workload]
vectors_per_cycle = 2
clear = "rows"
[criteria]
[cycle]
count = 4
"#;

/// How many of the rows are put.
const ROWS: u32 = 2;

static STARTED: AtomicU32 = AtomicU32::new(0);

/// The register of one start, closed whatever becomes of it.
struct Registered(Option<Register>);

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(register) = self.0.take() {
            register.close();
        }
    }
}

fn plan(profile: &str, target: &str, set: &Set) -> Plan {
    let text = format!("{SCENARIO}\n[target]\nprofile = \"{profile}\"\n");
    let edits = [format!("matrix={{batch_rows=[{ROWS}],{}}}", set.matrix)];
    let request = Request { target: Some(target), edits: &edits, ..Request::default() };
    load_text("start.toml", &text, &request).unwrap_or_else(|error| panic!("{profile}, {}: {error:?}", set.name)).plan
}

async fn driver(plan: &Plan, folder: RunFolder, run: String, register: Register) -> Box<dyn Driver> {
    match plan.target.launch.clone() {
        Launch::Process(path) => {
            Box::new(ProcessDriver::new(Program(path.into()), plan.clone(), folder, run, register))
        }
        Launch::Container(launch) => {
            let image = Image::provide(&launch).await.unwrap();
            Box::new(ContainerDriver::new(image, launch, plan.clone(), folder, run, register))
        }
        other => panic!("{other:?} is not started"),
    }
}

/// Starts a server by a profile with these settings, and stops it again. An error says what went wrong.
pub(crate) async fn start(profile: &str, target: &str, set: &Set) -> Result<(), String> {
    let plan = plan(profile, target, set);
    let scratch = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(Path::new(&scratch.path().join("run")), &plan).unwrap();
    let run = format!("profiles-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
    let register = Register::open(&run).unwrap();
    let _registered = Registered(Some(register.clone()));
    let driver = driver(&plan, folder, run, register).await;
    let started = driver.start(0, &plan.variants[0]).await.map_err(|error| error.to_string())?;
    let asked = ask(&plan, &started).await;
    started.stop().await;
    asked
}

async fn ask(plan: &Plan, target: &Arc<dyn Target>) -> Result<(), String> {
    let control = target.control();
    let mut last = String::new();
    let ready = async {
        while let Err(error) = control.ready().await {
            last = error.to_string();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        ended = target.ended() => {
            return Err(format!("the server ended ({}): {}", ended.how, ended.last_lines.join(" | ")));
        }
        ready = tokio::time::timeout(READY_WITHIN, ready) => ready.map_err(|_| ())
    }
    .map_err(|()| format!("not ready within {READY_WITHIN:?}: {last}"))?;
    settings(plan, target, When::Boot).await?;
    let client = target.client();
    tokio::time::timeout(CALL, put(&*client)).await.map_err(|_| "a put was not answered".to_owned())??;
    settings(plan, target, When::Data).await
}

async fn put(client: &dyn Client) -> Result<(), String> {
    let (mut sender, mut acks) =
        client.open_put(Progress::default()).await.map_err(|error| format!("a put stream: {error}"))?;
    let batch = Batch { first: 0, rows: ROWS, version: 0 };
    sender.send(batch).await.map_err(|error| format!("a batch: {error}"))?;
    sender.finish();
    let first = acks.next().await.map_err(|error| format!("a batch: {error}"))?;
    match first.and_then(|ack| ack.refused) {
        Some(refused) => Err(format!("rows were refused: {}", refused.why)),
        None => Ok(()),
    }
}

/// Settings that the server reports, against those that it was given.
async fn settings(plan: &Plan, target: &Arc<dyn Target>, when: When) -> Result<(), String> {
    let began = tokio::time::Instant::now();
    loop {
        let read = target.probe().knobs().await.map_err(|error| format!("the settings: {error}"))?;
        let events = verified(&plan.target.profile, &plan.variants[0].knobs, &read, when);
        let wrong = events.into_iter().filter_map(|event| match event {
            EventKind::Attested { knob, requested, effective, holds: Some(false), .. } => {
                Some(format!("{knob} is {effective:?}, and {requested} was asked for"))
            }
            _ => None,
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() {
            return Ok(());
        }
        if began.elapsed() > APPLIED_WITHIN {
            return Err(wrong.join("; "));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
