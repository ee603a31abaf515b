//! The guard of nearly every abuse: tasks that end with it, counts that are its evidence, datasets that are dropped when it is healed.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinSet;

use super::site::Site;
use super::tally::{Counts, Tally};
use crate::fault::{Evidence, Guard};

/// An abuse that is going on. Dropped, it ends its tasks, and with them its streams and connections.
pub(super) struct Abuse {
    site: Site,
    tally: Arc<Tally>,
    tasks: JoinSet<()>,
    /// What it may have made on the target.
    datasets: Vec<String>,
    tell: Box<dyn Fn(&Counts) -> Evidence + Send>,
}

impl Abuse {
    /// One that does nothing yet. `tell` makes evidence of its counts.
    pub(super) fn new(site: &Site, tally: &Arc<Tally>, tell: impl Fn(&Counts) -> Evidence + Send + 'static) -> Self {
        let (site, tally, tell) = (site.clone(), Arc::clone(tally), Box::new(tell));
        Self { site, tally, tasks: JoinSet::new(), datasets: Vec::new(), tell }
    }

    /// The same with datasets that are dropped in the end.
    pub(super) fn with_datasets(mut self, datasets: impl IntoIterator<Item = String>) -> Self {
        self.datasets.extend(datasets);
        self
    }

    /// The same with a task more.
    pub(super) fn with_task(mut self, task: impl Future<Output = ()> + Send + 'static) -> Self {
        self.tasks.spawn(task);
        self
    }
}

#[async_trait]
impl Guard for Abuse {
    async fn evidence(&mut self) -> Evidence {
        if !self.tally.counts().answers {
            self.tally.note_answers(self.site.answers().await);
        }
        (self.tell)(&self.tally.counts())
    }

    async fn heal(mut self: Box<Self>) -> Result<(), String> {
        self.tasks.shutdown().await;
        self.site.drop_datasets(&self.datasets).await
    }
}
