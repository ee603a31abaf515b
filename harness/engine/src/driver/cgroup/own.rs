//! A memory cgroup that the harness makes for a target and removes again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Group, ROOT};

/// How long the kernel may take to let go of a group whose processes have ended.
const REMOVE_TRIES: u32 = 50;
const REMOVE_REST: Duration = Duration::from_millis(20);

/// A group of the harness's own. Removed when dropped.
#[derive(Debug)]
pub(crate) struct OwnGroup {
    group: Group,
    limit_bytes: Option<u64>,
}

impl OwnGroup {
    /// Where a group of this name would be made.
    pub(crate) fn place(name: &str) -> Result<Group, String> {
        parent().map(|parent| match parent {
            Group::V1 { memory, cpu } => Group::V1 { memory: memory.join(name), cpu: cpu.map(|cpu| cpu.join(name)) },
            Group::V2(path) => Group::V2(path.join(name)),
        })
    }

    /// Makes the group: with a limit, swap included, and with a quota of processor time to come where `throttled` says so.
    pub(crate) fn create(group: Group, limit_bytes: Option<u64>, throttled: bool) -> Result<Self, String> {
        let path = group.folder().to_owned();
        let for_what = limit_bytes
            .map_or_else(|| "a quota of processor time".to_owned(), |bytes| format!("a memory limit of {bytes} bytes"));
        let cannot = |what: &str, error: &std::io::Error| {
            format!(
                "cannot set {for_what}: {what} {}: {error}; run as a user who may make memory cgroups, or leave `memory_limit` off",
                path.display()
            )
        };
        fs::create_dir(&path).map_err(|error| cannot("cannot make", &error))?;
        let group = match group {
            Group::V1 { memory, cpu: Some(cpu) } if throttled => {
                fs::create_dir(&cpu).map_err(|error| {
                    remove(&path);
                    cannot("cannot make", &error)
                })?;
                Group::V1 { memory, cpu: Some(cpu) }
            }
            Group::V1 { memory, .. } => Group::V1 { memory, cpu: None },
            v2 @ Group::V2(_) => v2,
        };
        let own = Self { group, limit_bytes };
        let Some(limit_bytes) = limit_bytes else { return Ok(own) };
        let (limit, swap) = match &own.group {
            Group::V2(_) => ("memory.max", ("memory.swap.max", 0)),
            Group::V1 { .. } => ("memory.limit_in_bytes", ("memory.memsw.limit_in_bytes", limit_bytes)),
        };
        own.write(limit, limit_bytes).map_err(|error| cannot("cannot limit", &error))?;
        // A kernel without swap accounting has no such file, and then the limit alone holds.
        let _ = own.write(swap.0, swap.1);
        Ok(own)
    }

    fn write(&self, file: &str, value: u64) -> std::io::Result<()> {
        fs::write(self.path().join(file), value.to_string())
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.group.folder()
    }

    /// What the kernel says of it.
    pub(crate) fn group(&self) -> &Group {
        &self.group
    }

    /// What it was limited to.
    pub(crate) fn limit_bytes(&self) -> Option<u64> {
        self.limit_bytes
    }

    /// The files that take in whatever process writes a 0 to them: one for each hierarchy.
    pub(crate) fn doors(&self) -> Result<Vec<fs::File>, String> {
        let cpu = match &self.group {
            Group::V1 { cpu: Some(cpu), .. } => Some(cpu.join("cgroup.procs")),
            Group::V1 { cpu: None, .. } | Group::V2(_) => None,
        };
        let cpu = cpu.map(|path| {
            let opened = fs::File::options().write(true).open(&path);
            opened.map_err(|error| format!("cannot open {}: {error}", path.display()))
        });
        std::iter::once(self.group.door()).chain(cpu).collect()
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        remove(self.path());
        if let Group::V1 { cpu: Some(cpu), .. } = &self.group {
            remove(cpu);
        }
    }
}

/// The folder of a group of this name, were it made.
pub(crate) fn place(name: &str) -> Result<PathBuf, String> {
    OwnGroup::place(name).map(|group| group.folder().to_owned())
}

/// Removes a group's folder; waits a little for processes that are still ending.
pub(crate) fn remove(path: &Path) {
    for _ in 0..REMOVE_TRIES {
        match fs::remove_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => std::thread::sleep(REMOVE_REST),
            _ => return,
        }
    }
}

/// The group under which this process may make groups with a memory limit.
fn parent() -> Result<Group, String> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new(ROOT);
    let visible = |path: PathBuf, root: PathBuf| if path.is_dir() { path } else { root };
    let own = Group::of_paths(&own, root);
    if root.join("cgroup.controllers").is_file() {
        let own = own.map_or_else(|| root.to_owned(), |own| visible(own.folder().to_owned(), root.to_owned()));
        // Version 2 forbids processes beside groups; a sibling of our own group is allowed where its parent hands out memory.
        let parent = own.parent().filter(|parent| parent.starts_with(root)).unwrap_or(&own);
        return Ok(Group::V2(parent.to_owned()));
    }
    let memory = root.join("memory");
    if memory.is_dir() {
        let own = own.map_or_else(|| memory.clone(), |own| visible(own.folder().to_owned(), memory.clone()));
        // A process may be in the root of one hierarchy and in a group of another.
        let cpu = root.join("cpu");
        return Ok(Group::V1 { memory: own, cpu: cpu.is_dir().then_some(cpu) });
    }
    Err("cannot set a memory limit: this machine has no memory cgroups; leave `memory_limit` off".to_owned())
}
