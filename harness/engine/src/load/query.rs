//! The query phase: a mix of operations in an open model. The schedule decides when an operation is due; a slow target does not move it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use soak_record::LatencySummary;
use soak_scenario::{Query, Schedule};
use soak_workload::{Operation, OperationKind, Operations, RowState, Starts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::load::{Books, Latencies};
use crate::target::{CallError, Client, within};

/// A query phase.
#[derive(Debug, Clone)]
pub struct QueryJob {
    /// Schedule, duration, mix.
    pub query: Query,
    /// Deadline of one operation.
    pub deadline: Duration,
}

/// A start this much after it was due is late: timers tick in milliseconds.
const LATE: Duration = Duration::from_millis(3);

type Figures = Arc<Mutex<BTreeMap<OperationKind, Latencies>>>;

/// An operation, when it was due, and its place.
struct Started {
    operation: Operation,
    due: Instant,
    _place: OwnedSemaphorePermit,
}

/// What a query phase asks of what goes on around it.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Whether nothing is to be started now.
    pub held: &'a (dyn Fn() -> bool + Sync),
    /// Asked when the phase is over: whether it goes on for another.
    pub goes_on: &'a (dyn Fn() -> bool + Sync),
}

/// Runs a query phase, and again while it is to go on; waits for the last answer. Figures by kind of operation.
pub async fn query(
    client: Arc<dyn Client>,
    job: &QueryJob,
    operations: &mut Operations,
    books: &Arc<Books>,
    around: Around<'_>,
) -> BTreeMap<OperationKind, LatencySummary> {
    let figures = Figures::default();
    loop {
        pass(&client, job, operations, books, (around.held, &figures)).await;
        if books.is_given_up() || !(around.goes_on)() {
            break;
        }
    }
    let figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
    figures.iter().map(|(kind, latencies)| (*kind, latencies.summary())).collect()
}

/// Runs a query phase once.
async fn pass(
    client: &Arc<dyn Client>,
    job: &QueryJob,
    operations: &mut Operations,
    books: &Arc<Books>,
    (held, figures): (&(dyn Fn() -> bool + Sync), &Figures),
) {
    let places = Arc::new(Semaphore::new(job.query.in_flight as usize));
    let began = Instant::now();
    let length = job.query.duration.0;
    let mut starts = Starts::new(job.query.schedule, length);
    let total = starts.total();
    let mut running = JoinSet::new();
    let mut taken = 0;
    loop {
        let due = match job.query.schedule {
            Schedule::All => None,
            _ => match starts.next() {
                Some(start) => Some(began + start),
                None => break,
            },
        };
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        if books.is_given_up() {
            break;
        }
        if held() {
            // What is due now is left out: nobody wants it.
            taken += 1;
            if due.is_none() {
                tokio::time::sleep(LATE).await;
            }
            if began.elapsed() >= length {
                break;
            }
            continue;
        }
        let place = tokio::time::timeout_at(began + length, Arc::clone(&places).acquire_owned()).await;
        let Ok(Ok(place)) = place else { break };
        taken += 1;
        let operation = draw(operations, books);
        if due.is_some_and(|due| due.elapsed() > LATE) {
            figure(figures, operation.kind(), Latencies::late_start);
        }
        let started = Started { operation, due: due.unwrap_or_else(Instant::now), _place: place };
        running.spawn(perform(Arc::clone(client), started, job.clone(), Arc::clone(books), Arc::clone(figures)));
        // What has ended is let go, so that a long phase holds no more than is in flight.
        while running.try_join_next().is_some() {}
        if job.query.schedule == Schedule::All && began.elapsed() >= length {
            break;
        }
    }
    tokio::select! {
        () = async { while running.join_next().await.is_some() {} } => {}
        // Those that still wait are dropped, and are errors of their own in the log.
        () = books.given_up() => {}
    }
    running.shutdown().await;
    if total > taken && job.query.schedule != Schedule::All {
        let kind = [OperationKind::Search, OperationKind::Upsert, OperationKind::Delete];
        let weights = [job.query.mix.search, job.query.mix.upsert, job.query.mix.delete];
        let heaviest = (0..3).max_by_key(|at| weights[*at]).unwrap_or(0);
        // What they would have been was never drawn: they are booked under what the mix has most of.
        figure(figures, kind[heaviest], |latencies| latencies.never_started(total - taken));
    }
}

/// Draws the next operation and books it at once, so that the same seed draws the same whatever the answers' timing.
fn draw(operations: &mut Operations, books: &Books) -> Operation {
    let mut ledger = books.ledger();
    let operation = operations.draw(&ledger);
    match operation {
        Operation::Search { .. } => {}
        Operation::Upsert { id } => ledger.set(id, RowState::Replaced),
        Operation::Delete { id } => ledger.set(id, RowState::Deleted),
    }
    operation
}

async fn perform(client: Arc<dyn Client>, started: Started, job: QueryJob, books: Arc<Books>, figures: Figures) {
    let began = Instant::now();
    books.enter();
    let call = async {
        match started.operation {
            Operation::Search { row } => client.search(row, job.query.k).await.map(|_| ()),
            Operation::Upsert { id } => client.upsert(id).await,
            Operation::Delete { id } => client.delete(id).await,
        }
    };
    let answer = within(job.deadline, call).await;
    books.leave();
    if let Err(error) = &answer {
        rebook(&books, started.operation, error);
    }
    let note = |latencies: &mut Latencies| match answer {
        Ok(()) => latencies.record(started.due, began, Instant::now()),
        Err(_) => latencies.error(),
    };
    books.stages.note(note);
    figure(&figures, started.operation.kind(), note);
}

/// What was booked in advance did not happen, or perhaps not.
fn rebook(books: &Books, operation: Operation, error: &CallError) {
    let refused = matches!(error, CallError::Refused(_));
    match operation {
        Operation::Search { .. } => {}
        Operation::Upsert { id } if refused => books.ledger().set(id, RowState::Live),
        Operation::Upsert { id } => books.ledger().set(id, RowState::PerhapsReplaced),
        Operation::Delete { id } if refused => books.ledger().set(id, RowState::Live),
        Operation::Delete { id } => books.ledger().set(id, RowState::PerhapsDeleted),
    }
}

fn figure(figures: &Figures, kind: OperationKind, change: impl FnOnce(&mut Latencies)) {
    change(figures.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default());
}
