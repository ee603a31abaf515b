//! A target of several containers: one load, one record. When one dies the load goes on over the others, because that is how a cascade shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::future::join_all;
use soak_record::TaskGroup;
use soak_scenario::{Plan, Variant, series};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::super::reached::Driven as _;
use super::ContainerTarget;
use crate::client::{Member, SpreadClient};
use crate::sampler::proc;
use crate::target::{CallError, Client, Control, Ending, Families, Knob, LeakedTasks, Probe, Target, Values};

/// Series that are the same of each replica, not amounts to be added up. (A memory limit is an amount: the limits of all bound the heaps of all.)
const SETTINGS: [&str; 2] = ["gogc_percent", series::OF_THE_PAGE];

/// The replicas of a variant.
pub(super) struct Replicas {
    members: Vec<Arc<ContainerTarget>>,
    dead: Vec<Arc<AtomicBool>>,
    client: Arc<SpreadClient>,
    /// What each member's watch tells of its end, and how many ends have been told on.
    endings: Mutex<(mpsc::Receiver<(usize, Ending)>, usize)>,
    /// Dropped with the target.
    _watches: JoinSet<()>,
}

impl Replicas {
    pub(super) fn new(plan: &Plan, variant: &Variant, members: Vec<Arc<ContainerTarget>>) -> Self {
        let dead: Vec<Arc<AtomicBool>> = members.iter().map(|_| Arc::default()).collect();
        let of_load = members.iter().zip(&dead);
        // A scenario of several replicas that speak anything else is refused.
        let of_load = of_load.filter_map(|(member, dead)| {
            let client = member.0.access().flight()?;
            Some(Member { client, dead: Arc::clone(dead), has_data: Arc::default() })
        });
        let rows = plan.workload.rows_per_cycle(variant.knobs.dim);
        let client = Arc::new(SpreadClient::new(of_load.collect(), rows, variant.knobs.batch_rows));
        let (tell, told) = mpsc::channel(members.len());
        let mut watches = JoinSet::new();
        for (index, (member, dead)) in members.iter().zip(&dead).enumerate() {
            let (member, dead, tell) = (Arc::clone(member), Arc::clone(dead), tell.clone());
            watches.spawn(async move {
                let ending = member.ended().await;
                // The load passes it over from now on.
                dead.store(true, Ordering::Relaxed);
                // Nobody listens any more when the target has been stopped.
                let _ = tell.send((index, ending)).await;
            });
        }
        Self { members, dead, client, endings: Mutex::new((told, 0)), _watches: watches }
    }
}

#[async_trait]
impl Target for Replicas {
    fn pid(&self) -> u32 {
        self.members.first().map_or(0, |member| member.pid())
    }

    fn build(&self) -> Option<String> {
        self.members.first().and_then(|member| member.build())
    }

    /// Of the first that lives.
    fn addr(&self) -> Option<SocketAddr> {
        let living = self.members.iter().zip(&self.dead).find(|(_, dead)| !dead.load(Ordering::Relaxed));
        living.and_then(|(member, _)| member.addr())
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::<SpreadClient>::clone(&self.client)
    }

    fn control(&self) -> Arc<dyn Control> {
        let each = self.members.iter().zip(&self.dead);
        Arc::new(All(each.map(|(member, dead)| (member.control(), Arc::clone(dead))).collect::<Vec<_>>()))
    }

    fn probe(&self) -> Arc<dyn Probe> {
        let each = self.members.iter().zip(&self.dead);
        Arc::new(All(each.map(|(member, dead)| (member.probe(), Arc::clone(dead))).collect::<Vec<_>>()))
    }

    /// Of one of them: they are alike, and a folder a replica would only be more to look through.
    async fn keep_dumps(&self, phase: &str) {
        let living = self.members.iter().zip(&self.dead).find(|(_, dead)| !dead.load(Ordering::Relaxed));
        if let Some((member, _)) = living {
            member.keep_dumps(phase).await;
        }
    }

    async fn ended(&self) -> Ending {
        let (endings, told) = &mut *self.endings.lock().await;
        match endings.recv().await {
            Some((index, mut ending)) => {
                *told += 1;
                ending.how = format!("replica {index}: {}", ending.how);
                // Not those that are alive: the ends of some may not have been told yet.
                ending.living = (self.members.len() - *told) as u32;
                ending
            }
            // Every member's end has been told.
            None => std::future::pending().await,
        }
    }

    async fn stop(&self) {
        join_all(self.members.iter().map(|member| member.stop())).await;
    }
}

/// The same side of every replica, and whether that replica has ended.
struct All<T: ?Sized>(Vec<(Arc<T>, Arc<AtomicBool>)>);

impl<T: ?Sized> All<T> {
    fn living(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter().filter(|(_, dead)| !dead.load(Ordering::Relaxed)).map(|(side, _)| side)
    }
}

#[async_trait]
impl Control for All<dyn Control> {
    async fn ready(&self) -> Result<(), CallError> {
        join_all(self.living().map(|control| control.ready())).await.into_iter().collect()
    }

    async fn collect(&self) -> Result<(), CallError> {
        join_all(self.living().map(|control| control.collect())).await.into_iter().collect()
    }

    async fn compact(&self) -> Result<(), CallError> {
        join_all(self.living().map(|control| control.compact())).await.into_iter().collect()
    }

    async fn tasks(&self) -> Result<Option<Vec<TaskGroup>>, CallError> {
        let mut groups: BTreeMap<String, TaskGroup> = BTreeMap::new();
        for dump in join_all(self.living().map(|control| control.tasks())).await {
            let Some(dump) = dump? else { return Ok(None) };
            for group in dump {
                let known = groups.entry(group.signature.clone()).or_insert(TaskGroup { count: 0, ..group.clone() });
                known.count += group.count;
                known.oldest_minutes = known.oldest_minutes.max(group.oldest_minutes);
            }
        }
        let mut groups: Vec<TaskGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(Some(groups))
    }

    async fn leaked_tasks(&self) -> Result<Option<LeakedTasks>, CallError> {
        let mut all = LeakedTasks { total: Some(0), groups: Vec::new() };
        for leaked in join_all(self.living().map(|control| control.leaked_tasks())).await {
            let Some(leaked) = leaked? else { return Ok(None) };
            // What one replica cannot tell, all of them cannot.
            all.total = all.total.zip(leaked.total).map(|(one, other)| one + other);
            for group in leaked.groups {
                match all.groups.iter_mut().find(|known| known.signature == group.signature) {
                    Some(known) => known.count += group.count,
                    None => all.groups.push(group),
                }
            }
        }
        all.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(Some(all))
    }
}

#[async_trait]
impl Probe for All<dyn Probe> {
    async fn process(&self) -> Values {
        proc::sum(join_all(self.living().map(|probe| probe.process())).await.into_iter())
    }

    async fn smaps(&self) -> Values {
        proc::sum(join_all(self.living().map(|probe| probe.smaps())).await.into_iter())
    }

    async fn metrics(&self) -> Result<Values, CallError> {
        let pages: Vec<Values> =
            join_all(self.living().map(|probe| probe.metrics())).await.into_iter().collect::<Result<_, _>>()?;
        let settings: Values =
            pages.first().into_iter().flatten().copied().filter(|(name, _)| SETTINGS.contains(name)).collect();
        let mut values = proc::sum(pages.into_iter());
        for (name, value) in settings {
            values.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, sum)| *sum = value);
        }
        Ok(values)
    }

    async fn json(&self) -> Values {
        proc::sum(join_all(self.living().map(|probe| probe.json())).await.into_iter())
    }

    /// Of the first: what is on one page is on all.
    async fn families(&self) -> Result<Families, CallError> {
        match self.living().next() {
            Some(probe) => probe.families().await,
            None => Ok(Families::default()),
        }
    }

    /// A knob holds only where every replica says the same.
    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, CallError> {
        let mut pages = join_all(self.living().map(|probe| probe.knobs())).await.into_iter();
        let mut knobs = pages.next().unwrap_or_else(|| Ok(BTreeMap::new()))?;
        for page in pages {
            for (name, knob) in page? {
                let known = knobs.entry(name).or_insert_with(|| knob.clone());
                if known.value != knob.value {
                    *known = Knob {
                        value: None,
                        source: format!("replicas differ: {:?} and {:?}", known.value, knob.value),
                    };
                }
            }
        }
        Ok(knobs)
    }
}
