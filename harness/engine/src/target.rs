//! What stands behind the run loop: a driver that starts targets, and the three ways to reach one. A simulated target implements the same.

mod call_error;
mod logged;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
pub use soak_diagnosis::metrics_page::Families;
use soak_record::{EventKind, TaskGroup};
use soak_scenario::{Injection, Variant};
use std::sync::Arc;

use crate::fault::Guard;
use crate::load::Progress;
use crate::oom::OutOfMemory;
pub use call_error::{CallError, Cause, Misfit, Why};
pub(crate) use logged::LoggedTarget;
pub use logged::{Calls, LoggedClient};

/// Starts targets.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Starts a fresh target for a variant; it need not answer yet.
    async fn start(&self, index: usize, variant: &Variant) -> Result<Arc<dyn Target>, StartError>;
}

/// A target that has been started.
#[async_trait]
pub trait Target: Send + Sync {
    /// Process id; 0 where there is none.
    fn pid(&self) -> u32;
    /// Which build it is, where that can be told.
    fn build(&self) -> Option<String> {
        None
    }
    /// How load reaches it.
    fn client(&self) -> Arc<dyn Client>;
    /// Where load reaches it; `None` where there is no connection to it.
    fn addr(&self) -> Option<SocketAddr> {
        None
    }
    /// How it is asked for collection, compaction and dumps.
    fn control(&self) -> Arc<dyn Control>;
    /// How its series are read.
    fn probe(&self) -> Arc<dyn Probe>;
    /// Injects a fault. An error says why it cannot be; nothing is left of it then.
    async fn inject(&self, injection: &Injection) -> Result<Box<dyn Guard>, String> {
        Err(format!("{} cannot be injected into such a target", injection.name()))
    }
    /// What has to be the same after a fault as before it: limits, processes, connections, each with what it is now.
    async fn condition(&self) -> Vec<Reading> {
        Vec::new()
    }
    /// Whether a fault holds up the load.
    fn load_is_held(&self) -> bool {
        false
    }
    /// What it has printed so far, where that is known.
    fn log(&self) -> Option<EventKind> {
        None
    }
    /// The last lines that it has printed.
    fn last_lines(&self) -> Vec<String> {
        Vec::new()
    }
    /// Keeps dumps of its memory among the run's artefacts, at the end of a phase. What cannot be had is noted there; nothing of the run depends on it.
    async fn keep_dumps(&self, _phase: &str) {}
    /// Waits until it has ended without being asked to. Of a target with several members, each call tells of one more that has ended.
    async fn ended(&self) -> Ending;
    /// Ends it, and waits until nothing of it is left.
    async fn stop(&self);
}

/// Something of a target that a fault may change and its healing has to put back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// What it is, for people.
    pub name: &'static str,
    /// What it is now.
    pub value: f64,
    /// Whether less of it is as good.
    pub may_fall: bool,
}

/// The load's side: the protocol.
#[async_trait]
pub trait Client: Send + Sync {
    /// Opens a stream of batches. Every byte that the target takes touches `progress`.
    async fn open_put(&self, progress: Progress) -> Result<(Box<dyn PutSender>, Box<dyn PutAcks>), CallError>;
    /// Ids of the `k` neighbours that the target finds for a query row.
    async fn search(&self, row: u64, k: u32) -> Result<Vec<u64>, CallError>;
    /// Puts the second version of a row.
    async fn upsert(&self, id: u64) -> Result<(), CallError>;
    /// Deletes a row.
    async fn delete(&self, id: u64) -> Result<(), CallError>;
    /// Deletes many rows with one request.
    async fn delete_many(&self, ids: &[u64]) -> Result<(), CallError> {
        for id in ids {
            self.delete(*id).await?;
        }
        Ok(())
    }
    /// Rows that one request deletes, at most.
    fn deletes_at_once(&self) -> usize {
        1
    }
    /// Whether everything acknowledged is indexed. Refused where there is no dataset.
    async fn is_indexed(&self) -> Result<bool, CallError>;
    /// Whether a search finds neighbours, so that its recall means something.
    fn finds_neighbours(&self) -> bool {
        true
    }
    /// Ids of all rows of the dataset, as often as they are there; none where there is no dataset.
    async fn ids(&self) -> Result<Vec<u64>, CallError>;
    /// Components of the vector of one row that is read back; `None` where rows cannot be read back with their vectors.
    async fn dim_read_back(&self) -> Result<Option<u32>, CallError> {
        Ok(None)
    }
    /// Number of rows of the dataset, where their ids cannot be read.
    async fn count(&self) -> Result<u64, CallError> {
        Err(CallError::refused("the target is not asked for the number of its rows"))
    }
    /// Drops the dataset.
    async fn drop_dataset(&self) -> Result<(), CallError>;
    /// Closes every connection; the next call opens new ones.
    fn disconnect(&self);
}

/// The sending half of a put stream.
#[async_trait]
pub trait PutSender: Send {
    /// Sends a batch; returns when the target's side has taken all of it.
    async fn send(&mut self, batch: Batch) -> Result<(), CallError>;
    /// Says that nothing more comes.
    fn finish(&mut self);
}

/// The receiving half of a put stream.
#[async_trait]
pub trait PutAcks: Send {
    /// The next answer, one for each batch and in their order; `None` when the target has ended the stream well.
    async fn next(&mut self) -> Result<Option<Ack>, CallError>;
}

/// An answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ack {
    /// The target asks for patience.
    pub slow_down: bool,
    /// The rows that it refused, where it took others of the batch.
    pub refused: Option<RefusedRows>,
}

/// Rows of a batch that were refused while others were taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRows {
    /// Their ids, ascending.
    pub ids: Vec<u64>,
    /// Why the first of them was, for people.
    pub why: String,
}

impl Ack {
    /// The batch in runs of rows of which all were taken (`true`) or all refused.
    pub fn parts(&self, batch: Batch) -> Vec<(Batch, bool)> {
        let refused = self.refused.as_ref().map_or(&[][..], |refused| &refused.ids);
        let mut parts: Vec<(Batch, bool)> = Vec::new();
        let mut next = refused.iter().peekable();
        for id in batch.ids() {
            let taken = next.next_if(|refused| **refused == id).is_none();
            match parts.last_mut() {
                Some((part, same)) if *same == taken => part.rows += 1,
                _ => parts.push((Batch { first: id, rows: 1, version: batch.version }, taken)),
            }
        }
        parts
    }
}

/// Rows that travel in one message: ids `first .. first + rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Id of the first row.
    pub first: u64,
    /// Number of rows.
    pub rows: u32,
    /// Added to a row for its vector: 0, or [`soak_workload::SECOND_VERSION`].
    pub version: u64,
}

impl Batch {
    /// The ids.
    pub fn ids(&self) -> std::ops::Range<u64> {
        self.first..self.first + u64::from(self.rows)
    }
}

/// What the target can be asked to do.
#[async_trait]
pub trait Control: Send + Sync {
    /// Whether it answers on every plane.
    async fn ready(&self) -> Result<(), CallError>;
    /// Forces a collection, where it has one.
    async fn collect(&self) -> Result<(), CallError>;
    /// Compacts the dataset; returns when that is done.
    async fn compact(&self) -> Result<(), CallError>;
    /// Gives retired memory back; refused where it cannot be asked to.
    async fn vacuum(&self) -> Result<(), CallError> {
        Err(CallError::refused("it has no vacuum"))
    }
    /// Empties its caches; refused where it cannot be asked to.
    async fn clear_cache(&self) -> Result<(), CallError> {
        Err(CallError::refused("it has no cache that it could be asked to empty"))
    }
    /// Its tasks by stack; `None` where it has no dump.
    async fn tasks(&self) -> Result<Option<Vec<TaskGroup>>, CallError>;
    /// Its tasks that can never run again; `None` where the profile does not ask for them.
    async fn leaked_tasks(&self) -> Result<Option<LeakedTasks>, CallError> {
        Ok(None)
    }
}

/// Tasks that the target's runtime proves can never run again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeakedTasks {
    /// How many; `None` where the runtime does not serve this profile.
    pub total: Option<u64>,
    /// They by stack, largest first.
    pub groups: Vec<TaskGroup>,
}

/// Series and values read in one go.
pub type Values = Vec<(&'static str, f64)>;

/// How series are read.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Of the process and its cgroup; empty once it is gone.
    async fn process(&self) -> Values;
    /// Of the process's page tables: slow.
    async fn smaps(&self) -> Values;
    /// Of the target's metrics page.
    async fn metrics(&self) -> Result<Values, CallError>;
    /// Series that the target tells in JSON, apart from its metrics page; what cannot be read is absent.
    async fn json(&self) -> Values {
        Values::new()
    }
    /// What is on the target's metrics page, by family; nothing where it has no page.
    async fn families(&self) -> Result<Families, CallError> {
        Ok(Families::default())
    }
    /// Knobs as the target and the kernel say they are.
    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, CallError>;
}

/// A knob, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// The value; absent when the page does not have it.
    pub value: Option<f64>,
    /// Where it was read.
    pub source: String,
}

/// How a target ended that was not asked to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// `exit 1`, `signal 9`, …
    pub how: String,
    /// The last lines it printed.
    pub last_lines: Vec<String>,
    /// What the kernel killed for memory, when it did.
    pub oom: Option<OutOfMemory>,
    /// How many members of the target are not known to have ended.
    pub living: u32,
    /// Whether it was lost sight of rather than seen to end: the machine's failure.
    pub lost: bool,
}

/// Why a target could not be started: the machine's doing, or the command's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Puts a deadline on a call.
pub(crate) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::time::timeout(deadline, call).await.unwrap_or(Err(CallError::TimedOut(deadline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_falls_into_runs_of_taken_and_refused_rows() {
        let batch = Batch { first: 10, rows: 5, version: 0 };
        let parts = |ids: &[u64]| {
            let refused = RefusedRows { ids: ids.to_vec(), why: "no room".to_owned() };
            let parts = Ack { slow_down: false, refused: Some(refused) }.parts(batch);
            parts.into_iter().map(|(part, taken)| (part.first, part.rows, taken)).collect::<Vec<_>>()
        };
        assert_eq!(parts(&[10, 13]), [(10, 1, false), (11, 2, true), (13, 1, false), (14, 1, true)]);
        assert_eq!(parts(&[13, 14]), [(10, 3, true), (13, 2, false)]);
        assert_eq!(Ack::default().parts(batch), [(batch, true)]);
    }
}
