//! A leak at a known rate, which the target was asked for: the ground truth of what the harness can see.

use std::time::Duration;

use async_trait::async_trait;
use soak_scenario::{Endpoints, Injection};
use tokio::time::Instant;

use super::{Evidence, Guard, Levers};
use crate::http;
use crate::residue::{Register, Residue};
use crate::side::Side;
use crate::target::CallError;

/// Begins the leak.
pub(super) async fn inject(levers: &dyn Levers, injection: &Injection) -> Result<Box<dyn Guard>, String> {
    let reach = levers.reach();
    let Endpoints { leak: Some(begin), leak_stop: Some(stop), .. } = &reach.endpoints else {
        return Err("the profile names no endpoints that begin and end a leak".to_owned());
    };
    let (asked, what) = match injection {
        Injection::LeakMemory { rate } => (format!("bytes_rate={rate}"), "bytes"),
        Injection::LeakTasks { rate } => (format!("tasks_rate={rate}"), "tasks"),
        _ => return Err(format!("{} is no leak", injection.name())),
    };
    let residue =
        Residue::Leak { addr: reach.http.addr(), endpoint: stop.clone(), key: reach.key.clone(), of: levers.process() };
    reach.register.note(&residue)?;
    let begun = http::call(&reach.http, &begin.replace("{leak}", &asked), reach.call).await;
    if let Err(error) = begun {
        // Without an answer it may have begun all the same. What was refused has not, and another leak goes on.
        if !matches!(error, CallError::Refused(_)) && http::call(&reach.http, stop, reach.call).await.is_ok() {
            reach.register.strike(&residue);
        }
        return Err(format!("the target does not leak when asked to: {error}"));
    }
    Ok(Box::new(Leak {
        side: reach.http.clone(),
        stop: stop.clone(),
        call: reach.call,
        what,
        asked,
        began: Instant::now(),
        held: None,
        register: reach.register.clone(),
        residue,
    }))
}

struct Leak {
    side: Side,
    stop: String,
    call: Duration,
    what: &'static str,
    asked: String,
    began: Instant,
    /// What it held when it was ended, once it was.
    held: Option<f64>,
    register: Register,
    residue: Residue,
}

#[async_trait]
impl Guard for Leak {
    /// What was leaked is told by the answer to its end, so that is asked for here.
    async fn evidence(&mut self) -> Evidence {
        let seconds = self.began.elapsed().as_secs_f64();
        match http::call(&self.side, &self.stop, self.call).await {
            Ok(answer) => {
                let held = answer.lines().find_map(|line| line.strip_prefix(self.what)?.trim().parse::<f64>().ok());
                self.held = Some(held.unwrap_or(0.0));
                let (held, what) = (held.unwrap_or(0.0), self.what);
                let words = format!("asked for {}, the target held {held:.0} {what} after {seconds:.1} s", self.asked);
                let name = if what == "bytes" { "leaked_bytes" } else { "leaked_tasks" };
                Evidence { took_place: held > 0.0, words, figures: vec![(name, held), ("leaked_seconds", seconds)] }
            }
            Err(error) => Evidence {
                took_place: false,
                words: format!("the target does not say what it leaked: {error}"),
                figures: Vec::new(),
            },
        }
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        if self.held.is_none() {
            http::call(&self.side, &self.stop, self.call).await.map_err(|error| {
                format!(
                    "the leak could not be ended: {error}; `soak heal` tries again, a restart of the target ends it"
                )
            })?;
        }
        self.register.strike(&self.residue);
        Ok(())
    }
}
