//! What faults lay hold of while they are on: a lever is one fault's at a time, and what ends the target is alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Lock, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// What a fault needs for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// This lever, beside faults on others.
    Lever(&'static str),
    /// The whole target.
    Alone,
}

/// What is held until this is dropped.
#[derive(Debug)]
pub(super) enum Taken {
    Lever { _target: OwnedRwLockReadGuard<()>, _lever: OwnedMutexGuard<()> },
    Alone { _target: OwnedRwLockWriteGuard<()> },
}

/// The levers of a target.
///
/// A scenario whose faults contradict each other is refused when it is checked; conditions, times of their own and faults that take a while to build up can still
/// bring two together, and the second to restore a setting would restore what the first had changed.
#[derive(Debug, Default)]
pub(super) struct InUse {
    target: Arc<RwLock<()>>,
    levers: Mutex<BTreeMap<&'static str, Arc<Lock<()>>>>,
}

impl InUse {
    /// Waits until it is free.
    pub(super) async fn take(&self, hold: Hold) -> Taken {
        let target = Arc::clone(&self.target);
        match hold {
            Hold::Alone => Taken::Alone { _target: target.write_owned().await },
            Hold::Lever(name) => {
                let target = target.read_owned().await;
                let lever = {
                    let mut levers = self.levers.lock().unwrap_or_else(PoisonError::into_inner);
                    Arc::clone(levers.entry(name).or_default())
                };
                Taken::Lever { _target: target, _lever: lever.lock_owned().await }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lever_is_one_faults_and_an_end_is_alone() {
        let in_use = InUse::default();
        let soon = Duration::from_secs(1);
        let memory = in_use.take(Hold::Lever("memory")).await;
        let cpu = timeout(soon, in_use.take(Hold::Lever("cpu"))).await;
        assert!(cpu.is_ok(), "another lever is free");
        assert!(timeout(soon, in_use.take(Hold::Lever("memory"))).await.is_err(), "it is held");
        assert!(timeout(soon, in_use.take(Hold::Alone)).await.is_err(), "others are on");
        drop((memory, cpu));
        let alone = in_use.take(Hold::Alone).await;
        assert!(timeout(soon, in_use.take(Hold::Lever("network"))).await.is_err(), "the target is ended");
        drop(alone);
        assert!(timeout(soon, in_use.take(Hold::Lever("memory"))).await.is_ok(), "all is free again");
    }
}
