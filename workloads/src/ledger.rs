//! The ledger of one cycle: which rows were acknowledged, which are indeterminate, which are live, which should be gone.

use rand::{Rng, RngExt};

/// What is known of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// Never sent, or refused: it is not there.
    Absent,
    /// Sent, and the answer never came: perhaps there, perhaps not.
    Indeterminate,
    /// Put and acknowledged.
    Live,
    /// Put again under the same id and acknowledged: the second version is there.
    Replaced,
    /// Acknowledged, and put again without an answer: one of the two versions is there.
    PerhapsReplaced,
    /// Deleted and acknowledged.
    Deleted,
    /// Its delete was sent and the answer never came.
    PerhapsDeleted,
}

/// The rows of one cycle: ids `first .. first + len`.
#[derive(Debug, Clone)]
pub struct Ledger {
    first: u64,
    rows: Vec<RowState>,
    live: u64,
}

impl Ledger {
    /// A ledger of `len` rows that are not yet sent.
    pub fn new(first: u64, len: u64) -> Self {
        Self { first, rows: vec![RowState::Absent; len as usize], live: 0 }
    }

    /// Id of the first row.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of rows, sent or not.
    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows that are certainly live.
    pub fn live(&self) -> u64 {
        self.live
    }

    /// How many rows are in this state.
    pub fn count(&self, state: RowState) -> u64 {
        self.rows.iter().filter(|row| **row == state).count() as u64
    }

    /// The state of a row; a row of another cycle is absent.
    pub fn state(&self, id: u64) -> RowState {
        let at = id.checked_sub(self.first).and_then(|at| self.rows.get(at as usize));
        at.copied().unwrap_or(RowState::Absent)
    }

    /// Notes what is now known of a row; a row of another cycle is left alone.
    pub fn set(&mut self, id: u64, state: RowState) {
        let Some(row) = id.checked_sub(self.first).and_then(|at| self.rows.get_mut(at as usize)) else { return };
        let is_live = |state| matches!(state, RowState::Live | RowState::Replaced);
        self.live = self.live + u64::from(is_live(state)) - u64::from(is_live(*row));
        *row = state;
    }

    /// Notes the same of a run of rows.
    pub fn set_all(&mut self, ids: std::ops::Range<u64>, state: RowState) {
        ids.for_each(|id| self.set(id, state));
    }

    /// Ids that are certainly live, in order.
    pub fn live_ids(&self) -> impl Iterator<Item = u64> + '_ {
        let states = (self.first..).zip(&self.rows);
        states.filter(|(_, state)| matches!(state, RowState::Live | RowState::Replaced)).map(|(id, _)| id)
    }

    /// Ids that are, or may be, there, in order.
    pub fn perhaps_there(&self) -> Vec<u64> {
        let gone = |state: &RowState| matches!(state, RowState::Absent | RowState::Deleted);
        (self.first..).zip(&self.rows).filter(|(_, state)| !gone(state)).map(|(id, _)| id).collect()
    }

    /// A live row, each with the same chance; `None` when there is none.
    pub fn pick_live(&self, random: &mut impl Rng) -> Option<u64> {
        if self.live == 0 {
            return None;
        }
        // Mostly live rows: a few tries nearly always hit one.
        for _ in 0..64 {
            let id = self.first + random.random_range(0..self.len());
            if matches!(self.state(id), RowState::Live | RowState::Replaced) {
                return Some(id);
            }
        }
        self.live_ids().nth(random.random_range(0..self.live) as usize)
    }

    /// Which rows to delete so that `count` of those that were put are deleted in the end: a random choice among the live ones, ascending.
    pub fn choose_deletes(&self, count: u64, random: &mut impl Rng) -> Vec<u64> {
        let gone = self.count(RowState::Deleted) + self.count(RowState::PerhapsDeleted);
        let mut wanted = count.saturating_sub(gone).min(self.live);
        let mut left = self.live;
        let mut chosen = Vec::with_capacity(wanted as usize);
        // Selection sampling (Knuth, TAOCP 3.4.2, algorithm S): one pass, no shuffle.
        for id in self.live_ids() {
            if random.random_range(0..left) < wanted {
                chosen.push(id);
                wanted -= 1;
            }
            left -= 1;
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn live_rows_are_counted_through_every_change() {
        let mut ledger = Ledger::new(1000, 10);
        ledger.set_all(1000..1008, RowState::Live);
        ledger.set(1003, RowState::Replaced);
        ledger.set(1004, RowState::Deleted);
        ledger.set(1008, RowState::Indeterminate);
        ledger.set(5, RowState::Live);
        assert_eq!((ledger.live(), ledger.live_ids().count()), (7, 7));
        assert_eq!(ledger.state(1009), RowState::Absent);
        assert_eq!(ledger.state(5), RowState::Absent);
    }

    #[test]
    fn deletes_are_a_random_part_of_the_live_rows() {
        let mut ledger = Ledger::new(0, 1000);
        ledger.set_all(0..1000, RowState::Live);
        ledger.set(0, RowState::Deleted);
        let mut random = Pcg64::seed_from_u64(1);
        let chosen = ledger.choose_deletes(280, &mut random);
        assert_eq!(chosen.len(), 279, "one was deleted before");
        assert!(chosen.is_sorted() && !chosen.contains(&0));
        let low = chosen.iter().filter(|id| **id < 500).count();
        assert!((100..180).contains(&low), "{low} in the lower half");
        assert_eq!(chosen, ledger.choose_deletes(280, &mut Pcg64::seed_from_u64(1)), "the seed decides");
    }

    #[test]
    fn a_pick_is_live() {
        let mut ledger = Ledger::new(0, 10_000);
        assert_eq!(ledger.pick_live(&mut Pcg64::seed_from_u64(1)), None);
        ledger.set(7777, RowState::Live);
        assert_eq!(ledger.pick_live(&mut Pcg64::seed_from_u64(1)), Some(7777));
    }
}
