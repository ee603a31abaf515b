//! The operations of a query phase: what the mix, the seed and the ledger say comes next.

use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64;
use soak_scenario::Mix;

use crate::hash::key;
use crate::ledger::Ledger;

/// One operation of a query phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Search for the neighbours of this query row (see [`crate::QUERY_ROWS`]).
    Search {
        /// Row of the query vector.
        row: u64,
    },
    /// Put the second version of a live row.
    Upsert {
        /// Its id.
        id: u64,
    },
    /// Delete a live row.
    Delete {
        /// Its id.
        id: u64,
    },
}

/// The kinds of operations that a record tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperationKind {
    /// A batch put during ingest.
    Put,
    /// A search.
    Search,
    /// A put of one row under an id that is live.
    Upsert,
    /// A delete.
    Delete,
}

impl OperationKind {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Search => "search",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

impl Operation {
    /// Its kind.
    pub fn kind(self) -> OperationKind {
        match self {
            Self::Search { .. } => OperationKind::Search,
            Self::Upsert { .. } => OperationKind::Upsert,
            Self::Delete { .. } => OperationKind::Delete,
        }
    }
}

/// Draws operations. The same seed, cycle and ledger give the same operations.
#[derive(Debug)]
pub struct Operations {
    random: Pcg64,
    mix: Mix,
    next_query: u64,
}

impl Operations {
    /// The operations of one cycle.
    pub fn new(mix: Mix, seed: u64, cycle: u32) -> Self {
        let cycle = u64::from(cycle);
        let random = Pcg64::seed_from_u64(key(&[seed, cycle]));
        // A million queries a cycle before two cycles could share one.
        Self { random, mix, next_query: crate::QUERY_ROWS + (cycle << 20) }
    }

    /// The next operation. Upserts and deletes become searches when no row is live.
    pub fn draw(&mut self, ledger: &Ledger) -> Operation {
        let Mix { search, upsert, delete } = self.mix;
        let place = self.random.random_range(0..(search + upsert + delete).max(1));
        let victim = if place < search { None } else { ledger.pick_live(&mut self.random) };
        match victim {
            Some(id) if place < search + upsert => Operation::Upsert { id },
            Some(id) => Operation::Delete { id },
            None => {
                self.next_query += 1;
                Operation::Search { row: self.next_query - 1 }
            }
        }
    }

    /// The generator, for other draws of the same cycle.
    pub fn random(&mut self) -> &mut impl Rng {
        &mut self.random
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::RowState;

    #[test]
    fn the_mix_is_kept_and_the_seed_decides() {
        let mut ledger = Ledger::new(0, 1000);
        ledger.set_all(0..1000, RowState::Live);
        let mix = Mix { search: 80, upsert: 15, delete: 5 };
        let draw = |seed| {
            let mut operations = Operations::new(mix, seed, 3);
            (0..2000).map(|_| operations.draw(&ledger)).collect::<Vec<_>>()
        };
        let drawn = draw(9);
        let count = |kind| drawn.iter().filter(|operation| operation.kind() == kind).count();
        assert!((1520..1680).contains(&count(OperationKind::Search)), "{}", count(OperationKind::Search));
        assert!((60..140).contains(&count(OperationKind::Delete)), "{}", count(OperationKind::Delete));
        assert_eq!(drawn, draw(9));
        assert_ne!(drawn, draw(10));
    }

    #[test]
    fn an_empty_store_is_only_searched() {
        let mut operations = Operations::new(Mix { search: 0, upsert: 1, delete: 1 }, 1, 0);
        assert_eq!(operations.draw(&Ledger::new(0, 10)).kind(), OperationKind::Search);
    }
}
