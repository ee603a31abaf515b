//! Faults of the network between load and target: a proxy that delays, limits, holds back or resets.

mod allowance;
mod connection;
mod counts;
mod proxy;
mod pump;

use std::time::Duration;

use async_trait::async_trait;
use soak_scenario::Injection;

use super::{Evidence, Guard};
pub(crate) use counts::Counts;
pub(crate) use proxy::{Conditions, Proxy};

/// Worse conditions on some proxies. Healed, or dropped, they are clear again.
#[derive(Debug)]
pub(crate) struct NetworkFault {
    proxies: Vec<(Proxy, Counts)>,
    conditions: Conditions,
}

impl NetworkFault {
    /// Makes conditions worse on these proxies. An error says what is wrong with the injection.
    pub(crate) fn begin(injection: &Injection, proxies: Vec<Proxy>) -> Result<Self, String> {
        let conditions = match injection {
            Injection::Latency { delay } => Conditions::Latency(delay.0),
            Injection::Bandwidth { rate } => {
                let rate = rate.bytes_per_second().filter(|rate| *rate > 0.0);
                Conditions::Bandwidth(rate.ok_or("a bandwidth is more than nothing, and per s, min or h")?)
            }
            Injection::Cut => Conditions::Cut,
            Injection::Reset => Conditions::Reset,
            other => return Err(format!("{} is not a fault of the network", other.name())),
        };
        let proxies: Vec<_> = proxies.into_iter().map(|proxy| (proxy.clone(), proxy.counts())).collect();
        let fault = Self { proxies, conditions };
        fault.set(conditions);
        Ok(fault)
    }

    fn set(&self, conditions: Conditions) {
        for (proxy, _) in &self.proxies {
            proxy.set(conditions);
        }
    }

    /// What was counted since it began.
    fn counts(&self) -> Counts {
        self.proxies.iter().map(|(proxy, before)| proxy.counts().since(*before)).sum()
    }
}

impl Drop for NetworkFault {
    fn drop(&mut self) {
        self.set(Conditions::Clear);
    }
}

#[async_trait]
impl Guard for NetworkFault {
    async fn evidence(&mut self) -> Evidence {
        evidence(self.conditions, self.counts())
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        // Dropped here, which clears every proxy: nothing is left that could fail.
        Ok(())
    }
}

fn evidence(conditions: Conditions, counts: Counts) -> Evidence {
    let passed = ("passed_bytes", counts.bytes as f64);
    match conditions {
        Conditions::Clear => Evidence::default(),
        Conditions::Latency(delay) => Evidence {
            took_place: counts.delayed_bytes > 0 && delay > Duration::ZERO,
            words: format!("{} bytes were delayed by {} ms each way", counts.delayed_bytes, delay.as_secs_f64() * 1e3),
            figures: vec![("delay_s", delay.as_secs_f64()), ("delayed_bytes", counts.delayed_bytes as f64), passed],
        },
        Conditions::Bandwidth(rate) => Evidence {
            took_place: counts.waited_seconds > 0.0,
            words: format!(
                "{} bytes passed at no more than {rate:.0} bytes a second each way and connection, and waited for {:.1} s in all",
                counts.bytes, counts.waited_seconds
            ),
            figures: vec![("limit_bytes_per_s", rate), passed, ("waited_s", counts.waited_seconds)],
        },
        Conditions::Cut => Evidence {
            took_place: counts.held_bytes > 0 || counts.held_connections > 0,
            words: format!(
                "nothing passed: at least {} bytes were held back, on {} connections that were open or being made",
                counts.held_bytes, counts.held_connections
            ),
            figures: vec![
                ("held_bytes", counts.held_bytes as f64),
                ("held_connections", counts.held_connections as f64),
            ],
        },
        Conditions::Reset => Evidence {
            took_place: counts.reset_connections > 0,
            words: format!("{} connections were reset", counts.reset_connections),
            figures: vec![("reset_connections", counts.reset_connections as f64)],
        },
    }
}

#[cfg(test)]
mod tests;
