//! A memory cgroup of the target's own, version 1 or 2: its limit, its charge, its kills. Removed when dropped.
//!
//! Sources: kernel documentation `admin-guide/cgroup-v2` and `admin-guide/cgroup-v1/memory`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::target::Values;

const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// How long the kernel may take to let go of a group whose processes have ended.
const REMOVE_TRIES: u32 = 50;
const REMOVE_REST: Duration = Duration::from_millis(20);

/// The cgroup.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    unified: bool,
    limit_bytes: u64,
}

impl Cgroup {
    /// Makes a group of this name with a limit, swap included.
    pub(super) fn create(name: &str, limit_bytes: u64) -> Result<Self, String> {
        let (parent, unified) = parent()?;
        let path = parent.join(name);
        let cannot = |what: &str, error: &std::io::Error| {
            format!(
                "cannot set a memory limit of {limit_bytes} bytes: {what} {}: {error}; run as a user who may make memory cgroups, \
                 or leave `memory_limit` off",
                path.display()
            )
        };
        fs::create_dir(&path).map_err(|error| cannot("cannot make", &error))?;
        let cgroup = Self { path: path.clone(), unified, limit_bytes };
        let (limit, swap) = if unified {
            ("memory.max", ("memory.swap.max", 0))
        } else {
            ("memory.limit_in_bytes", ("memory.memsw.limit_in_bytes", limit_bytes))
        };
        cgroup.write(limit, limit_bytes).map_err(|error| cannot("cannot limit", &error))?;
        // A kernel without swap accounting has no such file, and then the limit alone holds.
        let _ = cgroup.write(swap.0, swap.1);
        Ok(cgroup)
    }

    fn write(&self, file: &str, value: u64) -> std::io::Result<()> {
        fs::write(self.path.join(file), value.to_string())
    }

    /// The file that takes in whatever process writes a 0 to it.
    pub(super) fn door(&self) -> Result<fs::File, String> {
        let path = self.path.join("cgroup.procs");
        fs::File::options().write(true).open(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))
    }

    fn number(&self, file: &str) -> Option<f64> {
        fs::read_to_string(self.path.join(file)).ok()?.trim().parse().ok()
    }

    fn kills(&self) -> Option<u64> {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.path.join(file)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }

    /// The limit, as the kernel has it (rounded to pages).
    pub(super) fn effective_limit(&self) -> (Option<f64>, String) {
        let file = if self.unified { "memory.max" } else { "memory.limit_in_bytes" };
        (self.number(file), self.path.join(file).display().to_string())
    }

    /// The limit, when the kernel has killed a process for it.
    pub(super) fn killed_at(&self) -> Option<u64> {
        self.kills().filter(|kills| *kills > 0).map(|_| self.limit_bytes)
    }

    /// Charge and kills.
    pub(super) fn values(&self) -> Values {
        let usage = self.number(if self.unified { "memory.current" } else { "memory.usage_in_bytes" });
        let usage = usage.map(|bytes| ("cgroup_usage_bytes", bytes));
        let kills = self.kills().map(|kills| ("cgroup_oom_kills_total", kills as f64));
        usage.into_iter().chain(kills).collect()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..REMOVE_TRIES {
            match fs::remove_dir(&self.path) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => std::thread::sleep(REMOVE_REST),
                _ => return,
            }
        }
    }
}

/// Where this process may make groups with a memory limit, and whether it is version 2.
fn parent() -> Result<(PathBuf, bool), String> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path_of = |wanted: &str| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            (parts.next()? == wanted).then(|| parts.next().map(|path| path.trim_start_matches('/').to_owned()))?
        })
    };
    let visible = |root: &str, path: Option<String>| {
        let own = path.map(|path| Path::new(root).join(path)).filter(|path| path.is_dir());
        own.unwrap_or_else(|| PathBuf::from(root))
    };
    if Path::new(V2).join("cgroup.controllers").is_file() {
        // Version 2 forbids processes beside groups; a sibling of our own group is allowed where its parent hands out memory.
        let own = visible(V2, path_of(""));
        let parent = own.parent().filter(|parent| parent.starts_with(V2)).unwrap_or(&own);
        return Ok((parent.to_owned(), true));
    }
    if Path::new(V1).is_dir() {
        return Ok((visible(V1, path_of("memory")), false));
    }
    Err("cannot set a memory limit: this machine has no memory cgroups; leave `memory_limit` off".to_owned())
}
