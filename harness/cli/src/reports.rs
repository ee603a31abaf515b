//! From a run folder to its verdict and reports. One variant's record is held in memory at a time.

use std::path::Path;

use soak_record::{RecordError, Run, VariantRecord, file, write_whole};
use soak_verdict::{RunVerdict, judge};

use crate::failure::Failure;
use crate::output;

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
        pictures.push(soak_render::picture(&run.plan, &run.variant(index).map_err(unreadable)?));
    }
    std::fs::create_dir_all(out)
        .map_err(|error| Failure::platform(format!("cannot make the folder {}: {error}", out.display())))?;
    let write = |name: &str, text: &str| write_whole(&out.join(name), text.as_bytes()).map_err(Failure::platform);
    write(file::VERDICT, &soak_render::verdict_json(&verdict))?;
    write(file::HTML, &soak_render::html(&run, &verdict, &pictures))?;
    write(file::MARKDOWN, &soak_render::markdown(&run, &verdict, &pictures))?;
    write(file::JUNIT, &soak_render::junit(&run, &verdict))?;
    Ok(verdict)
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

fn judged(run: &Run) -> Result<RunVerdict, Failure> {
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
