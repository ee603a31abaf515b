//! Runs a plan against the simulated store and keeps all that was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use soak_engine::{Journal, Listener, RunEnd, Wishes, run};
use soak_record::{Event, EventKind, Outcome, Phase, Sample, Series, VariantRecord};
use soak_scenario::Plan;
use soak_verdict::{RunVerdict, judge};
use tokio::sync::watch;

use crate::target::{Faults, Seen, SimDriver};

/// What was told in a run.
pub(crate) struct Observed {
    pub(crate) end: RunEnd,
    pub(crate) operations: Vec<String>,
    told: Told,
    /// Faults that were injected, let go of, and healed before that.
    pub(crate) faults: [u32; 3],
    started: u32,
    stopped: u32,
    alive_tasks: usize,
}

#[derive(Debug, Default)]
struct Told {
    events: Vec<Event>,
    series: BTreeMap<String, Series>,
}

struct Keep(Arc<Mutex<Told>>);

impl Listener for Keep {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().events.push(event.clone());
    }

    fn sample(&self, sample: &Sample) {
        let mut told = self.0.lock().unwrap();
        for (name, value) in &sample.values {
            told.series.entry((*name).to_owned()).or_default().push(sample.at_s, *value);
        }
    }
}

/// Runs all of a plan of one variant.
pub(crate) fn simulate(plan: &Plan, seed: u64, faults: Faults) -> Observed {
    simulate_until(plan, seed, faults, None)
}

/// The same, interrupted after some time.
pub(crate) fn simulate_until(plan: &Plan, seed: u64, faults: Faults, interrupt: Option<Duration>) -> Observed {
    assert_eq!(plan.variants.len(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (told, seen) = (Arc::new(Mutex::new(Told::default())), Arc::new(Mutex::new(Seen::default())));
    let driver = SimDriver { seed, faults, seen: Arc::clone(&seen) };
    let end = runtime.block_on(async {
        let journal = Journal::new(vec![Box::new(Keep(Arc::clone(&told)))]);
        let (tell, interrupted) = watch::channel(false);
        let person = tokio::spawn(async move {
            match interrupt {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            tell.send_replace(true);
        });
        let end =
            run(plan, "simulated", &driver, &journal, soak_verdict::more_cycles, Wishes::only_to_stop(interrupted))
                .await;
        person.abort();
        end
    });
    // What was let go is gone only when the runtime has come by once more.
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    let alive_tasks = runtime.metrics().num_alive_tasks();
    drop(runtime);
    let (told, seen) = (std::mem::take(&mut *told.lock().unwrap()), std::mem::take(&mut *seen.lock().unwrap()));
    let faults = [seen.injected, seen.let_go, seen.healed];
    Observed {
        end,
        operations: seen.operations,
        told,
        faults,
        started: seen.started,
        stopped: seen.stopped,
        alive_tasks,
    }
}

impl Observed {
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &EventKind> {
        self.told.events.iter().map(|event| &event.kind)
    }

    pub(crate) fn count(&self, wanted: impl Fn(&EventKind) -> bool) -> usize {
        self.kinds().filter(|kind| wanted(kind)).count()
    }

    /// Length of the run in simulated seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.told.events.last().unwrap().at_s
    }

    pub(crate) fn phase_start(&self, phase: Phase, cycle: u32) -> f64 {
        let event = self.told.events.iter().find(
            |event| matches!(event.kind, EventKind::PhaseStarted { phase: p, cycle: c } if p == phase && c == Some(cycle)),
        );
        event.unwrap().at_s
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let ended = self.kinds().find_map(|kind| match kind {
            EventKind::VariantEnded { outcome } => Some(outcome.clone()),
            _ => None,
        });
        ended.unwrap()
    }

    /// Whatever was started was stopped, and no task of the harness goes on.
    pub(crate) fn nothing_is_left(&self) {
        assert_eq!((self.started, self.stopped, self.alive_tasks), (1, 1, 0));
        let [injected, let_go, healed] = self.faults;
        assert_eq!((let_go, healed), (injected, injected), "every fault is healed, on every way out");
    }

    pub(crate) fn judge(&self, plan: &Plan) -> RunVerdict {
        let variant = plan.variants[0].clone();
        let record = VariantRecord {
            variant,
            events: self.told.events.clone(),
            series: self.told.series.clone(),
            broken: Vec::new(),
        };
        judge("simulated", plan, [record])
    }
}
