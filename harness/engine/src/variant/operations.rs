//! What became of the operations of a phase: errors by reason, and waits.

use std::time::Duration;

use soak_record::{EventKind, Operation};

use super::Performer;
use crate::machine::Step;

/// Shorter waits are no news.
const WAIT_LEAST: Duration = Duration::from_secs(1);

impl Performer<'_> {
    /// Records the errors and the longest waits of the phase that ends.
    pub(super) fn tell_operations(&self, step: Step) {
        let (phase, cycle) = (step.phase, step.cycle);
        for (operation, longest) in self.books.log.take_longest() {
            if longest >= WAIT_LEAST && !self.may_take_long(operation) {
                let seconds = longest.as_secs_f64();
                self.journal.event(EventKind::Unanswered { phase, cycle, operation, seconds });
            }
        }
        for (operation, reasons, others) in self.books.log.take_errors(self.journal.now_s()) {
            self.journal.event(EventKind::OperationErrors { phase, cycle, operation, reasons, others });
        }
    }

    /// Whether an operation of this kind may take long on a healthy target, so that a wait for it says nothing. A batch over HTTP is answered once it is
    /// indexed; a server that does not work on it meanwhile is found by itself.
    fn may_take_long(&self, operation: Operation) -> bool {
        match operation {
            Operation::Compact
            | Operation::ReadRows
            | Operation::Collect
            | Operation::DropDataset
            | Operation::Tasks => true,
            Operation::Put => self.plan.target.profile.answers_when_indexed(),
            _ => false,
        }
    }
}
