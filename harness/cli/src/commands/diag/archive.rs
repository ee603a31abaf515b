//! The archive: an index page on top, the same as Markdown and JSON, and what everything was read from. Whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use soak_diagnosis::{Artefacts, Diagnosis, File, Subject};
use soak_engine::diagnosis::files;

use crate::failure::Failure;

/// Folder of what was collected.
pub(super) const NOW: &str = "raw";

/// Folder of what that is compared with.
pub(super) const BEFORE: &str = "before";

/// An archive is never written over another.
pub(super) fn refuse_what_is_there(out: &Path) -> Result<(), Failure> {
    if out.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!(
            "{} is there already; name another with --out, or remove it",
            out.display()
        )));
    }
    let folder = folder_of(out);
    if !folder.is_dir() {
        return Err(Failure::usage(format!(
            "there is no folder {}; make it, or name another file with --out",
            folder.display()
        )));
    }
    Ok(())
}

fn folder_of(out: &Path) -> PathBuf {
    out.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Writes the archive; the diagnosis comes back with its files.
pub(super) fn write(out: &Path, mut diagnosis: Diagnosis, subjects: &[Subject]) -> Result<Diagnosis, Failure> {
    let mut kept: Vec<(String, Vec<u8>)> = Vec::new();
    for subject in subjects {
        let sets = [(NOW, Some(&subject.now)), (BEFORE, subject.before.as_ref())];
        for (folder, artefacts) in sets.into_iter().filter_map(|(folder, set)| Some((folder, set?))) {
            let folder = if subject.name.is_empty() { folder.to_owned() } else { format!("{}/{folder}", subject.name) };
            diagnosis.files.extend(listed(&folder, artefacts));
            let files = files(artefacts).map_err(Failure::platform)?;
            kept.extend(files.into_iter().map(|(name, bytes)| (format!("{folder}/{name}"), bytes)));
        }
    }
    let json = serde_json::to_vec_pretty(&diagnosis).map_err(Failure::platform)?;
    let pages = [
        ("index.html".to_owned(), soak_render::diagnosis_html(&diagnosis).into_bytes()),
        ("index.md".to_owned(), soak_render::diagnosis_markdown(&diagnosis).into_bytes()),
        ("diagnosis.json".to_owned(), json),
    ];
    let all: Vec<_> = pages.into_iter().chain(kept).collect();
    let part = folder_of(out).join(format!(".{}.part", diagnosis.id));
    let written = pack(&part, &all, diagnosis.made_unix_s).and_then(|()| {
        // A link fails where the name has been taken meanwhile; a rename would write over it.
        fs::hard_link(&part, out)
    });
    // Linked under its own name, or of no use.
    let _ = fs::remove_file(&part);
    written.map_err(|error| {
        Failure::platform(format!("cannot write {}: {error}; name another place with --out", out.display()))
    })?;
    Ok(diagnosis)
}

fn listed(folder: &str, artefacts: &Artefacts) -> Vec<File> {
    artefacts.0.iter().map(|one| File::of(format!("{folder}/{}", one.name), one)).collect()
}

fn pack(part: &Path, files: &[(String, Vec<u8>)], made_unix_s: u64) -> io::Result<()> {
    let file = fs::File::options().write(true).create_new(true).open(part)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(made_unix_s);
        archive.append_data(&mut header, path, bytes.as_slice())?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_data()
}
