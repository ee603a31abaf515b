//! The probe of a target: `/proc`, its cgroup, and its metrics page through the profile.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use soak_diagnosis::metrics_page::{self, Selector};
use soak_scenario::{Profile, series};

use super::cgroup::Group;
use crate::client::HttpClient;
use crate::http;
use crate::sampler::proc;
use crate::side::Sides;
use crate::target::{CallError, Families, Knob, Probe, Values};

/// A store that a script starts begins a moment after the script.
const LOOK_FOR_CHILDREN_EVERY: Duration = Duration::from_millis(500);

/// What begins the place of a value that is no metric.
const IN_JSON: &str = "GET ";

/// The processes of a target, and when they were last looked for.
#[derive(Debug, Default)]
struct Family {
    looked: Option<Instant>,
    members: Vec<u32>,
}

/// What of a target is watched on this machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    /// Its main process; `None` where only its endpoints are known.
    pub(super) pid: Option<u32>,
    /// The cgroup it is in, where it has one of its own.
    pub(super) group: Option<Group>,
}

/// A number in an answer in JSON.
#[derive(Debug)]
struct InJson {
    series: &'static str,
    endpoint: String,
    pointer: String,
    /// Both, as the profile has them.
    place: String,
}

impl InJson {
    fn of((name, place): (&String, &String)) -> Option<Self> {
        let (endpoint, pointer) = place.rsplit_once(' ')?;
        Some(Self {
            series: series::find(name)?.name,
            endpoint: endpoint.to_owned(),
            pointer: pointer.to_owned(),
            place: place.clone(),
        })
    }

    /// The number; of a list, its length.
    fn read(&self, answer: &str) -> Option<f64> {
        let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
        let there = answer.pointer(self.pointer.trim_end_matches('/'))?;
        there.as_f64().or_else(|| there.as_array().map(|list| list.len() as f64))
    }
}

/// The probe.
#[derive(Debug)]
pub(super) struct TargetProbe {
    watched: Mutex<Watched>,
    family: Mutex<Family>,
    sides: Sides,
    /// The client of the load, where the target speaks HTTP: it knows the names of the run.
    client: Option<HttpClient>,
    page: Option<String>,
    series: Vec<(&'static str, Selector)>,
    json: Vec<InJson>,
    knobs: Vec<(String, String, Selector)>,
    /// Knob → an endpoint that answers in JSON, and where in it the value is.
    told_in_json: BTreeMap<String, String>,
    deadline: Duration,
}

impl TargetProbe {
    pub(super) fn new(
        watched: Watched,
        sides: Sides,
        profile: &Profile,
        client: Option<HttpClient>,
        deadline: Duration,
    ) -> Self {
        let selectors = profile
            .series
            .iter()
            .filter_map(|(name, metric)| Some((series::find(name)?.name, Selector::parse(metric)?)));
        let knobs = profile
            .attest
            .iter()
            .filter(|(_, told)| !told.starts_with(IN_JSON))
            .filter_map(|(knob, metric)| Some((knob.clone(), metric.clone(), Selector::parse(metric)?)));
        let in_json = profile.attest.iter().filter(|(_, told)| told.starts_with(IN_JSON));
        Self {
            watched: Mutex::new(watched),
            family: Mutex::default(),
            sides,
            client,
            page: profile.endpoints.metrics.clone(),
            series: selectors.collect(),
            json: profile.json.iter().filter_map(InJson::of).collect(),
            knobs: knobs.collect(),
            told_in_json: in_json.map(|(knob, told)| (knob.clone(), told.clone())).collect(),
            deadline,
        }
    }

    /// From now on this is watched: the target was started again.
    pub(super) fn watch(&self, watched: Watched) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
        *self.family.lock().unwrap_or_else(PoisonError::into_inner) = Family::default();
    }

    fn watched(&self) -> Watched {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process and all that descend from it: a script that starts the store must not hide it.
    fn processes(&self) -> Values {
        let Some(pid) = self.watched().pid else { return Values::new() };
        let mut family = self.family.lock().unwrap_or_else(PoisonError::into_inner);
        if family.looked.is_none_or(|looked| looked.elapsed() >= LOOK_FOR_CHILDREN_EVERY) {
            family.looked = Some(Instant::now());
            family.members = proc::family(pid);
        }
        proc::sum(family.members.iter().map(|pid| proc::process(&pid.to_string())))
    }

    async fn page(&self) -> Result<Option<String>, CallError> {
        let Some(endpoint) = &self.page else { return Ok(None) };
        http::call(&self.sides.metrics, endpoint, self.deadline).await.map(Some)
    }
}

#[async_trait]
impl Probe for TargetProbe {
    async fn process(&self) -> Values {
        let mut values = self.processes();
        if !values.is_empty() {
            values.extend(self.watched().group.iter().flat_map(Group::values));
        }
        values
    }

    async fn smaps(&self) -> Values {
        let Some(pid) = self.watched().pid.map(|pid| pid.to_string()) else { return Values::new() };
        // Walking the page tables of a large process takes long.
        tokio::task::spawn_blocking(move || proc::smaps(&pid)).await.unwrap_or_default()
    }

    async fn metrics(&self) -> Result<Values, CallError> {
        let Some(page) = self.page().await? else { return Ok(Values::new()) };
        let page = metrics_page::parse(&page);
        let read = |(name, selector): &(&'static str, Selector)| Some((*name, selector.read(&page)?));
        let possible = |(name, value): &(&'static str, f64)| series::is_possible(name, *value);
        let mut values: Values = self.series.iter().filter_map(read).filter(possible).collect();
        values.push((series::OF_THE_PAGE, page.len() as f64));
        Ok(values)
    }

    async fn json(&self) -> Values {
        let mut values = Values::new();
        for one in &self.json {
            // One that cannot be read is absent, and the rest goes on.
            let value = if let Some(client) = &self.client {
                client.read_number(&one.place).await.ok().flatten()
            } else {
                let answer = http::call(&self.sides.http, &one.endpoint, self.deadline).await;
                answer.ok().and_then(|answer| one.read(&answer))
            };
            let possible = value.filter(|value| series::is_possible(one.series, *value));
            values.extend(possible.map(|value| (one.series, value)));
        }
        values
    }

    async fn families(&self) -> Result<Families, CallError> {
        let page = self.page().await?.unwrap_or_default();
        Ok(Families::of(&metrics_page::parse(&page)))
    }

    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, CallError> {
        let page = self.page().await?.unwrap_or_default();
        let page = metrics_page::parse(&page);
        let read = |(knob, metric, selector): &(String, String, Selector)| {
            (knob.clone(), Knob { value: selector.read(&page), source: format!("metric {metric}") })
        };
        let mut knobs: BTreeMap<String, Knob> = self.knobs.iter().map(read).collect();
        if let Some(client) = &self.client {
            knobs.extend(client.settings(&self.told_in_json).await);
        }
        if let Some(group) = &self.watched().group {
            let (value, source) = group.effective_limit();
            knobs.insert("memory_limit".to_owned(), Knob { value, source });
        }
        Ok(knobs)
    }
}
