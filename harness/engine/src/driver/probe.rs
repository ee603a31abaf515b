//! The probe of a process: `/proc`, its cgroup, and its metrics page through the profile.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use soak_scenario::{Profile, series};

use super::cgroup::Cgroup;
use crate::http;
use crate::sampler::metrics_page::{self, Selector};
use crate::sampler::proc;
use crate::target::{CallError, Knob, Probe, Values};

/// The probe.
#[derive(Debug)]
pub(super) struct ProcessProbe {
    pid: String,
    cgroup: Option<Arc<Cgroup>>,
    addr: SocketAddr,
    page: Option<String>,
    series: Vec<(&'static str, Selector)>,
    knobs: Vec<(String, String, Selector)>,
    deadline: Duration,
}

impl ProcessProbe {
    pub(super) fn new(
        pid: u32,
        cgroup: Option<Arc<Cgroup>>,
        addr: SocketAddr,
        profile: &Profile,
        deadline: Duration,
    ) -> Self {
        let selectors = profile
            .series
            .iter()
            .filter_map(|(name, metric)| Some((series::find(name)?.name, Selector::parse(metric)?)));
        let knobs = profile
            .attest
            .iter()
            .filter_map(|(knob, metric)| Some((knob.clone(), metric.clone(), Selector::parse(metric)?)));
        Self {
            pid: pid.to_string(),
            cgroup,
            addr,
            page: profile.endpoints.metrics.clone(),
            series: selectors.collect(),
            knobs: knobs.collect(),
            deadline,
        }
    }

    async fn page(&self) -> Result<Option<String>, CallError> {
        let Some(endpoint) = &self.page else { return Ok(None) };
        http::call(self.addr, endpoint, self.deadline).await.map(Some)
    }
}

#[async_trait]
impl Probe for ProcessProbe {
    async fn process(&self) -> Values {
        let mut values = proc::process(&self.pid);
        if !values.is_empty() {
            values.extend(self.cgroup.iter().flat_map(|cgroup| cgroup.values()));
        }
        values
    }

    async fn smaps(&self) -> Values {
        let pid = self.pid.clone();
        // Walking the page tables of a large process takes long.
        tokio::task::spawn_blocking(move || proc::smaps(&pid)).await.unwrap_or_default()
    }

    async fn metrics(&self) -> Result<Values, CallError> {
        let Some(page) = self.page().await? else { return Ok(Values::new()) };
        let page = metrics_page::parse(&page);
        Ok(self.series.iter().filter_map(|(name, selector)| Some((*name, selector.read(&page)?))).collect())
    }

    async fn knobs(&self) -> Result<BTreeMap<String, Knob>, CallError> {
        let page = self.page().await?.unwrap_or_default();
        let page = metrics_page::parse(&page);
        let read = |(knob, metric, selector): &(String, String, Selector)| {
            (knob.clone(), Knob { value: selector.read(&page), source: format!("metric {metric}") })
        };
        let mut knobs: BTreeMap<String, Knob> = self.knobs.iter().map(read).collect();
        if let Some(cgroup) = &self.cgroup {
            let (value, source) = cgroup.effective_limit();
            knobs.insert("memory_limit".to_owned(), Knob { value, source });
        }
        Ok(knobs)
    }
}
