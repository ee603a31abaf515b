//! Control over HTTP, at the paths that the profile names.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::StatusCode;
use soak_diagnosis::tasks;
use soak_record::TaskGroup;
use soak_scenario::Endpoints;

use crate::discovery::{self, Limits, PageError};
use crate::http;
use crate::side::Sides;
use crate::target::{CallError, Client, Control, LeakedTasks};

/// A profile of leaked tasks has one entry for each stack.
const LEAKED_BYTES_MAX: usize = 8 << 20;

/// Control of a process.
pub(super) struct HttpControl {
    pub(super) sides: Sides,
    pub(super) endpoints: Endpoints,
    pub(super) dataset: String,
    pub(super) client: Arc<dyn Client>,
    pub(super) call: Duration,
    /// A compaction may take as long as indexing.
    pub(super) compaction: Duration,
}

#[async_trait]
impl Control for HttpControl {
    async fn ready(&self) -> Result<(), CallError> {
        if let Some(ready) = &self.endpoints.ready {
            http::call(&self.sides.http, ready, self.call).await?;
        }
        if let Some(metrics) = &self.endpoints.metrics {
            http::call(&self.sides.metrics, metrics, self.call).await?;
        }
        // A dataset that is not there is an answer too.
        match self.client.is_indexed().await {
            Ok(_) | Err(CallError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn collect(&self) -> Result<(), CallError> {
        let Some(collect) = &self.endpoints.collect else { return Ok(()) };
        // The first collection only marks what the second gives back.
        for _ in 0..2 {
            http::call(&self.sides.profile, collect, self.call).await?;
        }
        Ok(())
    }

    async fn compact(&self) -> Result<(), CallError> {
        let (one, all) = (&self.endpoints.compact, &self.endpoints.compact_all);
        let Some(endpoint) = one.as_ref().or(all.as_ref()) else {
            return Err(CallError::refused("the profile names no endpoint that compacts"));
        };
        let endpoint = endpoint.replace("{dataset}", &http::encode(&self.dataset));
        http::call(&self.sides.http, &endpoint, self.compaction).await.map(|_| ())
    }

    async fn vacuum(&self) -> Result<(), CallError> {
        let Some(endpoint) = &self.endpoints.vacuum else {
            return Err(CallError::refused("the profile names no endpoint `vacuum`"));
        };
        http::call(&self.sides.http, endpoint, self.compaction).await.map(|_| ())
    }

    async fn clear_cache(&self) -> Result<(), CallError> {
        let Some(endpoint) = &self.endpoints.clear_cache else {
            return Err(CallError::refused("the profile names no endpoint `clear_cache`"));
        };
        http::call(&self.sides.http, endpoint, self.call).await.map(|_| ())
    }

    async fn tasks(&self) -> Result<Option<Vec<TaskGroup>>, CallError> {
        let Some(endpoint) = &self.endpoints.tasks else { return Ok(None) };
        http::call(&self.sides.profile, endpoint, self.call).await.map(|dump| Some(tasks::groups(&dump)))
    }

    async fn leaked_tasks(&self) -> Result<Option<LeakedTasks>, CallError> {
        let Some(endpoint) = &self.endpoints.leaked_tasks else { return Ok(None) };
        let path = endpoint.strip_prefix("GET ").unwrap_or(endpoint);
        let limits = Limits { deadline: self.call, bytes_max: LEAKED_BYTES_MAX };
        match discovery::get(&self.sides.profile, path, limits).await {
            Ok(page) => match tasks::leaked(&page.text()) {
                Some((total, groups)) => Ok(Some(LeakedTasks { total: Some(total), groups })),
                None => {
                    Err(CallError::broken(format!("{endpoint}: the answer is no goroutineleak profile with debug=1")))
                }
            },
            Err(PageError::Status(StatusCode::NOT_FOUND)) => Ok(Some(LeakedTasks::default())),
            Err(PageError::TimedOut(after)) => Err(CallError::TimedOut(after)),
            Err(error) => Err(CallError::broken(format!("{endpoint}: {error}"))),
        }
    }
}
