//! Settings of the store: addresses, Longbow's environment variables, and misbehaviours.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use soak_scenario::units::{Bytes, Gogc, Interval, Limit};
use soak_scenario::{BadCompaction, HeldLock, Misbehave};

use crate::collector::Pacing;
use crate::graph::GraphSettings;

/// Settings of the store.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data plane: puts and gets. Port 0 takes a free one.
    pub data_addr: SocketAddr,
    /// Meta plane: actions.
    pub meta_addr: SocketAddr,
    /// Metrics, dumps and the admin endpoints.
    pub http_addr: SocketAddr,
    /// GOGC and GOMEMLIMIT.
    pub pacing: Pacing,
    /// `hnsw_max_connections`: 2 to 256.
    pub hnsw_m: u32,
    /// Candidates while a node is inserted.
    pub ef_construction: u32,
    /// How often the store compacts by itself, when enough of it is dead.
    pub compaction_interval: Option<Duration>,
    /// Share of dead rows from which the store compacts by itself (the runbook's `compaction_threshold`).
    pub compaction_threshold: f64,
    /// Where logs are kept, so that what is acknowledged outlives the process; `None` keeps everything in memory alone.
    pub data_path: Option<PathBuf>,
    /// Faults that it is asked to have.
    pub misbehave: Misbehave,
    /// How it answers where servers with this contract differ.
    pub dialect: Dialect,
}

/// How a server answers where servers with Longbow's contract differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Each put is answered, and a search answers with ids of the type that was put.
    #[default]
    Own,
    /// As the public build of Longbow was seen to answer: puts at the end of their stream alone, and searches with `uint64` ids.
    Longbow,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value}: {expected}")]
pub struct ConfigError {
    /// The variable or option.
    pub name: String,
    /// What it was set to.
    pub value: String,
    /// What would have been valid.
    pub expected: String,
}

impl Config {
    /// Settings from Longbow's environment variables (`GOGC`, `GOMEMLIMIT`, `LONGBOW_HNSW_M`, `LONGBOW_HNSW_EF_CONSTRUCTION`,
    /// `LONGBOW_COMPACTION_INTERVAL`, `LONGBOW_COMPACTION_ENABLED`, `LONGBOW_COMPACTION_THRESHOLD`, `LONGBOW_DATA_PATH`), read through `var`. What is not set has Longbow's default.
    pub fn from_env(
        addrs: [SocketAddr; 3],
        var: impl Fn(&str) -> Option<String>,
        misbehave: Misbehave,
    ) -> Result<Self, ConfigError> {
        let [data_addr, meta_addr, http_addr] = addrs;
        let gogc = match parsed(&var, "GOGC", Gogc::Percent(100))? {
            Gogc::Percent(percent) => Some(percent),
            Gogc::Off => None,
        };
        let gomemlimit_bytes = match parsed(&var, "GOMEMLIMIT", Limit::Off)? {
            Limit::At(Bytes(bytes)) => Some(bytes),
            Limit::Off | Limit::OfPeak(_) => None,
        };
        let compaction_interval = match parsed(&var, "LONGBOW_COMPACTION_INTERVAL", Interval::Off)? {
            Interval::Every(span) => Some(span.0),
            Interval::Off => None,
        };
        let enabled = parsed(&var, "LONGBOW_COMPACTION_ENABLED", true)?;
        let threshold = parsed(&var, "LONGBOW_COMPACTION_THRESHOLD", 0.3)?;
        if !(0.0..=1.0).contains(&threshold) {
            let (name, value) = ("LONGBOW_COMPACTION_THRESHOLD".to_owned(), threshold.to_string());
            return Err(ConfigError { name, value, expected: "expected a share from 0 to 1".to_owned() });
        }
        let hnsw_m = parsed(&var, "LONGBOW_HNSW_M", 32)?;
        let ef_construction = parsed(&var, "LONGBOW_HNSW_EF_CONSTRUCTION", 400)?;
        check("LONGBOW_HNSW_M", hnsw_m, 2..=255)?;
        check("LONGBOW_HNSW_EF_CONSTRUCTION", ef_construction, 1..=100_000)?;
        Ok(Self {
            data_addr,
            meta_addr,
            http_addr,
            pacing: Pacing { gogc, gomemlimit_bytes },
            hnsw_m,
            ef_construction,
            compaction_interval: compaction_interval.filter(|_| enabled),
            compaction_threshold: threshold,
            data_path: var("LONGBOW_DATA_PATH").filter(|path| !path.is_empty()).map(PathBuf::from),
            misbehave,
            dialect: Dialect::Own,
        })
    }

    pub(crate) fn graph(&self) -> GraphSettings {
        GraphSettings { m: self.hnsw_m as usize, ef_construction: self.ef_construction as usize }
    }
}

/// The variable's value, or `default` when it is not set or empty.
fn parsed<T: std::str::FromStr>(var: &impl Fn(&str) -> Option<String>, name: &str, default: T) -> Result<T, ConfigError>
where
    T::Err: std::fmt::Display,
{
    let Some(value) = var(name).filter(|value| !value.is_empty()) else { return Ok(default) };
    // Go reads a limit without a unit as bytes.
    let unitless = name == "GOMEMLIMIT" && value.bytes().all(|byte| byte.is_ascii_digit());
    let text = if unitless { format!("{value}B") } else { value.clone() };
    text.parse().map_err(|error: T::Err| ConfigError { name: name.to_owned(), value, expected: error.to_string() })
}

fn check(name: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = format!("expected {} to {}", range.start(), range.end());
    Err(ConfigError { name: name.to_owned(), value: value.to_string(), expected })
}

/// Reads `key=value` pairs, as `--misbehave` takes them.
pub fn parse_misbehave(pairs: &[String]) -> Result<Misbehave, ConfigError> {
    let mut misbehave = Misbehave::default();
    for pair in pairs {
        let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
        let wrong =
            |expected: String| ConfigError { name: format!("--misbehave {key}"), value: value.to_owned(), expected };
        match key {
            "heap_leak" => misbehave.heap_leak = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "task_leak" => misbehave.task_leak = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "retain_batches" => misbehave.retain_batches = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "mapped_file" => misbehave.mapped_file = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "slow_release" => misbehave.slow_release = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "offheap_leak" => misbehave.offheap_leak = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "cache_fill" => misbehave.cache_fill = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "step" => misbehave.step = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "series_leak" => misbehave.series_leak = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "connection_leak" => misbehave.connection_leak = Some(value.parse().map_err(|e| wrong(format!("{e}")))?),
            "held_lock" => {
                let found = HeldLock::ALL.into_iter().find(|operation| operation.name() == value);
                misbehave.held_lock =
                    Some(found.ok_or_else(|| wrong("expected put, search, delete or metrics".to_owned()))?);
            }
            "fragment" => {
                misbehave.fragment = value.parse().map_err(|_| wrong("expected true or false".to_owned()))?;
            }
            "compaction" => {
                let bad = BadCompaction::ALL.into_iter().find(|bad| bad.name() == value);
                misbehave.compaction = Some(bad.ok_or_else(|| wrong("expected fails, noop or weak".to_owned()))?);
            }
            _ => {
                let known = "heap_leak, task_leak, compaction, retain_batches, fragment, mapped_file, slow_release, \
                             offheap_leak, cache_fill, step, series_leak, connection_leak, held_lock";
                return Err(wrong(format!("expected one of {known}")));
            }
        }
    }
    Ok(misbehave)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn the_environment_is_longbows() {
        let var = |name: &str| match name {
            "GOGC" => Some("75".to_owned()),
            "GOMEMLIMIT" => Some("1048576".to_owned()),
            "LONGBOW_COMPACTION_INTERVAL" => Some("30s".to_owned()),
            "LONGBOW_COMPACTION_THRESHOLD" => Some("0.5".to_owned()),
            _ => None,
        };
        let config = Config::from_env([ADDR; 3], var, Misbehave::default()).unwrap();
        assert_eq!(config.pacing, Pacing { gogc: Some(75), gomemlimit_bytes: Some(1 << 20) });
        assert_eq!((config.hnsw_m, config.ef_construction), (32, 400));
        assert_eq!(config.compaction_interval, Some(Duration::from_secs(30)));
        assert!((config.compaction_threshold - 0.5).abs() < 1e-9);
        let off = |name: &str| if name == "LONGBOW_COMPACTION_ENABLED" { Some("false".to_owned()) } else { var(name) };
        let config = Config::from_env([ADDR; 3], off, Misbehave::default()).unwrap();
        assert_eq!(config.compaction_interval, None);
        let much = |name: &str| (name == "LONGBOW_COMPACTION_THRESHOLD").then(|| "30".to_owned());
        assert!(Config::from_env([ADDR; 3], much, Misbehave::default()).is_err());
        let bad = Config::from_env([ADDR; 3], |name| (name == "GOGC").then(|| "lots".into()), Misbehave::default());
        assert!(bad.unwrap_err().to_string().starts_with("GOGC=lots: expected a percentage"));
    }

    #[test]
    fn misbehaviours_round_trip() {
        let pairs = [
            "heap_leak=2MiB/min",
            "task_leak=30/min",
            "compaction=weak",
            "retain_batches=5%",
            "fragment=true",
            "offheap_leak=64KiB/op",
            "cache_fill=8MiB",
            "step=4MiB",
            "series_leak=600/min",
            "connection_leak=5%",
        ];
        let pairs: Vec<String> = pairs.into_iter().map(str::to_owned).collect();
        let read = parse_misbehave(&pairs).unwrap();
        let mut written: Vec<String> = read.settings().into_iter().map(|(k, v)| format!("{k}={v}")).collect();
        let mut expected = pairs.clone();
        written.sort();
        expected.sort();
        assert_eq!(written, expected);
        assert!(parse_misbehave(&["heap_leek=1".to_owned()]).is_err());
        assert!(parse_misbehave(&["compaction=slow".to_owned()]).is_err());
    }
}
