//! What a target holds, row by row, against what it acknowledged: after a fault the ledger is set right by it.

use std::collections::HashMap;

use crate::ledger::{Ledger, RowState};

/// How many rows are not where they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// Rows that are acknowledged and not deleted.
    pub expected: u64,
    /// Of those, rows that are not there.
    pub lost: u64,
    /// Rows that are there more than once.
    pub doubled: u64,
    /// Rows that are there although they were deleted, refused or never sent.
    pub resurrected: u64,
    /// Rows of which it was not known whether they were taken: they may be there or not.
    pub indeterminate: u64,
}

impl Ledger {
    /// Compares with the ids that are there, in any order, and takes over what is there: lost rows are absent from now on, and what was
    /// indeterminate is known.
    pub fn reconcile(&mut self, ids: impl IntoIterator<Item = u64>) -> Reconciled {
        let mut there: HashMap<u64, u32> = HashMap::new();
        for id in ids {
            *there.entry(id).or_insert(0) += 1;
        }
        let mut found =
            Reconciled { doubled: there.values().filter(|count| **count > 1).count() as u64, ..Reconciled::default() };
        for id in self.first()..self.first() + self.len() {
            let is_there = there.remove(&id).is_some();
            match (self.state(id), is_there) {
                // Of what was put again without an answer nobody knows the version, but one was acknowledged.
                (RowState::Live | RowState::Replaced | RowState::PerhapsReplaced, true) => found.expected += 1,
                (RowState::Live | RowState::Replaced | RowState::PerhapsReplaced, false) => {
                    found.expected += 1;
                    found.lost += 1;
                    self.set(id, RowState::Absent);
                }
                (RowState::Indeterminate | RowState::PerhapsDeleted, _) => {
                    found.indeterminate += 1;
                    self.set(id, if is_there { RowState::Live } else { RowState::Absent });
                }
                (RowState::Absent | RowState::Deleted, true) => {
                    found.resurrected += 1;
                    // It is there now, and is not found again by the next comparison.
                    self.set(id, RowState::Live);
                }
                (RowState::Absent | RowState::Deleted, false) => {}
            }
        }
        // What is left belongs to no row of this cycle.
        found.resurrected += there.len() as u64;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_held_against_what_is_known_of_it() {
        let mut ledger = Ledger::new(10, 9);
        ledger.set_all(10..14, RowState::Live);
        ledger.set(14, RowState::Deleted);
        ledger.set(15, RowState::Indeterminate);
        ledger.set(16, RowState::PerhapsDeleted);
        ledger.set_all(17..19, RowState::PerhapsReplaced);
        // 10 is there, 11 twice, 12 is lost, 13 is there, 14 came back, 15 was taken, 16 was deleted, 17 is there, 18 is lost, 99 is nobody's.
        let found = ledger.reconcile([10, 11, 11, 13, 14, 15, 17, 99]);
        assert_eq!(found, Reconciled { expected: 6, lost: 2, doubled: 1, resurrected: 2, indeterminate: 2 });
        assert_eq!((ledger.state(12), ledger.state(18)), (RowState::Absent, RowState::Absent));
        assert_eq!((ledger.state(15), ledger.state(16)), (RowState::Live, RowState::Absent));
        assert_eq!((ledger.live(), ledger.state(14)), (5, RowState::Live));
        // What was found once is not found again.
        let again = ledger.reconcile([10, 11, 13, 14, 15, 17]);
        assert_eq!(again, Reconciled { expected: 6, ..Reconciled::default() });
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        assert_eq!(Ledger::new(0, 0).reconcile([]), Reconciled::default());
    }
}
