//! The phases with load: ingest, indexing, queries, deletes.

use std::sync::Arc;
use std::time::Duration;

use soak_record::{EventKind, Operation, Phase};
use soak_scenario::Schedule;
use soak_workload::{Ledger, Operations, QUERY_ROWS, RowState, SECOND_VERSION, Starts};
use tokio::time::{Instant, sleep};

use super::{ASK_EVERY, Performer, StepError};
use crate::load::{self, IngestJob, QueryJob};
use crate::sampler::HarnessUse;
use crate::stop;
use crate::target::{Batch, within};

/// Silence of a put stream after which an ingest ends by itself, as a multiple of what a call may take. The variant ends before that.
const SILENCE_TIMES: u32 = 3;

/// Searches that are asked one after the other when a query phase ends without an answer.
const SEARCHES_AFTER: u32 = 3;

impl Performer<'_> {
    /// How long a put may take. A batch over HTTP is answered once it is indexed.
    fn put_deadline(&self) -> Duration {
        let deadlines = &self.plan.deadlines;
        if self.plan.target.profile.answers_when_indexed() { deadlines.index.0 } else { deadlines.call.0 }
    }

    pub(super) async fn ingest(&mut self, cycle: u32) -> Result<(), StepError> {
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
            silence_at_most: self.put_deadline() * SILENCE_TIMES,
            given_up: Box::new({
                let books = Arc::clone(&self.books);
                move || books.is_given_up()
            }),
            persists: Box::new({
                let disturbance = self.conductor.disturbance();
                move || disturbance.is_on()
            }),
            tell: Box::new(move |batch, fate| books.book(batch, fate)),
        };
        let usage = HarnessUse::start();
        let account = load::ingest(self.target.client(), job).await;
        self.tell_saturation(Phase::Ingest, cycle, &usage, workload.ingest.streams);
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
        let disturbed = self.conductor.disturbance().touched();
        if (account.gave_up || self.books.is_given_up()) && !disturbed {
            let silence = account.longest_silence.as_secs_f64();
            return Err(StepError::Failed(format!("no put was acknowledged for {silence:.1} s")));
        }
        if account.acked_rows == 0 && !disturbed {
            let why = account.last_error.clone().unwrap_or_else(|| "it gave no reason".to_owned());
            return Err(StepError::Failed(format!("the target acknowledged no row of the ingest: {why}")));
        }
        if cycle == 0 { self.verify_with_data(&account).await } else { Ok(()) }
    }

    pub(super) async fn index(&self, _cycle: u32) -> Result<(), StepError> {
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
                // Another kind of answer does not come by waiting for it.
                Err(error) if error.is_unfit() => return Err(StepError::Failed(error.to_string())),
                Err(error) => error.to_string(),
            };
            if self.books.is_given_up() {
                return Err(StepError::Failed(format!("the index was not ready: {state}")));
            }
            if began.elapsed() >= deadline {
                let seconds = deadline.as_secs_f64();
                return Err(StepError::Failed(format!(
                    "its index was not ready after {seconds:.0} s (deadlines.index): {state}"
                )));
            }
            sleep(ASK_EVERY).await;
        }
    }

    pub(super) async fn query(&mut self, cycle: u32) -> Result<(), StepError> {
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
        for _ in 0..SEARCHES_AFTER {
            // The phase is over, and no search was answered for as long as one may take: a further one tells a pause from an end.
            let waits = self.books.log.waited(Operation::Search) >= self.call();
            if touched || !waits || self.books.is_given_up() {
                break;
            }
            let _ = self.target.client().search(QUERY_ROWS, self.plan.workload.query.k).await;
        }
        if let Some(reason) = stop::too_many_errors(&self.plan.stop, ended_well, errors).filter(|_| !touched) {
            return Err(StepError::Stopped(reason));
        }
        if self.conductor.take_unchecked() { self.check_rows(cycle).await } else { Ok(()) }
    }

    pub(super) async fn delete(&mut self, cycle: u32) -> Result<(), StepError> {
        let workload = &self.plan.workload;
        self.compactions_before = self.compactions();
        let Some(operations) = &mut self.operations else { return Ok(()) };
        let ids = {
            let ledger = self.books.ledger();
            let count = (ledger.len() as f64 * workload.delete.0).round() as u64;
            ledger.choose_deletes(count, operations.random())
        };
        let client = self.target.client();
        let calls = (workload.query.in_flight, client.deletes_at_once());
        let deleted = load::delete(&client, ids, calls, self.call(), &self.books).await;
        // Deletes of the query phase's mix are gone as well.
        let in_all = self.books.ledger().count(RowState::Deleted);
        self.journal.event(EventKind::Deleted { cycle, rows: in_all, failed: deleted.failed });
        self.tell_latency(cycle, Phase::Delete, "delete", deleted.latency);
        if deleted.rows == 0 && deleted.failed > 0 && !self.conductor.disturbance().touched() {
            let why = deleted.last_error.unwrap_or_else(|| "it gave no reason".to_owned());
            return Err(StepError::Failed(format!("all {} deletes failed; the last one: {why}", deleted.failed)));
        }
        Ok(())
    }
}

/// Rows in batches, in order.
fn batches(first: u64, rows: u64, batch_rows: u32, version: u64) -> impl Iterator<Item = Batch> {
    let starts = (0..rows).step_by(batch_rows.max(1) as usize);
    starts.map(move |at| Batch { first: first + at, rows: (rows - at).min(u64::from(batch_rows)) as u32, version })
}
