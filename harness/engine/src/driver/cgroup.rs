//! What the kernel says of a control group: charge, limit, kills, throttling; version 1 and 2.
//!
//! Sources: kernel documentation `admin-guide/cgroup-v1/memory`, `admin-guide/cgroup-v2`, `scheduler/sched-bwc`, `accounting/psi`.

mod members;
mod own;

use std::fs;
use std::path::{Path, PathBuf};

use crate::target::Values;

pub(crate) use members::Controller;
pub(super) use own::OwnGroup;
pub(crate) use own::{place, remove};

const ROOT: &str = "/sys/fs/cgroup";

/// The kernel's "no limit" of version 1, rounded down to pages; Go prints the same for its own.
const NO_LIMIT_BYTES: f64 = 9.2e18;

/// Which hierarchy, and where its files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Group {
    /// Version 1: a hierarchy for each controller.
    V1 {
        /// Folder of the memory controller.
        memory: PathBuf,
        /// Folder of the processor controller.
        cpu: Option<PathBuf>,
    },
    /// Version 2: one hierarchy.
    V2(PathBuf),
}

/// A file of `name value` lines.
struct Fields(String);

impl Fields {
    fn read(path: &Path) -> Self {
        Self(fs::read_to_string(path).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<f64> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    }
}

fn number(path: &Path) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    match text.trim() {
        "max" => Some(i64::MAX as f64),
        text => text.parse().ok(),
    }
}

/// Total of the `some` line of a pressure file, in seconds.
fn pressure_seconds(path: &Path) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total: f64 = some.split_whitespace().find_map(|part| part.strip_prefix("total=")?.parse().ok())?;
    Some(total * 1e-6)
}

impl Group {
    /// The group that a process is in, as `/proc/PID/cgroup` tells; `None` when it is gone or in no group of its own.
    pub(crate) fn of_process(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        Self::of_paths(&text, Path::new(ROOT)).filter(|group| group.limit().is_some())
    }

    /// The group that the lines of a `/proc/PID/cgroup` name, under a mount point.
    fn of_paths(text: &str, root: &Path) -> Option<Self> {
        let path_of = |controller: &str| {
            text.lines().find_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let named = parts.next()?.split(',').any(|name| name == controller);
                named.then(|| parts.next().map(|path| path.trim_start_matches('/').to_owned()))?
            })
        };
        if let Some(memory) = path_of("memory") {
            let cpu = path_of("cpu").map(|path| root.join("cpu").join(path));
            return Some(Self::V1 { memory: root.join("memory").join(memory), cpu });
        }
        Some(Self::V2(root.join(path_of("")?)))
    }

    /// Its folder (version 1: of the memory controller).
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::V1 { memory, .. } | Self::V2(memory) => memory,
        }
    }

    /// Its path below the mount point, as the kernel's messages name it.
    pub(crate) fn name(&self) -> String {
        let path = self.folder();
        let below = path.strip_prefix(Path::new(ROOT).join("memory")).or_else(|_| path.strip_prefix(ROOT));
        format!("/{}", below.unwrap_or(path).display())
    }

    fn limit_file(&self) -> PathBuf {
        match self {
            Self::V1 { memory, .. } => memory.join("memory.limit_in_bytes"),
            Self::V2(path) => path.join("memory.max"),
        }
    }

    /// The limit in bytes; the largest integer where there is none. `None` once the group is gone.
    fn limit(&self) -> Option<f64> {
        number(&self.limit_file())
    }

    /// The limit as the kernel has it (rounded to pages), and where that is read.
    pub(crate) fn effective_limit(&self) -> (Option<f64>, String) {
        (self.limit(), self.limit_file().display().to_string())
    }

    /// The limit in whole bytes; `None` where there is none.
    pub(crate) fn limit_bytes(&self) -> Option<u64> {
        self.limit().filter(|limit| *limit < NO_LIMIT_BYTES).map(|limit| limit as u64)
    }

    /// The file that takes in whatever process writes a 0 to it.
    pub(crate) fn door(&self) -> Result<fs::File, String> {
        let path = self.folder().join("cgroup.procs");
        fs::File::options().write(true).open(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))
    }

    /// Processes of the group that the kernel has killed for memory.
    pub(crate) fn oom_kills(&self) -> Option<u64> {
        let file = match self {
            Self::V1 { memory, .. } => memory.join("memory.oom_control"),
            Self::V2(path) => path.join("memory.events"),
        };
        Fields::read(&file).get("oom_kill").map(|kills| kills as u64)
    }

    /// Everything it tells; empty once it is gone.
    pub(crate) fn values(&self) -> Values {
        let mut values: Vec<(&'static str, Option<f64>)> = match self {
            Self::V1 { memory, cpu } => v1(memory, cpu.as_deref()),
            Self::V2(path) => v2(path),
        };
        values.push(("cgroup_limit_bytes", self.limit().filter(|limit| *limit < NO_LIMIT_BYTES)));
        values.push(("cgroup_oom_kills_total", self.oom_kills().map(|kills| kills as f64)));
        values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn v1(memory: &Path, cpu: Option<&Path>) -> Vec<(&'static str, Option<f64>)> {
    let stat = Fields::read(&memory.join("memory.stat"));
    // The totals take in groups below, which the charge does too.
    let total = |name: &str| stat.get(&format!("total_{name}"));
    let usage = number(&memory.join("memory.usage_in_bytes"));
    let throttled = cpu.and_then(|cpu| Fields::read(&cpu.join("cpu.stat")).get("throttled_time"));
    vec![
        ("cgroup_usage_bytes", usage),
        ("cgroup_anon_bytes", total("rss")),
        ("cgroup_file_bytes", less(total("cache"), total("shmem"))),
        ("cgroup_shmem_bytes", total("shmem")),
        ("cgroup_mapped_bytes", total("mapped_file")),
        ("cgroup_kernel_bytes", number(&memory.join("memory.kmem.usage_in_bytes"))),
        ("cgroup_working_set_bytes", less(usage, total("inactive_file"))),
        ("cgroup_limit_hits_total", number(&memory.join("memory.failcnt"))),
        ("cgroup_throttled_seconds_total", throttled.map(|nanoseconds| nanoseconds * 1e-9)),
        ("memory_pressure_seconds_total", pressure_seconds(Path::new("/proc/pressure/memory"))),
    ]
}

fn v2(path: &Path) -> Vec<(&'static str, Option<f64>)> {
    let stat = Fields::read(&path.join("memory.stat"));
    let usage = number(&path.join("memory.current"));
    // Before 5.18 the kernel's part has no sum.
    let parts = || ["kernel_stack", "pagetables", "percpu", "sock", "slab"].iter().filter_map(|part| stat.get(part));
    let kernel = stat.get("kernel").or_else(|| parts().reduce(|sum, part| sum + part));
    let throttled = Fields::read(&path.join("cpu.stat")).get("throttled_usec");
    vec![
        ("cgroup_usage_bytes", usage),
        ("cgroup_anon_bytes", stat.get("anon")),
        ("cgroup_file_bytes", less(stat.get("file"), stat.get("shmem"))),
        ("cgroup_shmem_bytes", stat.get("shmem")),
        ("cgroup_mapped_bytes", stat.get("file_mapped")),
        ("cgroup_kernel_bytes", kernel),
        ("cgroup_working_set_bytes", less(usage, stat.get("inactive_file"))),
        ("cgroup_limit_hits_total", Fields::read(&path.join("memory.events")).get("max")),
        ("cgroup_throttled_seconds_total", throttled.map(|microseconds| microseconds * 1e-6)),
        ("memory_pressure_seconds_total", pressure_seconds(&path.join("memory.pressure"))),
    ]
}

/// A difference that is never negative: the two were read one after the other.
fn less(whole: Option<f64>, part: Option<f64>) -> Option<f64> {
    Some((whole? - part?).max(0.0))
}

#[cfg(test)]
mod tests;
