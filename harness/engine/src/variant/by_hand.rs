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
    /// Compactions that were asked for. None outlives the variant.
    compactions: JoinSet<()>,
}

impl<'a> ByHand<'a> {
    pub(super) fn new(wishes: &'a mut Wishes) -> Self {
        Self { wishes, compactions: JoinSet::new() }
    }

    pub(super) fn wishes(&self) -> &Wishes {
        self.wishes
    }

    /// Does what is asked for; returns when the end is.
    pub(super) async fn until_stop(&mut self, now: Now<'_>) {
        loop {
            match self.wishes.next().await {
                Wish::Stop => return,
                // The load looks for itself.
                Wish::Pause => now.tell(HandAction::PauseLoad, None),
                Wish::Resume => now.tell(HandAction::ResumeLoad, None),
                Wish::Compact => self.compact(&now),
            }
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
