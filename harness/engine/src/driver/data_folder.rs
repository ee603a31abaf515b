//! The folder of a target's data on this machine: made for a variant, a volume of its own where it is to have a size, and removed with all in it.

use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use soak_record::RunFolder;
use soak_scenario::{Plan, settings_file};

use crate::residue::{Register, Residue};

/// The folder. Removed when dropped.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    volume: bool,
}

impl DataFolder {
    /// The one of a variant's target, where the plan asks for one.
    pub(super) fn of(
        plan: &Plan,
        index: usize,
        folder: &RunFolder,
        register: &Register,
    ) -> Result<Option<Self>, String> {
        let target = &plan.target;
        if !target.durable {
            return Ok(None);
        }
        let path = folder.path(&format!("data-{index:03}"));
        let made = Self::make(register, &path, target.data_volume.map(|bytes| bytes.0))?;
        let settings = &target.profile.launch.settings;
        if !settings.is_empty() {
            let text = settings_file::yaml(settings.iter().map(|(path, value)| (path.as_str(), value.as_str())));
            let file = settings_in(made.path());
            std::fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        }
        Ok(Some(made))
    }

    /// Makes it, as a volume in memory of `volume_bytes` where that is given.
    fn make(register: &Register, path: &Path, volume_bytes: Option<u64>) -> Result<Self, String> {
        let cannot = |what: &str, error: &dyn std::fmt::Display| format!("{what} {}: {error}", path.display());
        // The target may stand in another folder than the harness.
        let path = std::path::absolute(path).map_err(|error| cannot("cannot tell where this is:", &error))?;
        register.note(&Residue::Folder(path.clone()))?;
        std::fs::create_dir_all(&path).map_err(|error| cannot("cannot make the folder", &error))?;
        let made = Self { path: path.clone(), volume: volume_bytes.is_some() };
        if let Some(bytes) = volume_bytes {
            register.note(&Residue::Mount(path.clone()))?;
            let options = std::ffi::CString::new(format!("size={bytes}")).map_err(|error| error.to_string())?;
            mount("soak", &path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str()).map_err(
                |error| {
                    cannot("cannot mount a volume for the target's data (target.data_volume needs root) at", &error)
                },
            )?;
        }
        Ok(made)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a volume of its own.
    pub(super) fn is_volume(&self) -> bool {
        self.volume
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // What cannot be removed now is in the register.
        let _ = remove(&self.path, self.volume);
    }
}

/// The file of settings in a target's folder.
pub(super) fn settings_in(folder: &Path) -> PathBuf {
    folder.join("settings.yaml")
}

/// Whether a file system of its own is mounted there.
pub(crate) fn is_mounted(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let escaped = path.display().to_string().replace(' ', "\\040");
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(escaped.as_str()))
}

/// Removes a folder and all in it; a volume is unmounted first.
pub(crate) fn remove(path: &Path, volume: bool) -> Result<(), String> {
    if volume && is_mounted(path) {
        // Detached at once: what still has a file open in it does not hold it up.
        unmount(path, UnmountFlags::DETACH).map_err(|error| format!("cannot unmount {}: {error}", path.display()))?;
    }
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}
