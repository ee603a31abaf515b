//! From a run folder to its verdict and reports. One variant's record is held in memory at a time.

use std::path::Path;

use soak_record::{RecordError, Run, VariantRecord, file, write_whole};
use soak_verdict::{Digest, RunVerdict, Trial, VariantDigest, judge};

use crate::failure::Failure;
use crate::{dumps, going_on, output};

/// In a run's folder: a run's folder for each remedy that was tried, and what came of them as a document.
pub(crate) const REMEDIES: &str = "remedies";
pub(crate) const REMEDIES_DOCUMENT: &str = "remedies.json";

/// Judges a run folder and writes `verdict.json`, `report.html`, `report.md` and `junit.xml` into it.
pub(crate) fn write_reports(folder: &Path) -> Result<RunVerdict, Failure> {
    write_reports_into(folder, folder)
}

/// The same with the reports in another folder.
pub(crate) fn write_reports_into(folder: &Path, out: &Path) -> Result<RunVerdict, Failure> {
    let run = Run::open(folder).map_err(unreadable)?;
    let verdict = judged(&run)?;
    let mut pictures = Vec::new();
    for index in ran(&run) {
        let picture = soak_render::picture(&run.plan, &run.variant(index).map_err(unreadable)?);
        let grown = dumps::growing(folder, &run.plan.variants[index].id);
        pictures.push(match grown {
            Some((sites, when)) => picture.with_growing_sites(&sites, when),
            None => picture,
        });
    }
    make_folder(out)?;
    let write = |name: &str, text: &str| write_whole(&out.join(name), text.as_bytes()).map_err(Failure::platform);
    write(file::VERDICT, &soak_render::verdict_json(&verdict))?;
    write(file::HTML, &soak_render::html(&run, &verdict, &pictures))?;
    write(file::MARKDOWN, &soak_render::markdown(&run, &verdict, &pictures))?;
    write(file::JUNIT, &soak_render::junit(&run, &verdict))?;
    Ok(verdict)
}

/// Makes the folder that reports are written into, where there is none.
pub(crate) fn make_folder(out: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(out).map_err(|error| Failure::no_folder(out, &error, "--out"))
}

/// Judges a run folder and writes `verdict.json` alone.
pub(crate) fn write_verdict(folder: &Path) -> Result<RunVerdict, Failure> {
    let verdict = judged(&Run::open(folder).map_err(unreadable)?)?;
    let text = soak_render::verdict_json(&verdict);
    // Whoever may only read a record may still have it judged.
    if let Err(error) = write_whole(&folder.join(file::VERDICT), text.as_bytes()) {
        output::say(&format!("warning: the verdict is not kept: {error}\n"));
    }
    Ok(verdict)
}

/// What is kept of a run to compare it by.
pub(crate) fn digest(folder: &Path) -> Result<Digest, Failure> {
    let run = Run::open(folder).map_err(unreadable)?;
    going_on::refuse(&run)?;
    let mut variants = Vec::new();
    let verdict = over_records(&run, |records| {
        let watched = records.inspect(|record| {
            if !record.variant.is_control() {
                variants.push(VariantDigest::of(&run.plan, record));
            }
        });
        judge(&run.id, &run.plan, watched)
    })?;
    Digest::of(&run, &verdict, variants).ok_or_else(|| {
        let events = folder.join(file::EVENTS);
        Failure::usage(format!(
            "{}: it does not say that a run began, on which machine and when; nothing can be set beside it (was the run killed as it began, or the file emptied?)",
            events.display()
        ))
    })
}

/// The checklist after an incident, and the verdict that it stands on.
pub(crate) fn checklist(folder: &Path) -> Result<(String, RunVerdict), Failure> {
    let run = Run::open(folder).map_err(unreadable)?;
    let mut peaks = Vec::new();
    let verdict = over_records(&run, |records| {
        let watched = records.inspect(|record| {
            let peak = soak_verdict::seen(record).peak_bytes;
            peaks.extend(peak.map(|peak| (record.variant.id.clone(), peak)));
        });
        judge(&run.id, &run.plan, watched)
    })?;
    let trials = trials(folder)?;
    let checklist = soak_render::post_incident(&run, &verdict, &soak_render::Aftermath { peaks, trials });
    Ok((checklist, verdict))
}

/// What was tried of the remedies; nothing where none were.
fn trials(folder: &Path) -> Result<Vec<Trial>, Failure> {
    #[derive(serde::Deserialize)]
    struct Document {
        remedies: Vec<Trial>,
    }
    let path = folder.join(REMEDIES).join(REMEDIES_DOCUMENT);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Vec::new()) };
    let document: Document = serde_json::from_str(&text).map_err(|error| {
        Failure::usage(format!("{}: {error}; remove it, or try the remedies again", path.display()))
    })?;
    Ok(document.remedies)
}

fn judged(run: &Run) -> Result<RunVerdict, Failure> {
    going_on::warn(run);
    over_records(run, |records| judge(&run.id, &run.plan, records))
}

/// What a function makes of a run folder's records.
pub(crate) fn read<T>(
    folder: &Path,
    make: impl FnOnce(&Run, &mut dyn Iterator<Item = VariantRecord>) -> T,
) -> Result<T, Failure> {
    let run = Run::open(folder).map_err(unreadable)?;
    over_records(&run, |records| make(&run, records))
}

fn over_records<T>(run: &Run, make: impl FnOnce(&mut dyn Iterator<Item = VariantRecord>) -> T) -> Result<T, Failure> {
    let mut broken: Option<RecordError> = None;
    let mut records = ran(run).into_iter().map_while(|index| match run.variant(index) {
        Ok(record) => Some::<VariantRecord>(record),
        Err(error) => {
            broken = Some(error);
            None
        }
    });
    let made = make(&mut records);
    drop(records);
    broken.map_or(Ok(made), |error| Err(unreadable(error)))
}

/// The variants that the run came to, by their place in the plan.
fn ran(run: &Run) -> Vec<usize> {
    let began = |id: &str| run.events.iter().any(|event| event.variant.as_deref() == Some(id));
    (0..run.plan.variants.len()).filter(|index| began(&run.plan.variants[*index].id)).collect()
}

fn unreadable(error: RecordError) -> Failure {
    Failure::usage(error)
}
