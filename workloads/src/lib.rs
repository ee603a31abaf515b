//! What a target is loaded with: seeded vectors, schedules, operations, the ledger of live data, the recall oracle. Pure: no clock, no IO.

mod hash;
mod ledger;
mod operations;
pub mod oracle;
mod reconcile;
mod schedule;
mod vectors;

pub use ledger::{Ledger, RowState};
pub use operations::{Operation, OperationKind, Operations};
pub use reconcile::Reconciled;
pub use schedule::Starts;
pub use vectors::{CLUSTERS, QUERY_ROWS, Row, SECOND_VERSION, Vectors};
