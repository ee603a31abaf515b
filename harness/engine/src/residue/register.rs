//! The register of a run: one file in the user's state folder, a line for each thing, written and synced before the thing is made.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::Residue;
use crate::sampler::proc;

/// Where registers are kept, unless this variable names another folder.
const FOLDER_VARIABLE: &str = "SOAK_STATE_DIR";

/// The run that a register belongs to, and the harness that runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The run's id.
    pub run: String,
    /// The harness's process.
    pub pid: u32,
    /// When that process started, in clock ticks since the machine did: a later process of the same id is another.
    pub started_ticks: u64,
    /// Where that process is known by its id.
    pub place: Place,
}

/// A machine since it was started, and a space of process ids on it: what a process id means something in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    machine: String,
    boot: String,
    pids: String,
}

impl Place {
    /// Where this process is.
    pub(super) fn here() -> Self {
        let line = |path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let pids = fs::read_link("/proc/self/ns/pid").unwrap_or_default().display().to_string();
        Self { machine: line("/etc/machine-id"), boot: line("/proc/sys/kernel/random/boot_id"), pids }
    }
}

impl Owner {
    /// Whether the harness still runs; `None` where that cannot be told from here: a state folder may be shared among machines and containers.
    pub fn is_alive(&self) -> Option<bool> {
        let here = Place::here();
        if self.place == here {
            Some(proc::started_ticks(self.pid) == Some(self.started_ticks))
        } else {
            self.has_booted_since().then_some(false)
        }
    }

    /// Whether it is the same machine, started anew since: with every process of then, what the kernel was told is gone.
    pub(super) fn has_booted_since(&self) -> bool {
        let here = Place::here();
        self.place.machine == here.machine && self.place.boot != here.boot
    }
}

/// The register of this run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Register {
    path: Arc<PathBuf>,
    lines: Arc<Mutex<Lines<File>>>,
}

/// Lines of which each is whole or told apart from the next: a full disk may take half of one.
#[derive(Debug)]
struct Lines<W> {
    to: W,
    /// Whether the last one may have been written in part.
    torn: bool,
}

impl<W: Write> Lines<W> {
    fn new(to: W) -> Self {
        Self { to, torn: false }
    }

    fn put(&mut self, value: &impl Serialize) -> std::io::Result<()> {
        let mut text = if self.torn { b"\n".to_vec() } else { Vec::new() };
        serde_json::to_writer(&mut text, value)?;
        text.push(b'\n');
        self.torn = true;
        self.to.write_all(&text)?;
        self.torn = false;
        Ok(())
    }
}

impl Register {
    /// Opens the register of a run of this process.
    pub fn open(run: &str) -> std::io::Result<Self> {
        let folder = folder();
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{run}.jsonl"));
        let file = File::options().write(true).create_new(true).open(&path)?;
        let register = Self { path: Arc::new(path), lines: Arc::new(Mutex::new(Lines::new(file))) };
        let pid = std::process::id();
        let started_ticks = proc::started_ticks(pid).unwrap_or(0);
        register.line(&Owner { run: run.to_owned(), pid, started_ticks, place: Place::here() })?;
        Ok(register)
    }

    /// Writes down what is about to be made.
    pub(crate) fn note(&self, residue: &Residue) -> Result<(), String> {
        self.line(residue).map_err(|error| {
            format!("cannot write down what is about to be made in {}: {error}; free the disk, or name a folder in {FOLDER_VARIABLE}", self.path.display())
        })
    }

    /// Strikes off what has been taken back: it is not acted on again. What cannot be struck off is looked at once more, and then found as it was before.
    pub(crate) fn strike(&self, residue: &Residue) {
        let _ = self.lines().put(&Struck { healed: residue });
    }

    fn line(&self, value: &impl Serialize) -> std::io::Result<()> {
        let mut lines = self.lines();
        lines.put(value)?;
        lines.to.sync_data()
    }

    fn lines(&self) -> MutexGuard<'_, Lines<File>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that nothing is left: the register goes.
    pub fn close(self) {
        // What stays is found again by `soak doctor`, with nothing behind it.
        let _ = fs::remove_file(self.path.as_path());
    }
}

/// A register as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its file.
    pub path: PathBuf,
    /// Whose it is.
    pub owner: Owner,
    /// What was written down and not struck off, each once.
    pub residues: Vec<Residue>,
}

/// A line that strikes something off.
#[derive(Serialize)]
struct Struck<'a> {
    healed: &'a Residue,
}

/// A line of a register after the first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Struck { healed: Residue },
    Noted(Residue),
}

impl Registered {
    /// Reads a register. The last line may be half written; what it stood for was then not made.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let owner = serde_json::from_str(lines.next()?).ok()?;
        let mut residues: Vec<Residue> = Vec::new();
        for line in lines.filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::Struck { healed } => residues.retain(|residue| *residue != healed),
                Line::Noted(residue) if residues.contains(&residue) => {}
                Line::Noted(residue) => residues.push(residue),
            }
        }
        Some(Self { path: path.to_owned(), owner, residues })
    }
}

/// Every register on this machine, those of running harnesses too.
pub fn registered() -> Vec<Registered> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    let mut found: Vec<Registered> = paths.filter_map(|path| Registered::read(&path)).collect();
    found.sort_by(|a, b| a.owner.run.cmp(&b.owner.run));
    found
}

/// The state folder: `$SOAK_STATE_DIR`, `$XDG_STATE_HOME/soak`, `~/.local/state/soak`, or one below the temporary folder.
fn folder() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named(FOLDER_VARIABLE)
        .or_else(|| named("XDG_STATE_HOME").map(|state| state.join("soak")))
        .or_else(|| named("HOME").map(|home| home.join(".local/state/soak")))
        .unwrap_or_else(|| std::env::temp_dir().join("soak-state"))
}

#[cfg(test)]
impl Place {
    /// This machine, before it was started the last time.
    pub(super) fn before() -> Self {
        Self { boot: "an earlier one".to_owned(), ..Self::here() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residue::AdminKey;

    #[test]
    fn a_register_reads_back_without_its_torn_end() {
        let path = std::env::temp_dir().join(format!("soak-register-{}.jsonl", std::process::id()));
        let owner = Owner { run: "r".to_owned(), pid: std::process::id(), started_ticks: 1, place: Place::here() };
        let text = format!(
            "{}\n\"processes\"\n{{\"cgroup\":\"/x\"}}\n\"processes\"\n{{\"cgro",
            serde_json::to_string(&owner).unwrap()
        );
        fs::write(&path, text).unwrap();
        let read = Registered::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(read.residues, [Residue::Processes, Residue::Cgroup("/x".into())]);
        assert_eq!(read.owner.is_alive(), Some(false), "another process of the same id is not the owner");
        let elsewhere = Place { pids: "another".to_owned(), ..Place::here() };
        assert_eq!(Owner { place: elsewhere, ..read.owner.clone() }.is_alive(), None);
        assert_eq!(Owner { place: Place::before(), ..read.owner.clone() }.is_alive(), Some(false));
        assert!(Registered::read(&path).is_none());
    }

    #[test]
    fn what_was_struck_off_is_left_no_more_and_may_come_again() {
        let path = std::env::temp_dir().join(format!("soak-struck-{}.jsonl", std::process::id()));
        let _ = fs::remove_file(&path);
        let file = File::options().write(true).create_new(true).open(&path).unwrap();
        let register = Register { path: Arc::new(path.clone()), lines: Arc::new(Mutex::new(Lines::new(file))) };
        register.line(&Owner { run: "r".to_owned(), pid: 1, started_ticks: 1, place: Place::here() }).unwrap();
        let process = super::super::Process { pid: 7, started_ticks: 9 };
        let setting = |wrote: &str| Residue::Setting {
            path: "/proc/7/oom_score_adj".into(),
            value: "0".to_owned(),
            wrote: Some(wrote.to_owned()),
            of: Some(process),
        };
        let left = || Registered::read(&path).unwrap().residues;
        register.note(&Residue::Processes).unwrap();
        register.note(&setting("1000")).unwrap();
        register.note(&setting("900")).unwrap();
        register.strike(&setting("1000"));
        assert_eq!(left(), [Residue::Processes, setting("900")]);
        register.note(&setting("1000")).unwrap();
        assert_eq!(left(), [Residue::Processes, setting("900"), setting("1000")]);
        register.close();
    }

    /// A disk on which only so many bytes are free.
    struct Full {
        written: Vec<u8>,
        free: usize,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(self.free);
            if taken == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.written.extend(&bytes[..taken]);
            self.free -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_took_half_of_does_not_spoil_the_next() {
        for free in 0..20 {
            let mut lines = Lines::new(Full { written: Vec::new(), free });
            assert!(lines.put(&Residue::Cgroup("/a/long/enough/name".into())).is_err());
            lines.to.free = usize::MAX;
            lines.put(&Residue::Processes).unwrap();
            lines.put(&Residue::Cgroup("/x".into())).unwrap();
            let text = String::from_utf8(lines.to.written).unwrap();
            let read: Vec<Residue> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            assert_eq!(read, [Residue::Processes, Residue::Cgroup("/x".into())], "{free} bytes were free: {text}");
        }
    }

    #[test]
    fn registers_from_before_are_read() {
        for (line, residue) in [
            (
                r#"{"setting":{"path":"/x","value":"1"}}"#,
                Residue::Setting { path: "/x".into(), value: "1".to_owned(), wrote: None, of: None },
            ),
            (
                r#"{"leak":{"addr":"127.0.0.1:1","endpoint":"POST /stop"}}"#,
                Residue::Leak {
                    addr: ([127, 0, 0, 1], 1).into(),
                    endpoint: "POST /stop".to_owned(),
                    key: AdminKey::default(),
                    of: None,
                },
            ),
            (
                r#"{"datasets":{"meta":"127.0.0.1:1","names":["a"]}}"#,
                Residue::Datasets { meta: ([127, 0, 0, 1], 1).into(), names: vec!["a".to_owned()], of: None },
            ),
        ] {
            assert!(matches!(serde_json::from_str(line), Ok(Line::Noted(read)) if read == residue), "{line}");
            assert_eq!(serde_json::to_string(&residue).unwrap(), line);
        }
    }
}
