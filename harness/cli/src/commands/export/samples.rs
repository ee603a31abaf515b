//! `soak export samples`: the samples of a run as one wide table.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use soak_record::{Run, Series, VariantRecord};
use soak_scenario::series::SERIES;

use crate::failure::Failure;
use crate::output;

/// What a run recorded, a row for each moment and a column for each series
#[derive(Debug, Args)]
pub(super) struct Samples {
    /// The run's folder
    run: PathBuf,
    /// Only this variant
    #[arg(long, value_name = "ID")]
    variant: Option<String>,
    /// The form of the table
    #[arg(long, value_enum, default_value_t = SampleFormat::Csv)]
    format: SampleFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SampleFormat {
    /// Comma-separated, with a heading; a value that was not read at that moment is empty
    Csv,
}

impl Samples {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let SampleFormat::Csv = self.format;
        let run = Run::open(&self.run).map_err(Failure::usage)?;
        let ids: Vec<&str> = run.plan.variants.iter().map(|variant| variant.id.as_str()).collect();
        let chosen: Vec<usize> = match &self.variant {
            None => (0..ids.len()).collect(),
            Some(id) => {
                let found = ids.iter().position(|other| other == id);
                vec![found.ok_or_else(|| {
                    Failure::usage(format!("the run has no variant `{id}`; it has {}", ids.join(", ")))
                })?]
            }
        };
        let mut unreadable = None;
        output::stream(|out| {
            heading(out)?;
            for index in chosen {
                match run.variant(index) {
                    Ok(record) => rows(out, &record)?,
                    Err(error) => {
                        unreadable = Some(Failure::usage(error));
                        break;
                    }
                }
            }
            Ok(())
        })?;
        unreadable.map_or(Ok(()), Err)
    }
}

/// The same columns for every run, so that tables of several can be joined.
fn heading(out: &mut dyn Write) -> io::Result<()> {
    write!(out, "variant,time_s")?;
    SERIES.iter().try_for_each(|spec| write!(out, ",{}", spec.name))?;
    writeln!(out)
}

/// The rows of one variant: what was read at the same moment stands in the same row.
fn rows(out: &mut dyn Write, record: &VariantRecord) -> io::Result<()> {
    let mut cursors: Vec<(Option<&Series>, usize)> = columns(&record.series);
    loop {
        let heads = cursors.iter().filter_map(|(series, next)| series.as_ref()?.times_s.get(*next).copied());
        let Some(time) = heads.reduce(f64::min) else { return Ok(()) };
        write!(out, "{},{time}", record.variant.id)?;
        for (series, next) in &mut cursors {
            let value =
                series.filter(|series| series.times_s.get(*next) == Some(&time)).map(|series| series.values[*next]);
            match value {
                Some(value) => {
                    *next += 1;
                    write!(out, ",{value}")?;
                }
                None => write!(out, ",")?,
            }
        }
        writeln!(out)?;
    }
}

fn columns(series: &BTreeMap<String, Series>) -> Vec<(Option<&Series>, usize)> {
    SERIES.iter().map(|spec| (series.get(spec.name), 0)).collect()
}
