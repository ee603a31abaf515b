//! Whose a control group is: what is done to a group is done to every process in it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Group, ROOT};
use crate::sampler::proc;

/// A process may begin or end between two looks; one that is in the way at every look belongs to somebody.
const LOOKS: usize = 3;

/// Names of strangers that are told.
const TOLD: usize = 3;

/// What of a group is laid hold of: in version 1, each has a hierarchy of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    /// Memory.
    Memory,
    /// Processor time.
    Processor,
}

impl Group {
    /// Its folder for a controller; `None` where it is in no group of that.
    pub(crate) fn folder_of(&self, controller: Controller) -> Option<&Path> {
        match (self, controller) {
            (Self::V1 { cpu, .. }, Controller::Processor) => cpu.as_deref(),
            (Self::V1 { memory, .. }, Controller::Memory) => Some(memory),
            (Self::V2(path), _) => Some(path),
        }
    }

    /// Says why a fault must not lay hold of this group, which is not of the harness's making: it is everybody's, or there is somebody else in it than a
    /// process with all that descends from it. Without such a process it is a container's group, and whatever is in it is the container's.
    pub(crate) fn refuse_shared(&self, controller: Controller, target: Option<u32>) -> Result<(), String> {
        let Some(folder) = self.folder_of(controller) else { return Ok(()) };
        let is_root = match self {
            Self::V1 { .. } => folder.parent() == Some(Path::new(ROOT)),
            Self::V2(_) => folder == Path::new(ROOT),
        };
        if is_root {
            return Err(format!(
                "the target is in the root control group {}, with everything else; {A_GROUP_OF_ITS_OWN}",
                folder.display()
            ));
        }
        let ours = proc::family(std::process::id());
        let (harness, helpers) = ours.split_first().ok_or("the harness has no process")?;
        let is_targets = |pid: &u32, family: &[u32]| helpers.contains(pid) || family.contains(pid);
        refuse_members(folder, *harness, || target.map(proc::family), is_targets)
    }
}

const A_GROUP_OF_ITS_OWN: &str = "give the target a group of its own (`systemd-run --scope COMMAND`, or a container)";

/// Refuses a group that has the harness or a stranger in it. The target's `family` is asked for after its members were read, so that no child is taken for
/// a stranger that was born in between; without a family nobody but the harness is.
fn refuse_members(
    folder: &Path,
    harness: u32,
    family: impl Fn() -> Option<Vec<u32>>,
    is_targets: impl Fn(&u32, &[u32]) -> bool,
) -> Result<(), String> {
    let mut strangers: Option<Vec<u32>> = None;
    for _ in 0..LOOKS {
        let members = members(folder)?;
        if members.contains(&harness) {
            return Err(format!(
                "the harness itself is in the target's control group {}; {A_GROUP_OF_ITS_OWN}",
                folder.display()
            ));
        }
        let Some(family) = family() else { return Ok(()) };
        let there = members.into_iter().filter(|pid| !is_targets(pid, &family));
        let still: Vec<u32> = there.filter(|pid| strangers.as_ref().is_none_or(|known| known.contains(pid))).collect();
        if still.is_empty() {
            return Ok(());
        }
        strangers = Some(still);
    }
    let strangers = strangers.unwrap_or_default();
    let told: Vec<String> = strangers.iter().take(TOLD).map(|pid| in_words(*pid)).collect();
    let (what, named) = match strangers.len() {
        1 => ("a process that does not descend", told.join(", ")),
        n if n <= TOLD => ("processes that do not descend", told.join(", ")),
        n => ("processes that do not descend", format!("{} and {} more", told.join(", "), n - TOLD)),
    };
    Err(format!(
        "the target's control group {} has {what} from the target and would be hit too: {named}; {A_GROUP_OF_ITS_OWN}",
        folder.display()
    ))
}

/// A process as people know it. Of another space of process ids there is no number.
fn in_words(pid: u32) -> String {
    if pid == 0 {
        return "one of another container".to_owned();
    }
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{pid} ({})", name.trim())
}

/// Processes of a group and of all groups below it.
fn members(folder: &Path) -> Result<Vec<u32>, String> {
    let mut members = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let list = next.join("cgroup.procs");
        match fs::read_to_string(&list) {
            Ok(text) => members.extend(text.lines().filter_map(|line| line.trim().parse::<u32>().ok())),
            // A group below it was removed meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && next != folder => {}
            Err(error) => {
                return Err(format!("cannot tell who is in the target's control group {}: {error}", list.display()));
            }
        }
        let below = fs::read_dir(&next).into_iter().flatten().flatten();
        folders
            .extend(below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()));
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree;
    use super::*;

    fn refusal(name: &str, files: &[(&str, &str)], family: Option<&[u32]>) -> Result<(), String> {
        let root = tree(name, files);
        let family = || family.map(<[u32]>::to_vec);
        let refused = refuse_members(&root.join("own"), 77, family, |pid, family| *pid == 78 || family.contains(pid));
        fs::remove_dir_all(&root).unwrap();
        refused
    }

    #[test]
    fn a_group_with_the_targets_family_alone_is_its_own() {
        let files = [("own/cgroup.procs", "10\n11\n78\n"), ("own/below/cgroup.procs", "12\n")];
        assert_eq!(refusal("family", &files, Some(&[10, 11, 12])), Ok(()));
    }

    #[test]
    fn a_stranger_is_found_in_a_group_below_too() {
        let files = [
            ("own/cgroup.procs", "10\n"),
            ("own/below/deeper/cgroup.procs", ""),
            ("own/below/cgroup.procs", "4194305\n"),
        ];
        let why = refusal("stranger", &files, Some(&[10])).unwrap_err();
        assert!(why.contains("4194305") && why.contains("systemd-run --scope"), "{why}");
        let files = [("own/cgroup.procs", "10\n0\n4194301\n4194302\n4194303\n4194304\n")];
        let why = refusal("strangers", &files, Some(&[10])).unwrap_err();
        assert!(why.contains("one of another container") && why.contains("and 2 more"), "{why}");
    }

    #[test]
    fn a_container_may_hold_what_it_likes_but_not_the_harness() {
        let files = [("own/cgroup.procs", "10\n99\n")];
        assert_eq!(refusal("container", &files, None), Ok(()));
        let files = [("own/cgroup.procs", "10\n77\n")];
        for family in [None, Some(&[10, 77][..])] {
            let why = refusal("harness", &files, family).unwrap_err();
            assert!(why.starts_with("the harness itself is in"), "{why}");
        }
    }

    #[test]
    fn a_group_that_cannot_be_read_is_refused() {
        let why = refusal("unreadable", &[("other/cgroup.procs", "")], Some(&[10])).unwrap_err();
        assert!(why.starts_with("cannot tell who is in"), "{why}");
    }

    #[test]
    fn the_root_is_everybodys() {
        let v1 = Group::V1 { memory: Path::new(ROOT).join("memory"), cpu: Some(Path::new(ROOT).join("cpu").join("")) };
        for (group, controller) in [
            (v1.clone(), Controller::Memory),
            (v1, Controller::Processor),
            (Group::V2(ROOT.into()), Controller::Processor),
        ] {
            let why = group.refuse_shared(controller, Some(1)).unwrap_err();
            assert!(why.starts_with("the target is in the root control group"), "{why}");
        }
    }
}
