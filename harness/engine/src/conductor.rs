//! The conductor: lets faults begin when they are due, holds them, heals them, and watches the way back, while the phase's own work goes on.

mod levers;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use soak_record::{EventKind, Phase, Stage};
use soak_scenario::{Fault, FaultPhase, Plan, Variant};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::fault::{Evidence, Guard};
use crate::journal::Journal;
use crate::load::Books;
use crate::machine::Step;
use crate::sampler::Latest;
use crate::target::{CallError, Reading, Target, within};
use crate::variant::StepError;
use levers::{Hold, InUse};

/// How often a condition is looked at, and an answer asked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is not as it was right after healing may still be on its way back.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Between the way back of a fault that was drawn and the next one: what that one is compared with.
const QUIET: Duration = Duration::from_secs(1);

/// A fault that is not on, shown or healed within this time never will be.
const GUARD_WITHIN: Duration = Duration::from_secs(60);

/// What a fault takes besides its hold and its watch, at most: it is put on, shown and taken back, and what is left of it may go.
pub(crate) const LONGEST_BESIDE_ITS_HOLD: Duration =
    Duration::from_secs(3 * GUARD_WITHIN.as_secs() + BACK_WITHIN.as_secs() + QUIET.as_secs());

/// More tasks than before by so many are the harness's own calls.
const TASKS_NEAR: f64 = 2.0;

/// What the phase's own work has to know of the faults around it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disturbance {
    /// Faults that are due in this phase and not over.
    pending: Arc<AtomicU32>,
    /// Of those, faults that wait for their condition.
    waiting: Arc<AtomicU32>,
    /// Faults that are on, or on their way back.
    on: Arc<AtomicU32>,
    /// Whether one was on in this phase.
    touched: Arc<AtomicBool>,
}

impl Disturbance {
    /// Whether the phase's load has to go on.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst) > 0
    }

    /// Whether a fault is on, or its way back is being watched: what breaks is tried again.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst) > 0
    }

    /// Whether nothing is due any more but what waits for its condition.
    fn only_waits(&self) -> bool {
        self.pending.load(Ordering::SeqCst) <= self.waiting.load(Ordering::SeqCst)
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
    /// Keeps the phase going until it is over. One that has its own time does not, before that comes.
    _pending: Option<Counted>,
}

/// Counts one more for as long as it lives.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn of(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a target is like with no fault on.
#[derive(Debug, Clone, Default)]
struct Calm {
    readings: Vec<Reading>,
    tasks: Option<f64>,
}

/// How a fault that was due ended, where it was not watched to the end.
enum Amiss {
    /// It did not begin.
    Skipped(String),
    /// The harness could not go on with the variant.
    Platform(String),
}

/// Guards of faults that are on, each with the moment since when.
type Held = Arc<Mutex<BTreeMap<u32, (Instant, Box<dyn Guard>)>>>;

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
    in_use: InUse,
    /// What was the case when last no fault was on: several at once share it.
    calm: tokio::sync::Mutex<Calm>,
    /// Faults that are being injected, held or healed.
    pressing: Arc<AtomicU32>,
    /// Whether a fault was on since the cycle began.
    in_cycle: AtomicBool,
    /// Whether one was on since the target's rows were last held against the ledger.
    unchecked: AtomicBool,
    /// How often the phase's own work was over.
    work: watch::Sender<u32>,
}

impl Conductor {
    pub(crate) fn new(
        plan: &Plan,
        variant: &Variant,
        journal: &Journal,
        target: &Arc<dyn Target>,
        (books, latest, disturbance): (&Arc<Books>, &Latest, Disturbance),
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
            disturbance,
            in_use: InUse::default(),
            calm: tokio::sync::Mutex::default(),
            pressing: Arc::default(),
            in_cycle: AtomicBool::new(false),
            unchecked: AtomicBool::new(false),
            work: watch::Sender::new(0),
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

    /// Whether a fault was on since this was last asked: then the rows have to be held against the ledger.
    pub(crate) fn take_unchecked(&self) -> bool {
        self.unchecked.swap(false, Ordering::SeqCst)
    }

    /// The phase's own work is over, as far as it is up to it.
    pub(crate) fn work_is_over(&self) {
        self.work.send_modify(|times| *times += 1);
    }

    /// Conducts a step: returns when every fault that is due in it has been healed and watched.
    pub(crate) async fn conduct(&self, step: Step) -> Result<(), StepError> {
        if step.phase == Phase::Drain {
            self.tell_missed();
        }
        let due = self.due(step);
        self.work.send_replace(0);
        self.disturbance.touched.store(false, Ordering::SeqCst);
        if step.phase == Phase::Ingest {
            self.in_cycle.store(false, Ordering::SeqCst);
        }
        let (timed, regular): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|due| due.timed);
        if !regular.is_empty() {
            // Both the level before and the one to come back to are collected ones: garbage is no memory of a fault.
            self.collect().await;
        }
        let conducted = |due| self.conduct_one(due, step, self.books.stages.begin(true));
        let regular: Vec<_> = regular.into_iter().map(conducted).collect();
        let timed = try_join_all(timed.into_iter().map(conducted));
        let regular = async {
            if self.plan.chaos.draw == 0 {
                return try_join_all(regular).await.map(drop);
            }
            // Each begins when the one before has come back, however long that took.
            for (nth, one) in regular.into_iter().enumerate() {
                if nth > 0 {
                    sleep(QUIET).await;
                }
                one.await?;
            }
            Ok(())
        };
        tokio::try_join!(regular, timed).map(drop)
    }

    async fn conduct_one(&self, due: Due, step: Step, before: u64) -> Result<(), StepError> {
        let done = self.one(&due, step, before).await;
        // One that did not begin has a stage that nobody asks for; the others are compared with what comes now.
        self.books.stages.end(before);
        self.books.stages.restart_waiting();
        match done {
            Ok(()) => Ok(()),
            Err(Amiss::Skipped(reason)) => {
                self.journal.event(EventKind::FaultSkipped { fault: due.name, cycle: step.cycle, reason });
                Ok(())
            }
            Err(Amiss::Platform(reason)) => Err(StepError::Platform(format!("the fault `{}` {reason}", due.name))),
        }
    }

    /// Faults whose own time never came in a phase with load.
    fn tell_missed(&self) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, _, at) in self.plan.due_at(&self.variant) {
            if !begun.iter().any(|known| known == name) {
                let reason = format!("no phase with load came at or after {at}, or its condition did not hold in one");
                self.journal.event(EventKind::FaultSkipped { fault: name.to_owned(), cycle: None, reason });
            }
        }
    }

    /// Heals whatever is on: the variant ends.
    pub(crate) async fn heal_all(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        // The newest first.
        for (id, (on, guard)) in held.into_iter().rev() {
            let error = healed(guard).await.err();
            self.journal.event(EventKind::FaultHealed { id, held_s: on.elapsed().as_secs_f64(), error });
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
                _pending: Some(Counted::of(&self.disturbance.pending)),
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
            _pending: None,
        }));
        due
    }

    /// One fault from its moment to the end of the watch.
    async fn one(&self, due: &Due, step: Step, before_stage: u64) -> Result<(), Amiss> {
        if !self.has_begun(due, step).await.map_err(Amiss::Skipped)? {
            return Ok(());
        }
        // From here on the phase lasts until it is over.
        let _pending = due.timed.then(|| Counted::of(&self.disturbance.pending));
        if due.timed {
            self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(due.name.clone());
            self.collect().await;
        }
        let inject = &due.fault.inject;
        let hold = if inject.restarts() { Hold::Alone } else { Hold::Lever(inject.kind().lever) };
        let lever = self.in_use.take(hold).await;
        let unhealthy = |error| Amiss::Skipped(format!("the target was not healthy before it: {error}"));
        self.healthy().await.map_err(unhealthy)?;
        let (calm, _on) = self.calm().await;
        let pressing = Counted::of(&self.pressing);
        let (seconds, summary) = self.books.stages.end(before_stage);
        for flag in [&*self.disturbance.touched, &self.in_cycle, &self.unchecked] {
            flag.store(true, Ordering::SeqCst);
        }
        let asked = Instant::now();
        let guard = timeout(GUARD_WITHIN, self.target.inject(inject)).await;
        let guard = guard.map_err(|_| {
            // What it has changed so far is in the register, and is put back when the variant ends.
            Amiss::Platform(format!("could not be injected: it was not on after {} s", GUARD_WITHIN.as_secs()))
        })?;
        let guard = guard.map_err(|why| Amiss::Skipped(format!("it could not be injected: {why}")))?;
        // It is held from when it is on: some take a while to build up.
        let on = Instant::now();
        let during = self.books.stages.begin(false);
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (on, guard));
        self.journal.event(EventKind::FaultApplied {
            id,
            fault: due.name.clone(),
            kind: inject.name().to_owned(),
            settings: inject.settings(),
            phase: step.phase,
            cycle: step.cycle,
            took_s: asked.elapsed().as_secs_f64(),
        });
        self.journal.event(EventKind::FaultLoad { id, stage: Stage::Before, seconds, summary });
        sleep_until(on + due.fault.hold.0).await;
        let healing = Instant::now();
        let healed = self.heal(id, during).await;
        drop((lever, pressing));
        if inject.restarts() {
            // Without a target there is nothing to go on with.
            healed.map_err(|error| Amiss::Platform(format!("could not be healed: {error}")))?;
        }
        let since = Healing { began: healing, done: self.journal.now_s() };
        self.watch(id, (since, due.fault.watch.0), &calm).await;
        Ok(())
    }

    /// What to compare with afterwards, and a fault more that is on.
    async fn calm(&self) -> (Calm, Counted) {
        let mut calm = self.calm.lock().await;
        if !self.disturbance.is_on() {
            let readings = self.target.condition().await;
            *calm = Calm { readings, tasks: self.tasks().await };
        }
        (calm.clone(), Counted::of(&self.disturbance.on))
    }

    /// Tasks as they are now. What was sampled last may be of before the load of this phase was connected, and each connection has tasks of its own.
    async fn tasks(&self) -> Option<f64> {
        let probe = self.target.probe();
        let values = within(self.plan.deadlines.call.0, probe.metrics()).await.ok()?;
        values.into_iter().find_map(|(name, value)| (name == "goroutines").then_some(value))
    }

    /// Waits for its moment and its condition. False when it stays for a later phase; an error when it never begins.
    async fn has_begun(&self, due: &Due, step: Step) -> Result<bool, String> {
        let mut work = self.work.subscribe();
        // The load of a query phase goes on until its faults are over; other phases end by themselves.
        let waits = step.phase == Phase::Query && !due.timed;
        // One whose moment has come begins, also where the work was over meanwhile: which of the two is seen is no matter of luck, nor of a timer's milliseconds.
        let is_due = due.begins <= Instant::now();
        tokio::select! {
            biased;
            () = sleep_until(due.begins), if !is_due => {}
            _ = work.wait_for(|times| *times > 0), if !waits && !is_due => {
                let after = due.begins.saturating_duration_since(Instant::now()).as_secs_f64();
                return if due.timed { Ok(false) } else { Err(format!("the phase was over {after:.1} s before it was due")) };
            }
            else => {}
        }
        let Some(condition) = due.fault.when else { return Ok(true) };
        let _waiting = (!due.timed).then(|| Counted::of(&self.disturbance.waiting));
        // A query phase is repeated for what waits: the condition is given one whole of them, and as long as other faults take.
        let over_after = if waits { *work.borrow_and_update() } else { 0 };
        loop {
            let read = self.latest.read(condition.of.series());
            if read.is_some_and(|value| condition.holds(value, self.latest.read("cgroup_limit_bytes"))) {
                return Ok(true);
            }
            if *work.borrow() > over_after && self.disturbance.only_waits() {
                return if due.timed { Ok(false) } else { Err(format!("`{condition}` never held while it was due")) };
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Shows that the fault took place, and takes it back. An error says what is left of it.
    async fn heal(&self, id: u32, during: u64) -> Result<(), String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // It was taken by the end of the variant.
        let Some((on, mut guard)) = held else { return Ok(()) };
        let shown = timeout(GUARD_WITHIN, guard.evidence()).await.unwrap_or_else(|_| Evidence {
            words: format!("what would show it did not come within {} s", GUARD_WITHIN.as_secs()),
            ..Evidence::default()
        });
        let figures = shown.figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.journal.event(EventKind::FaultShown { id, took_place: shown.took_place, words: shown.words, figures });
        let (seconds, summary) = self.books.stages.end(during);
        self.journal.event(EventKind::FaultLoad { id, stage: Stage::During, seconds, summary });
        let healed = healed(guard).await;
        let error = healed.clone().err();
        self.journal.event(EventKind::FaultHealed { id, held_s: on.elapsed().as_secs_f64(), error });
        healed
    }

    /// Watches the way back: the first answer, what the load sees, and whether all is as before.
    async fn watch(&self, id: u32, (since, at_most): (Healing, Duration), calm: &Calm) {
        let watched = Instant::now();
        let after = self.books.stages.begin(false);
        let first = self.first_answer(since.began, watched + at_most).await;
        self.journal.event(EventKind::FirstAnswer { id, seconds: first });
        if first.is_some() {
            self.collect().await;
        }
        sleep_until(watched + at_most).await;
        let (seconds, summary) = self.books.stages.end(after);
        self.journal.event(EventKind::FaultLoad { id, stage: Stage::After, seconds, summary });
        let differences = self.what_is_left(calm, since.done).await;
        let mut compared: Vec<String> = calm.readings.iter().map(|reading| reading.name.to_owned()).collect();
        compared.push("health".to_owned());
        compared.extend(calm.tasks.map(|_| "tasks".to_owned()));
        self.journal.event(EventKind::FaultResidue { id, compared, differences });
    }

    /// What is not as before. What another fault does meanwhile is not this one's: it is waited for.
    async fn what_is_left(&self, calm: &Calm, healed_s: f64) -> Vec<String> {
        let mut asked = None;
        loop {
            if self.pressing.load(Ordering::SeqCst) == 0 {
                let asked = *asked.get_or_insert_with(Instant::now);
                let mut found = differences(&calm.readings, &self.target.condition().await);
                found.extend(self.more_tasks(calm.tasks, healed_s));
                // It was healthy before, or the fault would not have begun.
                let health = self.healthy().await.err();
                found.extend(health.map(|error| format!("health: ready before, after it: {error}")));
                if self.pressing.load(Ordering::SeqCst) == 0 && (found.is_empty() || asked.elapsed() >= BACK_WITHIN) {
                    return found;
                }
            }
            sleep(LOOK_EVERY * 5).await;
        }
    }

    /// Seconds from when healing began until the data was asked after and an answer came; `None` where none came in time.
    async fn first_answer(&self, began: Instant, until: Instant) -> Option<f64> {
        let client = self.target.client();
        loop {
            match within(self.plan.deadlines.call.0, client.is_indexed()).await {
                // That it has no such dataset is an answer too; whether it should have is for the ledger to say.
                Ok(_) => return Some(began.elapsed().as_secs_f64()),
                Err(error) if error.is_not_found() => return Some(began.elapsed().as_secs_f64()),
                Err(_) if Instant::now() >= until => return None,
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
    }

    /// The health gate, before a fault and after it.
    async fn healthy(&self) -> Result<(), CallError> {
        within(self.plan.deadlines.call.0, self.target.control().ready()).await
    }

    async fn collect(&self) {
        // One that fails leaves garbage, and the verdict sees it.
        let _ = within(self.plan.deadlines.call.0, self.target.control().collect()).await;
    }

    /// What was read before it was healed says nothing.
    fn more_tasks(&self, before: Option<f64>, healed_s: f64) -> Option<String> {
        let before = before?;
        match self.latest.goroutines().filter(|(at_s, _)| *at_s > healed_s) {
            None => Some(format!("tasks: {before:.0} before, not read since")),
            Some((_, now)) => (now > before + TASKS_NEAR).then(|| format!("tasks: {before:.0} before, {now:.0} after")),
        }
    }
}

/// The moments of healing: when it began, and when it was done in seconds of the run.
struct Healing {
    began: Instant,
    done: f64,
}

async fn healed(guard: Box<dyn Guard>) -> Result<(), String> {
    let healed = timeout(GUARD_WITHIN, guard.heal()).await;
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
pub(crate) fn with_load(phase: Phase) -> Option<FaultPhase> {
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
