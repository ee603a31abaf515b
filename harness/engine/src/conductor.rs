//! The conductor: lets faults begin when they are due, holds them, heals them, and watches the way back, while the phase's own work goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use soak_record::{EventKind, Phase, Stage};
use soak_scenario::{Fault, FaultPhase, Plan, Variant};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fault::Guard;
use crate::journal::Journal;
use crate::load::Books;
use crate::machine::Step;
use crate::sampler::Latest;
use crate::target::{CallError, Reading, Target, within};

/// How often a condition is looked at, and an answer asked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is not as it was right after healing may still be on its way back.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// A guard that does not show or heal within this time never will.
const GUARD_WITHIN: Duration = Duration::from_secs(60);

/// More tasks than before by so many are the harness's own calls.
const TASKS_NEAR: f64 = 2.0;

/// What the phase's own work has to know of the faults around it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disturbance {
    /// Faults that are due in this phase and not over.
    pending: Arc<AtomicU32>,
    /// Whether one was on in this phase.
    touched: Arc<AtomicBool>,
}

impl Disturbance {
    /// Whether the phase's load has to go on.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst) > 0
    }

    /// Whether a fault was on since the phase began: liveness is not asked for then.
    pub(crate) fn touched(&self) -> bool {
        self.touched.load(Ordering::SeqCst)
    }
}

/// A fault of this step.
struct Due {
    name: String,
    fault: Fault,
    begins: Instant,
    timed: bool,
}

type Held = Arc<Mutex<BTreeMap<u32, Box<dyn Guard>>>>;

/// The conductor of a variant.
pub(crate) struct Conductor {
    plan: Plan,
    variant: Variant,
    journal: Journal,
    target: Arc<dyn Target>,
    books: Arc<Books>,
    latest: Latest,
    started: Instant,
    /// Names of timed faults that have begun.
    begun: Mutex<Vec<String>>,
    next: AtomicU32,
    /// Guards of faults that are on: healed at the end of their hold, or when the variant ends.
    held: Held,
    disturbance: Disturbance,
    /// Whether a fault was on since the cycle began.
    in_cycle: AtomicBool,
    /// Whether the phase's own work is over.
    work: watch::Sender<bool>,
}

impl Conductor {
    pub(crate) fn new(
        plan: &Plan,
        variant: &Variant,
        journal: &Journal,
        target: &Arc<dyn Target>,
        (books, latest): (&Arc<Books>, &Latest),
    ) -> Self {
        Self {
            plan: plan.clone(),
            variant: variant.clone(),
            journal: journal.clone(),
            target: Arc::clone(target),
            books: Arc::clone(books),
            latest: latest.clone(),
            started: Instant::now(),
            begun: Mutex::default(),
            next: AtomicU32::new(0),
            held: Held::default(),
            disturbance: Disturbance::default(),
            in_cycle: AtomicBool::new(false),
            work: watch::Sender::new(false),
        }
    }

    /// What the phase's own work has to know.
    pub(crate) fn disturbance(&self) -> Disturbance {
        self.disturbance.clone()
    }

    /// When the variant's target was there.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Whether a fault was on since the cycle began.
    pub(crate) fn was_disturbed(&self) -> bool {
        self.in_cycle.load(Ordering::SeqCst)
    }

    /// The phase's own work is over, as far as it is up to it.
    pub(crate) fn work_is_over(&self) {
        self.work.send_replace(true);
    }

    /// Conducts a step: returns when every fault that is due in it has been healed and watched.
    pub(crate) async fn conduct(&self, step: Step) {
        let due = self.due(step);
        self.work.send_replace(false);
        self.disturbance.touched.store(false, Ordering::SeqCst);
        if step.phase == Phase::Ingest {
            self.in_cycle.store(false, Ordering::SeqCst);
        }
        self.disturbance.pending.store(due.len() as u32, Ordering::SeqCst);
        if due.is_empty() {
            return;
        }
        // Both the level before and the one to come back to are collected ones: garbage is no memory of a fault.
        self.collect().await;
        let due: Vec<(Due, u64)> = due.into_iter().map(|due| (due, self.books.stages.begin(true))).collect();
        join_all(due.into_iter().map(|(due, before)| async move {
            let (name, cycle) = (due.name.clone(), step.cycle);
            if let Err(reason) = self.one(due, step, before).await {
                self.journal.event(EventKind::FaultSkipped { fault: name, cycle, reason });
            }
            // One that did not begin has a stage that nobody asks for; the others are compared with what comes now.
            self.books.stages.end(before);
            self.books.stages.restart_waiting();
            self.disturbance.pending.fetch_sub(1, Ordering::SeqCst);
        }))
        .await;
    }

    /// Heals whatever is on: the variant ends.
    pub(crate) async fn heal_all(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        // The newest first.
        for (id, guard) in held.into_iter().rev() {
            let error = healed(guard).await.err();
            self.journal.event(EventKind::FaultHealed { id, held_s: 0.0, error });
        }
    }

    /// What is due in a step.
    fn due(&self, step: Step) -> Vec<Due> {
        let (Some(cycle), Some(phase)) = (step.cycle, with_load(step.phase)) else { return Vec::new() };
        let now = Instant::now();
        let regular = self.plan.due(&self.variant, cycle).into_iter().filter(|due| due.phase == phase);
        let mut due: Vec<Due> = regular
            .map(|due| Due {
                name: due.name.to_owned(),
                fault: due.fault.clone(),
                begins: now + due.after.0,
                timed: false,
            })
            .collect();
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let timed =
            self.plan.due_at(&self.variant).into_iter().filter(|(name, _, _)| !begun.iter().any(|known| known == name));
        due.extend(timed.map(|(name, fault, at)| Due {
            name: name.to_owned(),
            fault: fault.clone(),
            begins: (self.started + at.0).max(now),
            timed: true,
        }));
        due
    }

    /// One fault from its moment to the end of the watch. An error says why it did not begin.
    async fn one(&self, due: Due, step: Step, before_stage: u64) -> Result<(), String> {
        if !self.has_begun(&due, step).await? {
            return Ok(());
        }
        if due.timed {
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(due.name.clone());
        }
        self.healthy().await.map_err(|error| format!("the target was not healthy before it: {error}"))?;
        let before = self.target.condition().await;
        let tasks_before = self.latest.goroutines();
        let (seconds, summary) = self.books.stages.end(before_stage);
        self.disturbance.touched.store(true, Ordering::SeqCst);
        self.in_cycle.store(true, Ordering::SeqCst);
        let guard =
            self.target.inject(&due.fault.inject).await.map_err(|why| format!("it could not be injected: {why}"))?;
        // It is held from when it is on: some take a while to build up.
        let on = Instant::now();
        let during = self.books.stages.begin(false);
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(id, guard);
        let inject = &due.fault.inject;
        self.journal.event(EventKind::FaultApplied {
            id,
            fault: due.name.clone(),
            kind: inject.name().to_owned(),
            settings: inject.settings(),
            phase: step.phase,
            cycle: step.cycle,
        });
        self.journal.event(EventKind::FaultLoad { id, stage: Stage::Before, seconds, summary });
        sleep_until(on + due.fault.hold.0).await;
        self.heal(id, on, during).await;
        self.watch(id, due.fault.watch.0, &before, tasks_before.map(|(_, count)| count)).await;
        Ok(())
    }

    /// Waits for its moment and its condition. False when it stays for a later phase; an error when it never begins.
    async fn has_begun(&self, due: &Due, step: Step) -> Result<bool, String> {
        let mut work = self.work.subscribe();
        // The load of a query phase goes on until its faults are over; other phases end by themselves.
        let waits = step.phase == Phase::Query && !due.timed;
        tokio::select! {
            () = sleep_until(due.begins) => {}
            _ = work.wait_for(|over| *over), if !waits => {
                let after = due.begins.saturating_duration_since(Instant::now()).as_secs_f64();
                return if due.timed { Ok(false) } else { Err(format!("the phase was over {after:.1} s before it was due")) };
            }
        }
        let Some(condition) = due.fault.when else { return Ok(true) };
        loop {
            let read = self.latest.read(condition.of.series());
            if read.is_some_and(|value| condition.holds(value, self.latest.read("cgroup_limit_bytes"))) {
                return Ok(true);
            }
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                _ = work.wait_for(|over| *over) => {
                    return if due.timed { Ok(false) } else { Err(format!("`{condition}` never held while it was due")) };
                }
            }
        }
    }

    /// Shows that the fault took place, and takes it back.
    async fn heal(&self, id: u32, began: Instant, during: u64) {
        let guard = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // It was taken by the end of the variant.
        let Some(mut guard) = guard else { return };
        let shown = tokio::time::timeout(GUARD_WITHIN, guard.evidence()).await.unwrap_or_default();
        let figures = shown.figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.journal.event(EventKind::FaultShown { id, took_place: shown.took_place, words: shown.words, figures });
        let (seconds, summary) = self.books.stages.end(during);
        self.journal.event(EventKind::FaultLoad { id, stage: Stage::During, seconds, summary });
        let error = healed(guard).await.err();
        self.journal.event(EventKind::FaultHealed { id, held_s: began.elapsed().as_secs_f64(), error });
    }

    /// Watches the way back: the first answer, what the load sees, and whether all is as before.
    async fn watch(&self, id: u32, at_most: Duration, before: &[Reading], tasks_before: Option<f64>) {
        let healed = Instant::now();
        let after = self.books.stages.begin(false);
        let client = self.target.client();
        let first = loop {
            match within(self.plan.deadlines.call.0, client.is_indexed()).await {
                Ok(_) | Err(CallError::Refused(_)) => break Some(healed.elapsed().as_secs_f64()),
                Err(_) if healed.elapsed() >= at_most => break None,
                Err(_) => sleep(LOOK_EVERY).await,
            }
        };
        self.journal.event(EventKind::FirstAnswer { id, seconds: first });
        if first.is_some() {
            self.collect().await;
        }
        sleep_until(healed + at_most).await;
        let (seconds, summary) = self.books.stages.end(after);
        self.journal.event(EventKind::FaultLoad { id, stage: Stage::After, seconds, summary });
        let asked = Instant::now();
        let differences = loop {
            let mut differences = differences(before, &self.target.condition().await);
            differences.extend(self.more_tasks(tasks_before));
            // It was healthy before, or the fault would not have begun.
            differences.extend(self.healthy().await.err().map(|error| format!("health: ready before, after it: {error}")));
            if differences.is_empty() || asked.elapsed() >= BACK_WITHIN {
                break differences;
            }
            sleep(LOOK_EVERY * 5).await;
        };
        let mut compared: Vec<String> = before.iter().map(|reading| reading.name.to_owned()).collect();
        compared.push("health".to_owned());
        compared.extend(tasks_before.map(|_| "tasks".to_owned()));
        self.journal.event(EventKind::FaultResidue { id, compared, differences });
    }

    /// The health gate, before a fault and after it.
    async fn healthy(&self) -> Result<(), CallError> {
        within(self.plan.deadlines.call.0, self.target.control().ready()).await
    }

    async fn collect(&self) {
        // One that fails leaves garbage, and the verdict sees it.
        let _ = within(self.plan.deadlines.call.0, self.target.control().collect()).await;
    }

    fn more_tasks(&self, before: Option<f64>) -> Option<String> {
        let (before, (_, now)) = before.zip(self.latest.goroutines())?;
        (now > before + TASKS_NEAR).then(|| format!("tasks: {before:.0} before, {now:.0} after"))
    }
}

async fn healed(guard: Box<dyn Guard>) -> Result<(), String> {
    let healed = tokio::time::timeout(GUARD_WITHIN, guard.heal()).await;
    healed.unwrap_or_else(|_| {
        Err(format!("it did not heal within {} s; `soak heal` tries again", GUARD_WITHIN.as_secs()))
    })
}

/// What differs, in words.
fn differences(before: &[Reading], now: &[Reading]) -> Vec<String> {
    let different = |before: &Reading| {
        let Some(now) = now.iter().find(|now| now.name == before.name) else {
            return Some(format!("{}: {} before, unknown after", before.name, before.value));
        };
        let same = (now.value - before.value).abs() < 0.5 || (before.may_fall && now.value < before.value);
        (!same).then(|| format!("{}: {} before, {} after", before.name, before.value, now.value))
    };
    before.iter().filter_map(different).collect()
}

/// The phases in which a fault may begin.
fn with_load(phase: Phase) -> Option<FaultPhase> {
    match phase {
        Phase::Ingest => Some(FaultPhase::Ingest),
        Phase::Index => Some(FaultPhase::Index),
        Phase::Query => Some(FaultPhase::Query),
        Phase::Delete => Some(FaultPhase::Delete),
        Phase::Compact => Some(FaultPhase::Compact),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_before_is_told() {
        let reading = |name, value, may_fall| Reading { name, value, may_fall };
        let before = [reading("limit", 100.0, false), reading("connections", 3.0, true)];
        assert_eq!(differences(&before, &before), Vec::<String>::new());
        let fewer = [reading("limit", 100.0, false), reading("connections", 1.0, true)];
        assert_eq!(differences(&before, &fewer), Vec::<String>::new());
        let changed = [reading("limit", 60.0, false)];
        assert_eq!(
            differences(&before, &changed),
            ["limit: 100 before, 60 after", "connections: 3 before, unknown after"]
        );
    }
}
