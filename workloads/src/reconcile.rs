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
                (RowState::Live | RowState::Replaced, true) => found.expected += 1,
                (RowState::Live | RowState::Replaced, false) => {
                    found.expected += 1;
                    found.lost += 1;
                    self.set(id, RowState::Absent);
                }
                (RowState::Indeterminate | RowState::PerhapsDeleted, _) => {
                    found.indeterminate += 1;
                    self.set(id, if is_there { RowState::Live } else { RowState::Absent });
                }
                (RowState::Absent | RowState::Deleted, true) => found.resurrected += 1,
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
        let mut ledger = Ledger::new(10, 8);
        ledger.set_all(10..14, RowState::Live);
        ledger.set(14, RowState::Deleted);
        ledger.set(15, RowState::Indeterminate);
        ledger.set(16, RowState::PerhapsDeleted);
        // 10 is there, 11 twice, 12 is lost, 13 is there, 14 came back, 15 was taken, 16 was deleted, 99 is nobody's.
        let found = ledger.reconcile([10, 11, 11, 13, 14, 15, 99]);
        assert_eq!(found, Reconciled { expected: 4, lost: 1, doubled: 1, resurrected: 2, indeterminate: 2 });
        assert_eq!(ledger.state(12), RowState::Absent);
        assert_eq!((ledger.state(15), ledger.state(16)), (RowState::Live, RowState::Absent));
        assert_eq!(ledger.live(), 4);
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        assert_eq!(Ledger::new(0, 0).reconcile([]), Reconciled::default());
    }
}
