//! The files of the repository, as a person would see them: without what was built or run.

use std::path::{Path, PathBuf};

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its path from the root, with `/`.
    pub path: String,
    /// All of it; bytes that are no text are replaced.
    pub text: String,
}

impl Text {
    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// What follows the last dot of its name.
    pub fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file, in the order of the paths.
pub fn texts() -> Vec<Text> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !is_made(&path) {
                    folders.push(path);
                }
                continue;
            }
            // A file that another process is writing may be gone again.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            found.push(Text { path: relative, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether a folder is made rather than written: what `.gitignore` lists, and git's own.
fn is_made(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    let at_root = folder.parent() == Some(root().as_path());
    name == ".git" || name == "__pycache__" || name == ".venv" || (at_root && (name == "target" || name == "runs"))
}
