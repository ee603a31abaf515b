//! One variant: the shell around the machine. It does what the machine says, and tells the machine what happened.

mod by_hand;
mod checks;
mod clear;
mod compaction;
mod operations;
mod overdue;
mod settings;
mod unresponsive;
mod with_load;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use soak_record::{EventKind, LatencySummary, Outcome, Phase};
use soak_scenario::{Launch, Plan, PositiveControl, Variant};
use soak_workload::Operations;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::bounds;
use crate::conductor::{Conductor, Disturbance};
use crate::journal::Journal;
use crate::load::Books;
use crate::losses::Losses;
use crate::machine::{Command, Input, Machine, Step};
use crate::operator::Wishes;
use crate::patience::{MoreCycles, median};
use crate::rest;
use crate::sampler::{HarnessUse, Samplers};
use crate::stop;
use crate::target::{Calls, Cause, Driver, Families, LeakedTasks, LoggedTarget, Target, within};
use by_hand::{ByHand, Now};
use unresponsive::Watch;

/// How often a boot and an index are asked whether they are done.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A server that answers for so long as no server of its profile does will not change. Just after its start it may not have all of its pages yet.
const ANOTHER_FOR: Duration = Duration::from_secs(5);

/// What runs already answers within this time, or nothing of its kind is there.
const ATTACHED_WITHIN: Duration = Duration::from_secs(3);

/// When a call breaks, the target may have died of it: its end is waited for this long.
const DEATH_WITHIN: Duration = Duration::from_secs(5);

/// The share of what it can use from which the harness may have been the bottleneck.
const SATURATED: f64 = 0.85;

/// The load of a target that is given up ends within this time.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(3);

const BOOT: Step = Step { phase: Phase::Boot, cycle: None };

/// Why a step ends the variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepError {
    /// The target failed it, in one clause.
    Failed(String),
    /// A stop condition was met, in one clause.
    Stopped(String),
    /// The harness or the machine failed it, in one clause.
    Platform(String),
}

/// What a variant's steps work with, once its target has been started.
pub(crate) struct Performer<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) variant: &'a Variant,
    pub(crate) journal: &'a Journal,
    pub(crate) target: Arc<dyn Target>,
    pub(crate) samplers: Samplers,
    books: Arc<Books>,
    operations: Option<Operations>,
    conductor: Arc<Conductor>,
    wishes: Wishes,
    idle_goroutines: Option<f64>,
    /// The metrics page at the idle baseline.
    idle_page: Option<Families>,
    /// The metrics page at the end of the last cycle in which it could be read.
    last_page: Option<Families>,
    /// Compactions that the target had counted when the cycle's deletes began.
    compactions_before: Option<f64>,
    /// Whether a compaction of the target's own was waited for and did not come.
    never_compacts: bool,
    /// Cycle and level of the anonymous memory at its end.
    floors: Vec<(u32, f64)>,
    /// Connections that are left open on purpose, to the end of the variant.
    left_open: Vec<TcpStream>,
}

/// Runs one variant from boot to stop. Its target is gone when this returns, whatever happened.
pub(crate) async fn run_variant(
    plan: &Plan,
    index: usize,
    driver: &dyn Driver,
    journal: &Journal,
    more_cycles: MoreCycles,
    wishes: &mut Wishes,
) -> Outcome {
    let variant = &plan.variants[index];
    let journal = &journal.of_variant(index, &variant.id);
    journal.event(EventKind::VariantStarted { index: index as u32, of: plan.variants.len() as u32 });
    let mut machine = Machine::new(&plan.cycle);
    let mut performer: Option<Performer<'_>> = None;
    let mut losses = Losses::default();
    let mut input = Input::Done;
    let mut failed = false;
    let mut by_hand = ByHand::new(wishes);
    let outcome = loop {
        let step = match machine.next(input) {
            Command::Do(step) => step,
            Command::End(outcome) => break outcome,
        };
        journal.event(EventKind::PhaseStarted { phase: step.phase, cycle: step.cycle });
        let began = Instant::now();
        input = match (step.phase, &mut performer) {
            (Phase::Stop, performer) => {
                if let Some(performer) = performer.take() {
                    if failed {
                        // What is still there of it says most about why.
                        performer.target.keep_dumps("end").await;
                    }
                    stop(performer).await;
                }
                Input::Done
            }
            (Phase::Boot, performer) => {
                boot(plan, index, driver, journal, (performer, &mut losses), &mut by_hand).await
            }
            (_, Some(performer)) => watched(performer, &mut losses, step, &mut by_hand).await,
            (_, None) => unreachable_step(),
        };
        if let Some(performer) = &performer {
            performer.tell_operations(step);
        }
        failed |= matches!(input, Input::Failed(Outcome::TargetFailed { .. } | Outcome::Stopped { .. }));
        journal.event(EventKind::PhaseEnded {
            phase: step.phase,
            cycle: step.cycle,
            seconds: began.elapsed().as_secs_f64(),
        });
        if let Some(performer) = performer.as_ref().filter(|_| input == Input::Done && machine.is_last(step)) {
            machine.add_cycles(performer.more_cycles(more_cycles, step));
        }
        journal.tell_dropped();
        if input == Input::Done
            && let Some(reason) = journal.failure()
        {
            input = Input::Failed(Outcome::PlatformFailed { reason });
        }
    };
    journal.event(EventKind::VariantEnded { outcome: outcome.clone() });
    outcome
}

fn unreachable_step() -> Input {
    Input::Failed(Outcome::PlatformFailed { reason: "a step without a target: this is a defect of soak".to_owned() })
}

async fn boot<'a>(
    plan: &'a Plan,
    index: usize,
    driver: &dyn Driver,
    journal: &'a Journal,
    (performer, losses): (&mut Option<Performer<'a>>, &mut Losses),
    by_hand: &mut ByHand<'_>,
) -> Input {
    let variant = &plan.variants[index];
    let start = timeout(bounds::START + plan.deadlines.boot.0, driver.start(index, variant));
    let started = tokio::select! {
        started = start => started,
        // What was half made is in the register.
        () = by_hand.until_stop(Now { plan, journal, target: None, step: BOOT }) => return Input::Interrupted,
    };
    let target = match started {
        Ok(Ok(target)) => target,
        Err(_) => {
            let reason = format!("the target could not be started within {} s", bounds::START.as_secs());
            return Input::Failed(Outcome::PlatformFailed { reason });
        }
        Ok(Err(error)) => return Input::Failed(Outcome::PlatformFailed { reason: error.to_string() }),
    };
    journal.event(EventKind::TargetStarted { pid: target.pid(), build: target.build() });
    let disturbance = Disturbance::default();
    let books = Arc::new(Books::telling(Box::new({
        let (journal, disturbance) = (journal.clone(), disturbance.clone());
        move |operation, error| {
            // What fails while a fault is on is no news. It is counted all the same.
            if disturbance.is_on() {
                return;
            }
            journal.event(EventKind::OperationFailed { operation, error: error.to_owned() });
        }
    })));
    books.log.stop_counting();
    let calls = Calls::new(&books.log, &plan.deadlines, &plan.target.profile);
    let target: Arc<dyn Target> = Arc::new(LoggedTarget::new(target, calls));
    let samplers = Samplers::start(journal, &target.probe(), &books, &plan.sampling);
    let conductor = Conductor::new(plan, variant, journal, &target, (&books, &samplers.latest, disturbance));
    let performer = performer.insert(Performer {
        plan,
        variant,
        journal,
        target,
        samplers,
        books,
        operations: None,
        conductor: Arc::new(conductor),
        wishes: by_hand.wishes().clone(),
        idle_goroutines: None,
        idle_page: None,
        last_page: None,
        compactions_before: None,
        never_compacts: false,
        floors: Vec::new(),
        left_open: Vec::new(),
    });
    watched(performer, losses, BOOT, by_hand).await
}

/// Performs a step unless the target dies or a person interrupts. Where a part of the target has ended, the step goes on over the rest for a while.
async fn watched(performer: &mut Performer<'_>, losses: &mut Losses, step: Step, by_hand: &mut ByHand<'_>) -> Input {
    let target = Arc::clone(&performer.target);
    let conductor = Arc::clone(&performer.conductor);
    let books = Arc::clone(&performer.books);
    let (journal, plan) = (performer.journal, performer.plan);
    let wishes = performer.wishes.clone();
    let limit = bounds::of_step(plan, performer.variant, step);
    let now = |target| Now { plan, journal, target: Some(target), step };
    let watch = Watch { target: &target, books: &books, journal, step };
    let disturbance = conductor.disturbance();
    let done = {
        // Faults first: the work has to know which are due.
        let faults = conductor.conduct(step);
        let work = async {
            if step.phase.is_load() {
                performer.wishes.until_load_may_go_on().await;
            }
            let done = performer.perform(step).await;
            conductor.work_is_over();
            performer.fits(done)
        };
        let mut work = pin!(async { tokio::try_join!(faults, work).map(|_| ()) });
        let mut stop = pin!(stop::reached(&plan.stop, conductor.started()));
        let mut overdue = pin!(overdue::after(limit, &wishes));
        let mut unresponsive = pin!(watch.until_unresponsive(&disturbance));
        loop {
            tokio::select! {
                // What the step found comes first: a target that dies of it is found below.
                biased;
                done = &mut work => break done,
                ending = target.ended() => {
                    if let Some(fate) = losses.add(journal, step.phase, &ending) {
                        return Input::Failed(fate);
                    }
                }
                fate = losses.watched_enough() => return Input::Failed(fate),
                waiting = &mut unresponsive => {
                    books.give_up();
                    // The load hands over what it has measured; whatever else waits is dropped.
                    let _ = timeout(HAND_OVER_WITHIN, &mut work).await;
                    return Input::Failed(Outcome::TargetFailed { reason: unresponsive::reason(&waiting) });
                }
                () = &mut overdue => {
                    books.give_up();
                    let _ = timeout(HAND_OVER_WITHIN, &mut work).await;
                    return Input::Failed(Outcome::TargetFailed { reason: overdue::record(journal, step, limit) });
                }
                reason = &mut stop => return Input::Failed(Outcome::Stopped { reason }),
                () = by_hand.until_stop(now(&target)) => return Input::Interrupted,
            }
        }
    };
    match done {
        // Nothing comes after the drain that could bring the rest down.
        Ok(()) if step.phase == Phase::Drain => losses.so_far().map_or(Input::Done, Input::Failed),
        Ok(()) => Input::Done,
        Err(StepError::Stopped(reason)) => Input::Failed(Outcome::Stopped { reason }),
        Err(StepError::Platform(reason)) => Input::Failed(Outcome::PlatformFailed { reason }),
        // A step that fails because the target just died is told as the death.
        Err(StepError::Failed(reason)) => {
            // What a call failed by that was not answered is seen now, or never.
            watch.of_failed_step().await;
            until_told(&mut FailedStep { losses, target: &target, journal, step, reason }, by_hand, now(&target)).await
        }
    }
}

/// A step that failed, and what may have ended meanwhile.
struct FailedStep<'a> {
    losses: &'a mut Losses,
    target: &'a Arc<dyn Target>,
    journal: &'a Journal,
    step: Step,
    reason: String,
}

/// A step that fails because the target just died counts as the death, which is waited for.
async fn until_told(failed: &mut FailedStep<'_>, by_hand: &mut ByHand<'_>, now: Now<'_>) -> Input {
    let FailedStep { losses, target, journal, step, reason } = failed;
    let mut interrupted = pin!(by_hand.until_stop(now));
    loop {
        tokio::select! {
            ending = target.ended() => {
                if let Some(fate) = losses.add(journal, step.phase, &ending) {
                    return Input::Failed(fate);
                }
            }
            fate = losses.watched_enough() => return Input::Failed(fate),
            () = sleep(DEATH_WITHIN), if losses.so_far().is_none() => {
                return Input::Failed(Outcome::TargetFailed { reason: reason.clone() });
            }
            () = &mut interrupted => return Input::Interrupted,
        }
    }
}

async fn stop(performer: Performer<'_>) {
    let Performer { plan, target, samplers, books, conductor, journal, left_open, .. } = performer;
    conductor.heal_all().await;
    if matches!(plan.target.launch, Launch::Attach(_)) {
        // The server goes on after the run: nothing of the run's stays on it. That there is nothing to drop is an answer too, and no error.
        books.log.stop_counting();
        let _ = target.client().drop_dataset().await;
    }
    // A server that ends in good order would wait for them.
    drop(left_open);
    if let Some(told) = target.log() {
        journal.event(told);
    }
    target.client().disconnect();
    drop(samplers);
    target.stop().await;
}

/// The failure of a run whose server is not the one that its profile describes.
fn does_not_fit(plan: &Plan, why: &str) -> StepError {
    let profile = &plan.target.profile.name;
    StepError::Platform(format!(
        "the server does not answer as the profile `{profile}` describes: {why}; check the address (--target) and the profile (target.profile)"
    ))
}

impl Performer<'_> {
    async fn perform(&mut self, step: Step) -> Result<(), StepError> {
        let cycle = step.cycle.unwrap_or(0);
        match step.phase {
            Phase::Boot => {
                self.until_ready().await?;
                self.books.log.count();
                Ok(())
            }
            Phase::Attest => self.verify_at_boot().await,
            Phase::ColdIdle => {
                rest::window(self, step, self.plan.cycle.cold_idle.0, true).await;
                Ok(())
            }
            Phase::Ingest => self.ingest(cycle).await,
            Phase::Index => self.index(cycle).await,
            Phase::Query => self.query(cycle).await,
            Phase::Delete => self.delete(cycle).await,
            Phase::Compact => self.compact(cycle).await,
            Phase::Clear => self.clear(cycle).await,
            Phase::BeforeCompact | Phase::AfterCompact => self.rest(step).await.map(drop),
            Phase::Settle => self.settle(step).await,
            Phase::Idle => self.idle(step).await,
            Phase::Drain => self.drain(step).await,
            Phase::Stop => Ok(()),
        }
    }

    fn call(&self) -> Duration {
        self.plan.deadlines.call.0
    }

    /// Tasks at the idle baseline.
    pub(crate) fn idle_goroutines(&self) -> Option<f64> {
        self.idle_goroutines
    }

    /// A step whose operations show that server and profile do not fit failed by that: neither is the target's fault.
    fn fits(&self, done: Result<(), StepError>) -> Result<(), StepError> {
        match self.books.log.unfit() {
            Some(why) if !matches!(done, Err(StepError::Platform(_))) => Err(does_not_fit(self.plan, &why)),
            _ => done,
        }
    }

    async fn until_ready(&self) -> Result<(), StepError> {
        let deadline = self.plan.deadlines.boot.0;
        let control = self.target.control();
        let began = Instant::now();
        // What runs already answers at once, or is not there.
        let is_attached = matches!(self.plan.target.launch, Launch::Attach(_));
        let reachable_within = if is_attached { deadline.min(ATTACHED_WITHIN) } else { deadline };
        let mut another_since = None;
        loop {
            let Err(error) = within(self.call(), control.ready()).await else { return Ok(()) };
            let is_another = if error.is_of_another_server() {
                let for_long = another_since.get_or_insert_with(Instant::now).elapsed() >= ANOTHER_FOR;
                for_long || began.elapsed() >= reachable_within
            } else {
                another_since = None;
                false
            };
            let is_gone = is_attached && error.cause() == Cause::Unreachable && began.elapsed() >= reachable_within;
            if is_another || is_gone {
                return Err(does_not_fit(self.plan, &error.to_string()));
            }
            if began.elapsed() >= deadline {
                let seconds = deadline.as_secs_f64();
                return Err(StepError::Failed(format!(
                    "it did not answer within {seconds:.0} s of its start (deadlines.boot): {error}; its log is in the run folder's artifacts"
                )));
            }
            sleep(ASK_EVERY).await;
        }
    }

    async fn collect(&self) -> Result<(), StepError> {
        let collected = self.target.control().collect().await;
        collected.map_err(|error| StepError::Failed(format!("a collection could not be forced: {error}")))
    }

    async fn rest(&self, step: Step) -> Result<Option<f64>, StepError> {
        self.collect().await?;
        match rest::of(self.plan, step.phase) {
            Some(rest) => Ok(Some(rest::rest(self, step, rest).await)),
            None => Ok(None),
        }
    }

    /// The floor first: a task dump costs the target memory.
    async fn settle(&mut self, step: Step) -> Result<(), StepError> {
        let since_s = self.rest(step).await?;
        let (Some(cycle), Some(since_s)) = (step.cycle, since_s) else { return Ok(()) };
        self.floors.extend(median(self.samplers.latest.rss_since(since_s)).map(|floor| (cycle, floor)));
        if cycle >= self.plan.cycle.warm_up {
            if let Some(page) = self.page().await {
                self.last_page = Some(page);
            }
            // It shows which stack grows; without one the idle baseline and the drain still say whether any does.
            let _ = self.tell_tasks(step).await;
        }
        Ok(())
    }

    /// How many cycles come beyond those that were planned, because the floors are still filling.
    fn more_cycles(&self, ask: MoreCycles, step: Step) -> u32 {
        let done = step.cycle.map_or(0, |cycle| cycle + 1);
        // A control whose floors nobody asks about needs no more of them.
        let asked = self.variant.control.as_ref().is_none_or(PositiveControl::sees_a_floor);
        let room = if asked { self.plan.cycle.most().saturating_sub(done) } else { 0 };
        let more = if room > 0 { ask(self.plan, self.variant, &self.floors).min(room) } else { 0 };
        if more > 0 {
            self.journal.event(EventKind::CyclesAdded { done, more });
        }
        more
    }

    async fn idle(&mut self, step: Step) -> Result<(), StepError> {
        self.target.client().disconnect();
        rest::window(self, step, self.plan.cycle.idle.0, true).await;
        self.idle_goroutines = self.samplers.latest.goroutines().map(|(_, count)| count);
        self.tell_tasks(step).await?;
        self.target.keep_dumps("idle").await;
        // Last: a server may count every path that it is asked for, and the dumps ask for some.
        self.idle_page = self.page().await;
        Ok(())
    }

    async fn drain(&self, step: Step) -> Result<(), StepError> {
        self.target.client().disconnect();
        rest::drain(self, step).await?;
        let now = self.page().await;
        // A page that has grown too large to be read had at least the series of the last cycle.
        let at_least = now.is_none();
        if let (Some(idle), Some(drained)) = (&self.idle_page, now.as_ref().or(self.last_page.as_ref())) {
            let families = idle.grown_to(drained);
            let (idle, drained) = (idle.series(), drained.series());
            self.journal.event(EventKind::PageGrown { idle, drained, at_least, families });
        }
        self.tell_tasks(step).await?;
        self.tell_leaked_tasks().await;
        self.target.keep_dumps("drain").await;
        Ok(())
    }

    /// What is on the metrics page; without one, or where it cannot be read, nothing is said of it.
    async fn page(&self) -> Option<Families> {
        within(self.call(), self.target.probe().families()).await.ok().filter(|page| page.series() > 0)
    }

    async fn tell_tasks(&self, step: Step) -> Result<(), StepError> {
        let tasks = within(self.call(), self.target.control().tasks()).await;
        let tasks = tasks.map_err(|error| StepError::Failed(format!("its task dump could not be read: {error}")))?;
        if let Some(groups) = tasks {
            self.journal.event(EventKind::Tasks { phase: step.phase, cycle: step.cycle, groups });
        }
        Ok(())
    }

    /// Without the event, the criterion says that the profile could not be read.
    async fn tell_leaked_tasks(&self) {
        let leaked = within(self.call(), self.target.control().leaked_tasks()).await;
        if let Ok(Some(LeakedTasks { total, groups })) = leaked {
            self.journal.event(EventKind::LeakedTasks { total, groups });
        }
    }

    fn tell_latency(&self, cycle: u32, phase: Phase, operation: &str, summary: LatencySummary) {
        if summary != LatencySummary::default() {
            self.journal.event(EventKind::Latency { cycle, phase, operation: operation.to_owned(), summary });
        }
    }

    /// `workers`: how many cores the harness could have used.
    fn tell_saturation(&self, phase: Phase, cycle: u32, usage: &HarnessUse, workers: u32) {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
        if let Some(cpu_share) = usage.cpu_share()
            && cpu_share >= SATURATED * cores.min(f64::from(workers))
        {
            self.journal.event(EventKind::HarnessSaturated { phase, cycle, cpu_share });
        }
    }
}
