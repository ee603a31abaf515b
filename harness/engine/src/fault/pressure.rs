//! Memory that somebody else takes inside the target's control group: a process of the harness's own that holds anonymous memory, page cache or
//! files in memory there, and is never the kernel's victim in the target's place.

mod holder;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use soak_scenario::Injection;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{Changes, Evidence, Guard, Levers};
use crate::driver::{Controller, Group, die_with_parent, enter};
use crate::residue::{Process, RUN_VARIABLE, Residue};
use crate::sampler::proc;
use crate::target::Values;

pub use holder::{Kind, hold};

/// How often a balloon looks how much room there is.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// How often pages that are held are used, so that the kernel does not take them back.
const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// It grows and shrinks by no more than this between two looks, so that it does not overshoot.
const STEP_BYTES: f64 = 32.0 * 1_048_576.0;

/// Room that differs from what was asked for by less than this is what was asked for.
const NEAR_BYTES: f64 = 8.0 * 1_048_576.0;

/// The kernel picks a process with this before all others.
const FIRST: &str = "1000";

/// How long its process may take to be there, and to say why it is not.
const BEGUN_WITHIN: Duration = Duration::from_secs(10);
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// How long a pressure may take to build up.
const BUILT_WITHIN: Duration = Duration::from_secs(20);

/// Takes memory in the target's control group.
pub(super) async fn inject(levers: &dyn Levers, injection: &Injection) -> Result<Box<dyn Guard>, String> {
    let group = levers.own_group(Controller::Memory)?;
    let limit = group.limit_bytes().ok_or("the target's control group has no memory limit")? as f64;
    let reach = levers.reach();
    let (kind, target) = match injection {
        Injection::Balloon { keep } => (Kind::Anonymous, Aim::Keep(keep.under(limit))),
        Injection::PageCache { size } => (Kind::PageCache, Aim::Hold(size.under(limit))),
        Injection::Tmpfs { size } => (Kind::SharedMemory, Aim::Hold(size.under(limit))),
        _ => return Err(format!("{} takes no memory", injection.name())),
    };
    reach.register.note(&Residue::Processes)?;
    let before = group.values();
    let holder = Holder::start(kind, &group, &reach.run, &reach.scratch).await?;
    let changes = let_the_target_be_the_victim(levers, &holder.0)?;
    let follow = tokio::spawn(follow(Arc::clone(&holder.0), group.clone(), limit, target));
    let pressure = Pressure { kind, aim: target, group, limit, before, holder, follow, changes };
    pressure.built().await?;
    Ok(Box::new(pressure))
}

/// The kernel picks the process that is easiest to spare. One that may not forbid itself to be picked lets the target be picked first.
fn let_the_target_be_the_victim(levers: &dyn Levers, holder: &Holder) -> Result<Changes, String> {
    let mut changes = Changes::new(levers.reach().world.clone());
    let score = |pid: u32| PathBuf::from(format!("/proc/{pid}/oom_score_adj"));
    if levers.reach().world.read(&score(holder.pid))? != holder::NEVER {
        for process in levers.processes().into_iter().filter_map(Process::of) {
            let set = changes.set_of(Some(process), &score(process.pid), FIRST);
            // One that has ended meanwhile is no victim.
            set.or_else(|why| if process.is_alive() { Err(why) } else { Ok(()) })?;
        }
    }
    Ok(changes)
}

/// What a pressure aims at.
#[derive(Debug, Clone, Copy)]
enum Aim {
    /// So much free below the limit.
    Keep(f64),
    /// So much held.
    Hold(f64),
}

/// The process that holds the memory, as the one who wants it held has it: dropped, it is killed, even while it is being asked something.
struct Held(Arc<Holder>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The process that holds the memory, spoken to over its standard input and output. Waited for when dropped.
struct Holder {
    pid: u32,
    child: Mutex<Child>,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    /// Bytes that it said it holds.
    held: Mutex<f64>,
}

impl Holder {
    /// Starts it, and waits until it says that it is there. It dies with the thread that starts it, so that is none that comes and goes.
    async fn start(kind: Kind, group: &Group, run: &str, scratch: &Path) -> Result<Held, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let mut command = Command::new(program);
        command.arg("pressure").arg(kind.name()).arg(scratch).env(RUN_VARIABLE, run);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with_parent(&mut command);
        enter(&mut command, group.door()?);
        let mut child =
            command.spawn().map_err(|error| format!("the pressure's process cannot be started: {error}"))?;
        let (Some(ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the pressure's process has no pipes".to_owned());
        };
        let holder = Held(Arc::new(Self {
            pid: child.id(),
            child: Mutex::new(child),
            talk: Mutex::new((ask, BufReader::new(answer))),
            held: Mutex::new(0.0),
        }));
        let asked = Arc::clone(&holder.0);
        let answer = tokio::task::spawn_blocking(move || asked.ask(0.0));
        let why = match timeout(BEGUN_WITHIN, answer).await {
            Ok(Ok(Ok(_))) => return Ok(holder),
            Ok(Ok(Err(why))) => why,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it does not answer within {} s", BEGUN_WITHIN.as_secs()),
        };
        holder.0.kill();
        let said = Arc::clone(&holder.0);
        let words = timeout(LAST_WORDS_WITHIN, tokio::task::spawn_blocking(move || said.last_words())).await;
        let words = words.ok().and_then(Result::ok).unwrap_or_default();
        Err(format!("the pressure's process could not begin: {why}{words}"))
    }

    fn kill(&self) {
        // One that has ended already needs no signal.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Asks it to hold so many bytes; what it holds then.
    fn ask(&self, bytes: f64) -> Result<f64, String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (ask, answer) = &mut *talk;
        let gone = |error: &dyn std::fmt::Display| format!("it does not answer: {error}");
        writeln!(ask, "{}", bytes.max(0.0) as u64).map_err(|error| gone(&error))?;
        let mut line = String::new();
        answer.read_line(&mut line).map_err(|error| gone(&error))?;
        let held: f64 = line.trim().parse().map_err(|_| gone(&"it ended"))?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(held)
    }

    fn held(&self) -> f64 {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it said last; it was killed.
    fn last_words(&self) -> String {
        let said = self.child.lock().unwrap_or_else(PoisonError::into_inner).stderr.take();
        let mut words = String::new();
        if let Some(mut said) = said {
            let _ = std::io::Read::read_to_string(&mut said, &mut words);
        }
        if words.trim().is_empty() { String::new() } else { format!(" ({})", words.trim()) }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended already is waited for all the same.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Keeps the pressure where it should be, for as long as it is on.
async fn follow(holder: Arc<Holder>, group: Group, limit: f64, aim: Aim) {
    loop {
        let held = holder.held();
        // What is held once need not be looked at so often: its pages are read each time.
        let reached = matches!(aim, Aim::Hold(bytes) if held + NEAR_BYTES >= bytes);
        sleep(if reached { REFRESH_EVERY } else { FOLLOW_EVERY }).await;
        let wanted = match aim {
            Aim::Hold(bytes) => bytes,
            Aim::Keep(keep) => match working_set(&group.values()) {
                Some(working_set) => held + (limit - working_set - keep),
                None => continue,
            },
        };
        let wanted = wanted.clamp(held - STEP_BYTES, held + STEP_BYTES).max(0.0);
        let asked = Arc::clone(&holder);
        // It answers when it has done so, which under pressure may take a while.
        let answered = tokio::task::spawn_blocking(move || asked.ask(wanted)).await;
        if !matches!(answered, Ok(Ok(_))) {
            return;
        }
    }
}

fn working_set(values: &Values) -> Option<f64> {
    value(values, "cgroup_working_set_bytes")
}

fn value(values: &Values, name: &str) -> Option<f64> {
    values.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
}

struct Pressure {
    kind: Kind,
    aim: Aim,
    group: Group,
    limit: f64,
    before: Values,
    holder: Held,
    follow: JoinHandle<()>,
    /// Who the kernel would pick.
    changes: Changes,
}

impl Pressure {
    /// Waits until it has built up; a target that dies of it meanwhile is told elsewhere.
    async fn built(&self) -> Result<(), String> {
        let began = Instant::now();
        while began.elapsed() < BUILT_WITHIN {
            if self.follow.is_finished() {
                return Err("the pressure's process ended while it built up".to_owned());
            }
            let reached = match self.aim {
                Aim::Hold(bytes) => self.holder.0.held() + NEAR_BYTES >= bytes,
                Aim::Keep(keep) => self.room().is_some_and(|room| room <= keep + NEAR_BYTES),
            };
            if reached {
                return Ok(());
            }
            sleep(FOLLOW_EVERY).await;
        }
        // What was reached is told by the evidence.
        Ok(())
    }

    /// What is free below the limit.
    fn room(&self) -> Option<f64> {
        working_set(&self.group.values()).map(|working_set| self.limit - working_set)
    }
}

#[async_trait]
impl Guard for Pressure {
    async fn evidence(&mut self) -> Evidence {
        let mib = |bytes: f64| bytes / 1_048_576.0;
        let now = self.group.values();
        let grown = |name| Some(value(&now, name)? - value(&self.before, name).unwrap_or(0.0));
        match self.aim {
            Aim::Keep(keep) => {
                // Its own memory as the kernel counts it, not as it says.
                let held = proc::process(&self.holder.0.pid.to_string());
                let held = held.iter().find(|(name, _)| *name == "rss_anon_bytes").map_or(0.0, |(_, bytes)| *bytes);
                let room = self.room();
                let took_place = held >= 1_048_576.0 && room.is_some_and(|room| room <= 1.5 * keep + NEAR_BYTES);
                let left = room.map_or_else(|| "an unknown rest".to_owned(), |room| format!("{:.0} MiB", mib(room)));
                let words = format!(
                    "the balloon holds {:.0} MiB and leaves {left} below the limit of {:.0} MiB",
                    mib(held),
                    mib(self.limit)
                );
                let figures = std::iter::once(("balloon_bytes", held)).chain(room.map(|room| ("room_bytes", room)));
                Evidence { took_place, words, figures: figures.collect() }
            }
            Aim::Hold(wanted) => {
                let (name, what) = match self.kind {
                    Kind::SharedMemory => ("cgroup_shmem_bytes", "shared memory"),
                    _ => ("cgroup_file_bytes", "page cache"),
                };
                let charged = grown(name).unwrap_or(0.0);
                let words = format!(
                    "the target's group is charged with {:.0} MiB more of {what} than before, of {:.0} MiB asked for",
                    mib(charged),
                    mib(wanted)
                );
                Evidence { took_place: charged >= 0.5 * wanted, words, figures: vec![("charged_bytes", charged)] }
            }
        }
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.follow.abort();
        let changed_back = self.changes.heal();
        // Dropping the holder kills it; a call that is under way ends with it.
        let pid = self.holder.0.pid;
        let holder = Arc::clone(&self.holder.0);
        drop(self);
        let killed = tokio::task::spawn_blocking(move || {
            let mut child = holder.child.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = child.kill();
            child.wait().map(|_| ())
        });
        match killed.await {
            Ok(Ok(())) => changed_back,
            _ => Err(format!("process {pid}, which held the memory, cannot be ended; `soak heal` tries again")),
        }
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        self.follow.abort();
    }
}
