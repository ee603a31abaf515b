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
            if longest >= WAIT_LEAST && !works_through_all_data(operation) {
                let seconds = longest.as_secs_f64();
                self.journal.event(EventKind::Unanswered { phase, cycle, operation, seconds });
            }
        }
        for (operation, reasons, others) in self.books.log.take_errors(self.journal.now_s()) {
            self.journal.event(EventKind::OperationErrors { phase, cycle, operation, reasons, others });
        }
    }
}

/// Whether an operation of this kind may take long on a healthy target, so that a wait for it says nothing.
fn works_through_all_data(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Compact | Operation::ReadRows | Operation::Collect | Operation::DropDataset | Operation::Tasks
    )
}
