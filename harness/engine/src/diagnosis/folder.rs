//! Artefacts as files of a folder, and back.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use soak_diagnosis::{Artefact, Artefacts, Missing};

/// What could not be had, and where everything comes from.
pub const ORIGINS_FILE: &str = "origins.json";

#[derive(Serialize, Deserialize)]
struct Origin {
    name: String,
    from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
}

/// Their files: name and bytes.
pub fn files(artefacts: &Artefacts) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut origins = Vec::new();
    for one in &artefacts.0 {
        files.extend(one.got.as_ref().ok().map(|bytes| (one.name.clone(), bytes.clone())));
        let missing = one.got.as_ref().err().cloned();
        origins.push(Origin { name: one.name.clone(), from: one.from.clone(), missing });
    }
    files.push((ORIGINS_FILE.to_owned(), serde_json::to_vec_pretty(&origins).map_err(io::Error::other)?));
    Ok(files)
}

/// Writes them into a folder, which is made.
pub(crate) fn write(folder: &Path, artefacts: &Artefacts) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in files(artefacts)? {
        soak_record::write_whole(&folder.join(name), &bytes).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Reads them back through `file`, which gives the bytes of a file of the folder; `None` where it holds none. A person may have changed them, so
/// they are checked again.
pub fn read(file: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Artefacts> {
    let origins: Vec<Origin> = serde_json::from_slice(&file(ORIGINS_FILE)?).ok()?;
    let artefact = |origin: Origin| match (file(&origin.name), origin.missing) {
        (Some(bytes), _) => Artefact::of(origin.name, origin.from, &bytes),
        (None, Some(missing)) => Artefact::missing(origin.name, origin.from, missing),
        (None, None) => Artefact::missing(
            origin.name,
            origin.from,
            Missing::new("the file is gone", "look in the folder that it was in"),
        ),
    };
    Some(Artefacts(origins.into_iter().filter(|origin| is_plain(&origin.name)).map(artefact).collect()))
}

/// Whether a name is one of a file of the folder itself.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != ".." && name != "."
}
