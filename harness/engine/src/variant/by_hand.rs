//! What a person does to a variant while it runs.

use std::sync::Arc;

use soak_record::{EventKind, HandAction};
use soak_scenario::Plan;
use tokio::task::JoinSet;

use crate::journal::Journal;
use crate::machine::Step;
use crate::operator::{Wish, Wishes};
use crate::target::{Target, within};

/// Where a wish meets a variant.
pub(super) struct Now<'a> {
    pub(super) plan: &'a Plan,
    pub(super) journal: &'a Journal,
    /// `None` before it has been started.
    pub(super) target: Option<&'a Arc<dyn Target>>,
    pub(super) step: Step,
}

impl Now<'_> {
    fn tell(&self, action: HandAction, error: Option<String>) {
        let Step { phase, cycle } = self.step;
        self.journal.event(EventKind::ByHand { action, phase, cycle, error });
    }
}

/// Hears what is asked for, and does it beside the variant's own work.
pub(super) struct ByHand<'a> {
    wishes: &'a mut Wishes,
    /// Whether it was told of this variant that the load rests.
    told_of_rest: bool,
    /// Compactions that were asked for. None goes on after the variant.
    compactions: JoinSet<()>,
}

impl<'a> ByHand<'a> {
    pub(super) fn new(wishes: &'a mut Wishes) -> Self {
        Self { wishes, told_of_rest: false, compactions: JoinSet::new() }
    }

    pub(super) fn wishes(&self) -> &Wishes {
        self.wishes
    }

    /// Does what is asked for; returns when the end is.
    pub(super) async fn until_stop(&mut self, now: Now<'_>) {
        loop {
            // The load looks for itself. A rest may have begun in the variant before, or between two phases.
            self.tell_of_rest(&now);
            match self.wishes.next().await {
                Wish::Stop => return,
                Wish::Pause => {}
                Wish::Compact => self.compact(&now),
            }
        }
    }

    fn tell_of_rest(&mut self, now: &Now<'_>) {
        let rests = self.wishes.load_is_held();
        if rests != self.told_of_rest {
            now.tell(if rests { HandAction::PauseLoad } else { HandAction::ResumeLoad }, None);
            self.told_of_rest = rests;
        }
    }

    fn compact(&mut self, now: &Now<'_>) {
        let compacts = now.plan.target.profile.endpoints.compacts();
        let Some(target) = now.target.filter(|_| compacts) else {
            let why = if compacts { "no target runs" } else { "the target cannot be asked to" };
            return now.tell(HandAction::Compact, Some(why.to_owned()));
        };
        now.tell(HandAction::Compact, None);
        let (control, deadline) = (target.control(), now.plan.deadlines.index.0);
        let (journal, Step { phase, cycle }) = (now.journal.clone(), now.step);
        self.compactions.spawn(async move {
            if let Err(error) = within(deadline, control.compact()).await {
                let (action, error) = (HandAction::Compact, Some(error.to_string()));
                journal.event(EventKind::ByHand { action, phase, cycle, error });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use soak_record::{Event, Phase};
    use soak_scenario::{Request, load};
    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;
    use crate::journal::Listener;

    type Told = Vec<(HandAction, Option<String>)>;

    #[derive(Clone, Default)]
    struct Keep(Arc<Mutex<Told>>);

    impl Listener for Keep {
        fn event(&self, event: &Event) {
            if let EventKind::ByHand { action, error, .. } = &event.kind {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push((*action, error.clone()));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_told_of_every_variant_that_it_touches() {
        let plan = load(&Request { scenario: "scenario2", ..Request::default() }).unwrap().plan;
        let kept = Keep::default();
        let journal = Journal::new(vec![Box::new(kept.clone())]);
        let (stop, stopped) = watch::channel(false);
        let (operator, mut wishes) = Wishes::of_operator(stopped);
        let step = Step { phase: Phase::Query, cycle: Some(1) };
        let now = || Now { plan: &plan, journal: &journal, target: None, step };
        operator.toggle_pause();
        for _ in 0..2 {
            let mut by_hand = ByHand::new(&mut wishes);
            assert!(timeout(Duration::from_secs(1), by_hand.until_stop(now())).await.is_err());
        }
        let mut by_hand = ByHand::new(&mut wishes);
        assert!(timeout(Duration::from_secs(1), by_hand.until_stop(now())).await.is_err());
        operator.toggle_pause();
        operator.compact();
        assert!(timeout(Duration::from_secs(1), by_hand.until_stop(now())).await.is_err());
        // This one began when it was over.
        let mut after = ByHand::new(&mut wishes);
        stop.send_replace(true);
        after.until_stop(now()).await;
        let told = kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let no_target = Some("no target runs".to_owned());
        let rest = (HandAction::PauseLoad, None);
        let mut wanted = vec![rest.clone(), rest.clone(), rest];
        wanted.extend([(HandAction::Compact, no_target), (HandAction::ResumeLoad, None)]);
        let sorted = |mut all: Told| {
            all.sort();
            all
        };
        assert_eq!(sorted(told), sorted(wanted));
    }
}
