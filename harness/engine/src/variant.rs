//! One variant: the shell around the machine. It does what the machine says, and tells the machine what happened.

mod by_hand;
mod checks;
mod clear;
mod compaction;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use soak_record::{EventKind, LatencySummary, Outcome, Phase};
use soak_scenario::{Plan, PositiveControl, Protocol, Schedule, Variant};
use soak_workload::{Ledger, Operations, RowState, SECOND_VERSION, Starts};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::attest::{When, attest};
use crate::conductor::Conductor;
use crate::journal::Journal;
use crate::load::{self, Books, IngestJob, QueryJob};
use crate::losses::Losses;
use crate::machine::{Command, Input, Machine, Step};
use crate::operator::Wishes;
use crate::patience::{MoreCycles, median};
use crate::rest;
use crate::sampler::{HarnessUse, Samplers};
use crate::stop;
use crate::target::{Batch, Driver, Families, Target, within};
use by_hand::{ByHand, Now};

/// How often a boot and an index are asked whether they are done.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// When a call breaks, the target may have died of it: its end is waited for this long.
const DEATH_WITHIN: Duration = Duration::from_secs(5);

/// The share of what it can use from which the harness may have been the bottleneck.
const SATURATED: f64 = 0.85;

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
    /// Compactions that the target had counted when the cycle's deletes began.
    compactions_before: Option<f64>,
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
    let started = tokio::select! {
        started = driver.start(index, variant) => started,
        // What was half made is in the register.
        () = by_hand.until_stop(Now { plan, journal, target: None, step: BOOT }) => return Input::Interrupted,
    };
    let target = match started {
        Ok(target) => target,
        Err(error) => return Input::Failed(Outcome::PlatformFailed { reason: error.to_string() }),
    };
    journal.event(EventKind::TargetStarted { pid: target.pid(), build: target.build() });
    let books = Arc::new(Books::default());
    let samplers = Samplers::start(journal, &target.probe(), &books, &plan.sampling);
    let conductor = Conductor::new(plan, variant, journal, &target, (&books, &samplers.latest));
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
        compactions_before: None,
        floors: Vec::new(),
        left_open: Vec::new(),
    });
    watched(performer, losses, BOOT, by_hand).await
}

/// Performs a step unless the target dies or a person interrupts. Where a part of the target has ended, the step goes on over the rest for a while.
async fn watched(performer: &mut Performer<'_>, losses: &mut Losses, step: Step, by_hand: &mut ByHand<'_>) -> Input {
    let target = Arc::clone(&performer.target);
    let conductor = Arc::clone(&performer.conductor);
    let (journal, plan) = (performer.journal, performer.plan);
    let now = |target| Now { plan, journal, target: Some(target), step };
    let done = {
        // Faults first: the work has to know which are due.
        let faults = conductor.conduct(step);
        let work = async {
            if step.phase.is_load() {
                performer.wishes.until_load_may_go_on().await;
            }
            let done = performer.perform(step).await;
            conductor.work_is_over();
            done
        };
        let mut work = pin!(async { tokio::try_join!(faults, work).map(|_| ()) });
        let mut stop = pin!(stop::reached(&plan.stop, conductor.started()));
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
        Err(StepError::Failed(reason)) => loop {
            tokio::select! {
                ending = target.ended() => {
                    if let Some(fate) = losses.add(journal, step.phase, &ending) {
                        return Input::Failed(fate);
                    }
                }
                fate = losses.watched_enough() => return Input::Failed(fate),
                () = sleep(DEATH_WITHIN), if losses.so_far().is_none() => {
                    return Input::Failed(Outcome::TargetFailed { reason });
                }
                () = by_hand.until_stop(now(&target)) => return Input::Interrupted,
            }
        },
    }
}

async fn stop(performer: Performer<'_>) {
    let Performer { target, samplers, conductor, journal, left_open, .. } = performer;
    conductor.heal_all().await;
    // A server that ends in good order would wait for them.
    drop(left_open);
    if let Some(told) = target.log() {
        journal.event(told);
    }
    target.client().disconnect();
    drop(samplers);
    target.stop().await;
}

impl Performer<'_> {
    async fn perform(&mut self, step: Step) -> Result<(), StepError> {
        let cycle = step.cycle.unwrap_or(0);
        match step.phase {
            Phase::Boot => self.until_ready().await,
            Phase::Attest => self.attest(When::Boot).await,
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

    /// How long an ingest may go without an answer. A batch over HTTP is answered when it is indexed.
    fn silence_at_most(&self) -> Duration {
        let requests = &self.plan.target.profile.requests;
        let waits = requests.create.as_ref().is_some_and(soak_scenario::RequestTemplate::is_batch);
        if waits { self.plan.deadlines.index.0 } else { self.call() }
    }

    /// Tasks at the idle baseline.
    pub(crate) fn idle_goroutines(&self) -> Option<f64> {
        self.idle_goroutines
    }

    async fn until_ready(&self) -> Result<(), StepError> {
        let deadline = self.plan.deadlines.boot.0;
        let control = self.target.control();
        let began = Instant::now();
        loop {
            match within(self.call(), control.ready()).await {
                Ok(()) => return Ok(()),
                Err(error) if began.elapsed() >= deadline => {
                    let seconds = deadline.as_secs_f64();
                    return Err(StepError::Failed(format!(
                        "it did not answer within {seconds:.0} s of its start (deadlines.boot): {error}; its log is in the run folder's artifacts"
                    )));
                }
                Err(_) => sleep(ASK_EVERY).await,
            }
        }
    }

    async fn attest(&self, when: When) -> Result<(), StepError> {
        let read = within(self.call(), self.target.probe().knobs()).await;
        let read = read.map_err(|error| StepError::Failed(format!("its settings could not be read back: {error}")))?;
        let profile = &self.plan.target.profile;
        // Of a request of one thing, nothing but the request itself tells how much it carries.
        let is_told = |knob: &str| knob != "dim" || read.contains_key(knob);
        let told = |knob: &str| profile.sets(knob) && (profile.protocol == Protocol::Flight || is_told(knob));
        let with_data = |knob: &str| profile.protocol == Protocol::Http && profile.requests.tell(knob);
        for event in attest(&self.variant.knobs, &told, &read, when, &with_data) {
            self.journal.event(event);
        }
        Ok(())
    }

    async fn ingest(&mut self, cycle: u32) -> Result<(), StepError> {
        let workload = &self.plan.workload;
        let knobs = &self.variant.knobs;
        let rows = workload.rows_per_cycle(knobs.dim);
        let first = if workload.same_names { 0 } else { u64::from(cycle) * rows };
        *self.books.ledger() = Ledger::new(first, rows);
        self.operations = Some(Operations::new(workload.query.mix, self.variant.seed, cycle));
        let upserts = (rows as f64 * workload.ingest.upserts.0).round() as u64;
        let batches: Vec<Batch> = batches(first, rows, knobs.batch_rows, 0)
            .chain(batches(first, upserts, knobs.batch_rows, SECOND_VERSION))
            .collect();
        let starts = match workload.ingest.schedule {
            Schedule::All => None,
            schedule => Some(Starts::covering(schedule, batches.len() as u64)),
        };
        let books = Arc::clone(&self.books);
        let job = IngestJob {
            batches: Box::new(batches.into_iter()),
            starts,
            length: None,
            streams: workload.ingest.streams,
            silence_at_most: self.silence_at_most(),
            persists: Box::new({
                let disturbance = self.conductor.disturbance();
                move || disturbance.is_on()
            }),
            tell: Box::new(move |batch, fate| books.book(batch, fate)),
        };
        let usage = HarnessUse::start();
        let account = load::ingest(self.target.client(), job).await;
        self.tell_saturation(Phase::Ingest, cycle, &usage, workload.ingest.streams);
        let silence = account.longest_silence.as_secs_f64();
        self.journal.event(EventKind::Ingested {
            cycle,
            rows: account.rows,
            bytes: account.acked_rows * u64::from(knobs.dim) * 4,
            acked_rows: account.acked_rows,
            indeterminate_rows: account.indeterminate_rows,
            refused_rows: account.refused_rows,
            back_pressure: account.back_pressure,
            seconds: account.seconds,
        });
        self.tell_latency(cycle, Phase::Ingest, "put", account.latencies.summary());
        // While a fault is on nobody asks for liveness.
        let disturbed = self.conductor.disturbance().touched();
        if !disturbed && (silence >= 1.0 || account.gave_up) {
            self.journal.event(EventKind::Silence { cycle, seconds: silence, gave_up: account.gave_up });
        }
        if account.gave_up && !disturbed {
            let key = if self.silence_at_most() > self.call() { "deadlines.index" } else { "deadlines.call" };
            return Err(StepError::Failed(format!("it acknowledged nothing for {silence:.1} s ({key})")));
        }
        if account.acked_rows == 0 && !disturbed {
            let why = account.last_error.unwrap_or_else(|| "it gave no reason".to_owned());
            return Err(StepError::Failed(format!("it acknowledged no row of the ingest: {why}")));
        }
        if cycle == 0 { self.attest(When::Data).await } else { Ok(()) }
    }

    async fn index(&self, _cycle: u32) -> Result<(), StepError> {
        let deadline = self.plan.deadlines.index.0;
        let client = self.target.client();
        let began = Instant::now();
        loop {
            let ready = within(self.call(), client.is_indexed()).await;
            let state = match ready {
                Ok(true) => return Ok(()),
                Ok(false) => "it still says that it is busy".to_owned(),
                // A fault may have left nothing to index; which rows are gone is found out when they are compared.
                Err(error) if error.is_not_found() && self.conductor.was_disturbed() => return Ok(()),
                Err(error) => error.to_string(),
            };
            if began.elapsed() >= deadline {
                let seconds = deadline.as_secs_f64();
                return Err(StepError::Failed(format!(
                    "its index was not ready after {seconds:.0} s (deadlines.index): {state}"
                )));
            }
            sleep(ASK_EVERY).await;
        }
    }

    async fn query(&mut self, cycle: u32) -> Result<(), StepError> {
        if cycle < self.plan.cycle.warm_up.max(1) {
            self.check_recall(cycle).await;
        }
        let Some(operations) = &mut self.operations else { return Ok(()) };
        let query = self.variant.knobs.query(&self.plan.workload.query);
        let job = QueryJob { query, deadline: self.plan.deadlines.call.0 };
        let usage = HarnessUse::start();
        let around = load::Around {
            held: &|| self.target.load_is_held() || self.wishes.load_is_held(),
            goes_on: &|| {
                self.conductor.work_is_over();
                self.conductor.disturbance().is_pending()
            },
        };
        let figures = load::query(self.target.client(), &job, operations, &self.books, around).await;
        self.tell_saturation(Phase::Query, cycle, &usage, u32::MAX);
        let (mut ended_well, mut errors) = (0, 0);
        for (kind, summary) in figures {
            ended_well += summary.count;
            errors += summary.errors;
            self.tell_latency(cycle, Phase::Query, kind.name(), summary);
        }
        let touched = self.conductor.disturbance().touched();
        if let Some(reason) = stop::too_many_errors(&self.plan.stop, ended_well, errors).filter(|_| !touched) {
            return Err(StepError::Stopped(reason));
        }
        if self.conductor.take_unchecked() { self.check_rows(cycle).await } else { Ok(()) }
    }

    async fn delete(&mut self, cycle: u32) -> Result<(), StepError> {
        let workload = &self.plan.workload;
        self.compactions_before = self.compactions();
        let Some(operations) = &mut self.operations else { return Ok(()) };
        let ids = {
            let ledger = self.books.ledger();
            let count = (ledger.len() as f64 * workload.delete.0).round() as u64;
            ledger.choose_deletes(count, operations.random())
        };
        let client = self.target.client();
        let deleted = load::delete(&client, ids, (workload.query.in_flight, 1), self.call(), &self.books).await;
        // Deletes of the query phase's mix are gone as well.
        let in_all = self.books.ledger().count(RowState::Deleted);
        self.journal.event(EventKind::Deleted { cycle, rows: in_all, failed: deleted.failed });
        self.tell_latency(cycle, Phase::Delete, "delete", deleted.latency);
        if deleted.rows == 0 && deleted.failed > 0 && !self.conductor.disturbance().touched() {
            return Err(StepError::Failed(format!("it acknowledged none of {} deletes", deleted.failed)));
        }
        Ok(())
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
        self.idle_page = self.page().await;
        self.tell_tasks(step).await?;
        self.target.keep_dumps("idle").await;
        Ok(())
    }

    async fn drain(&self, step: Step) -> Result<(), StepError> {
        self.target.client().disconnect();
        rest::drain(self, step).await?;
        if let (Some(idle), Some(drained)) = (&self.idle_page, self.page().await) {
            let families = idle.grown_to(&drained);
            self.journal.event(EventKind::PageGrown { idle: idle.series(), drained: drained.series(), families });
        }
        self.tell_tasks(step).await?;
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

/// Rows in batches, in order.
fn batches(first: u64, rows: u64, batch_rows: u32, version: u64) -> impl Iterator<Item = Batch> {
    let starts = (0..rows).step_by(batch_rows.max(1) as usize);
    starts.map(move |at| Batch { first: first + at, rows: (rows - at).min(u64::from(batch_rows)) as u32, version })
}
