//! Finds out that a target no longer answers, collects evidence at that moment, and tells a pause from an end.

use std::sync::Arc;
use std::time::Duration;

use soak_diagnosis::tasks;
use soak_record::{EventKind, Operation, Phase, TaskGroup};
use tokio::time::{Instant, sleep, timeout};

use crate::conductor::Disturbance;
use crate::journal::Journal;
use crate::load::{Books, Waiting};
use crate::machine::Step;
use crate::target::Target;

/// How often the waits are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Evidence that is not there within this time is done without: the target may answer nothing at all.
const EVIDENCE_WITHIN: Duration = Duration::from_secs(10);

/// Groups of blocked tasks that are kept.
const GROUPS_MAX: usize = 5;

/// The name under which dumps are kept.
const DUMPS: &str = "unresponsive";

/// What is watched for answers.
pub(super) struct Watch<'a> {
    pub(super) target: &'a Arc<dyn Target>,
    pub(super) books: &'a Arc<Books>,
    pub(super) journal: &'a Journal,
    pub(super) step: Step,
}

/// What became of operations that waited longer than one may take.
enum Next {
    Answered,
    NothingAsked,
    StillNothing,
    /// Nothing was answered, but the target works, and the operation may wait for that.
    Works,
}

/// A target that takes this share of a core works. Its metrics page, asked for many times a second, takes less.
const WORKS_SHARE: f64 = 0.3;

/// For so long it is looked at whether a target works.
const WORKS_FOR: Duration = Duration::from_secs(1);

/// Processor time of a target between two moments.
struct Work {
    began: Instant,
    cpu_seconds: Option<f64>,
}

impl Watch<'_> {
    /// Returns when no operation of a kind has been answered for twice as long as a call may take. A target that answers again before that
    /// is recorded as such, and watched on; so is one that works on what may wait for an index. While a fault is on, nobody expects an answer.
    pub(super) async fn until_unresponsive(&self, disturbance: &Disturbance) -> Waiting {
        if matches!(self.step.phase, Phase::Boot | Phase::Stop) {
            // Whether it answers is what a boot waits for.
            return std::future::pending().await;
        }
        let mut calm_since = Instant::now();
        // Operations that are waited for because the target works, and until when.
        let mut excused: Vec<(Operation, Instant)> = Vec::new();
        loop {
            sleep(LOOK_EVERY).await;
            if disturbance.is_on() {
                calm_since = Instant::now();
                continue;
            }
            let now = Instant::now();
            excused.retain(|(_, until)| *until > now);
            let waiting = self.books.log.all_waiting();
            let waiting = waiting.into_iter().find(|one| excused.iter().all(|(kind, _)| *kind != one.operation));
            let Some(waiting) = waiting else { continue };
            let of_a_fault = self.step.phase.is_load() && disturbance.touched() && calm_since.elapsed() < waiting.limit;
            if waiting.waited < waiting.limit || of_a_fault {
                continue;
            }
            let before = self.books.log.answers(waiting.operation);
            let work = self.work().await;
            if waiting.waited < waiting.patience && waiting.patience > waiting.limit {
                sleep(WORKS_FOR).await;
                if self.has_worked_since(&work).await {
                    excused.push((waiting.operation, Instant::now() + waiting.limit / 2));
                    continue;
                }
            }
            let seen = self.evidence().await;
            let next = self.next_of(&waiting, before, &work).await;
            let waited = self.books.log.waited(waiting.operation).max(waiting.waited);
            match next {
                Next::NothingAsked => {}
                Next::Works => excused.push((waiting.operation, Instant::now() + waiting.limit)),
                Next::Answered => self.record(&Waiting { waited, ..waiting }, true, seen),
                Next::StillNothing => {
                    self.record(&Waiting { waited, ..waiting }, false, seen);
                    return Waiting { waited, ..waiting };
                }
            }
        }
    }

    async fn work(&self) -> Work {
        let process = self.target.probe().process().await;
        let cpu = process.into_iter().find(|(name, _)| *name == "cpu_seconds_total").map(|(_, seconds)| seconds);
        Work { began: Instant::now(), cpu_seconds: cpu }
    }

    /// Whether the target has worked since: batches over HTTP are answered once they are indexed, which a server may take long for.
    async fn has_worked_since(&self, before: &Work) -> bool {
        let now = self.work().await;
        let seconds = now.began.duration_since(before.began).as_secs_f64().max(1e-3);
        let used = now.cpu_seconds.zip(before.cpu_seconds).map(|(now, before)| now - before);
        match used {
            Some(used) => used / seconds >= WORKS_SHARE,
            // Of a server whose process is not known, only an answer to something else shows that it lives.
            None => timeout(EVIDENCE_WITHIN, self.target.control().ready()).await.is_ok_and(|ready| ready.is_ok()),
        }
    }

    /// Records that the target did not answer the operation that a step failed by. Nothing is recorded where it answered.
    pub(super) async fn of_failed_step(&self) {
        let waiting = self.books.log.waiting().filter(|waiting| waiting.waited >= waiting.limit);
        if let Some(waiting) = waiting {
            let seen = self.evidence().await;
            self.record(&waiting, false, seen);
        }
    }

    /// Waits until one operation of the kind is answered, none is asked any more, or the limit is over once more.
    async fn next_of(&self, waiting: &Waiting, answers_before: u64, work: &Work) -> Next {
        // The first look is at the limit; one after the target has worked comes later.
        let at_most =
            if waiting.waited < 2 * waiting.limit { 2 * waiting.limit } else { waiting.waited + waiting.limit };
        loop {
            if self.books.log.answers(waiting.operation) > answers_before {
                return Next::Answered;
            }
            let waited = self.books.log.waited(waiting.operation);
            if waited >= at_most {
                let may_work = waited < waiting.patience && self.has_worked_since(work).await;
                return if may_work { Next::Works } else { Next::StillNothing };
            }
            if waited.is_zero() {
                // The phase asks something else now, and that is watched as well.
                return Next::NothingAsked;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// What the target is doing, as far as it still says so. Heap profile, task dump and mappings are kept among the artefacts.
    async fn evidence(&self) -> Vec<TaskGroup> {
        let control = self.target.control();
        let dumps = timeout(EVIDENCE_WITHIN, self.target.keep_dumps(DUMPS));
        let groups = timeout(EVIDENCE_WITHIN, control.tasks());
        let (_, groups) = tokio::join!(dumps, groups);
        let groups = groups.ok().and_then(Result::ok).flatten().unwrap_or_default();
        tasks::blocked(&groups).into_iter().take(GROUPS_MAX).collect()
    }

    fn record(&self, waiting: &Waiting, recovered: bool, blocked: Vec<TaskGroup>) {
        let Step { phase, cycle } = self.step;
        self.journal.event(EventKind::Unresponsive {
            phase,
            cycle,
            operation: waiting.operation,
            in_flight: waiting.in_flight,
            seconds: waiting.waited.as_secs_f64(),
            recovered,
            blocked,
            last_lines: self.target.last_lines(),
        });
    }
}

/// The reason for which the variant ends.
pub(super) fn reason(waiting: &Waiting) -> String {
    let (in_flight, seconds) = (waiting.in_flight, waiting.waited.as_secs_f64());
    let what = match waiting.operation {
        Operation::Put => format!("{in_flight} open put streams"),
        Operation::Search | Operation::Upsert | Operation::Delete => {
            format!("{in_flight} requests of the kind `{}` in flight", waiting.operation.name())
        }
        other => format!("a {} in flight", other.name()),
    };
    format!("the target is unresponsive: with {what} it answered none for {seconds:.0} s")
}
