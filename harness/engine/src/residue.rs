//! What a run makes on the machine and must not leave there. Written down before it is made; removed by the run itself, by its watchdog when the
//! harness is killed, or by `soak heal` after a power cut.

mod register;
mod sweep;
mod watchdog;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use soak_scenario::TlsSettings;

use crate::sampler::proc;
use crate::side::{Side, SideError, covers};

pub use register::{Owner, Register, Registered, registered};
pub use sweep::{Left, changes, left_by, remove};
pub use watchdog::watch;

/// Environment variable that every process of a run carries: the run's id.
pub const RUN_VARIABLE: &str = "SOAK_RUN";

/// Label that every container of a run carries: the run's id.
pub const RUN_LABEL: &str = "soak.run";

/// A process for ever: its number alone may become another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it was started, in clock ticks since the machine was.
    pub started_ticks: u64,
}

impl Process {
    /// The process that has this id now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        proc::started_ticks(pid).map(|started_ticks| Self { pid, started_ticks })
    }

    /// Whether it is there and has not ended.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self) && proc::is_running(self.pid)
    }
}

/// What an admin side wants to be asked with, as its profile says it: secrets are named (`{env:NAME}`, `{file:PATH}`) and not held.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AdminKey {
    /// Headers of every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// HTTPS, where it is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
}

impl AdminKey {
    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.tls.is_none()
    }

    /// The side at this address.
    pub(crate) fn side(&self, addr: std::net::SocketAddr) -> Result<Side, SideError> {
        let side = Side::with_headers(addr, &self.headers)?;
        match &self.tls {
            Some(tls) if covers(tls, "http") => Ok(side.with_tls(tls)?),
            _ => Ok(side),
        }
    }
}

/// Something that would stay behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residue {
    /// Processes that carry the run's id in their environment.
    Processes,
    /// Containers that carry the run's id as a label, with their volumes, on the Docker at this address.
    Containers(String),
    /// A control group.
    Cgroup(PathBuf),
    /// A kernel's file that held this before a fault changed it.
    Setting {
        /// The file.
        path: PathBuf,
        /// What it held.
        value: String,
        /// What the fault wrote: where it holds something else by now, somebody else has changed it since. Absent in registers from before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wrote: Option<String>,
        /// The process that the file is of, where it is one's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Process>,
    },
    /// A process that a fault stopped.
    Stopped {
        /// Its id.
        pid: u32,
        /// When it was started: another process of the same id is not meant.
        started_ticks: u64,
    },
    /// A leak that a target was asked for.
    Leak {
        /// Its admin side.
        addr: std::net::SocketAddr,
        /// What ends it.
        endpoint: String,
        /// Who may end it.
        #[serde(default, skip_serializing_if = "AdminKey::is_empty")]
        key: AdminKey,
        /// The target's process, where it is known: its address may be another's once it is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Process>,
    },
    /// Datasets that a fault made.
    Datasets {
        /// The target's meta plane.
        meta: std::net::SocketAddr,
        /// Their names.
        names: Vec<String>,
        /// The target's process, where it is known: its address may be another's once it is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Process>,
    },
    /// A volume in memory, mounted for a target's data.
    Mount(PathBuf),
    /// A folder for a target's data.
    Folder(PathBuf),
}

#[cfg(test)]
mod tests;
