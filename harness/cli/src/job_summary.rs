//! The summary of a job of GitHub Actions, which names a file for it. A gate does not fail for want of a summary.

use std::io::Write as _;
use std::path::Path;

use crate::output;

/// A job's summary may have so many bytes; what is longer GitHub drops altogether.
const BYTES_MAX: u64 = 1 << 20;

/// Appends a report.
pub(crate) fn append_file(report: &Path) {
    add(|| Ok((std::fs::read_to_string(report)?, format!("it is `{}` among the artefacts", report.display()))));
}

/// Appends a text that is in no file.
pub(crate) fn append(text: &str) {
    add(|| Ok((text.to_owned(), "write it into a folder with --out".to_owned())));
}

/// Appends a text, or else where it is.
fn add(text: impl FnOnce() -> std::io::Result<(String, String)>) {
    let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    let append = || -> std::io::Result<()> {
        let (text, place) = text()?;
        let mut file = std::fs::File::options().append(true).create(true).open(&summary)?;
        let room = BYTES_MAX.saturating_sub(file.metadata()?.len());
        if text.len() as u64 <= room {
            return file.write_all(text.as_bytes());
        }
        writeln!(file, "The report is too long for a summary: {place}.")
    };
    if let Err(error) = append() {
        output::say(&format!("warning: no job summary: {}: {error}\n", Path::new(&summary).display()));
    }
}
