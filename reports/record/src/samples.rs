//! The samples on disk: one Arrow IPC stream for each variant and source, a column a series, LZ4, rotated by length.
//!
//! A reader takes a stream up to the last whole batch, so a crash costs at most the batch that was being written.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::Float64Builder;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use soak_scenario::series::{SERIES, Source};

use crate::event::Sample;
use crate::folder::RecordError;
use crate::intact::{self, CONTINUATION};
use crate::series::Series;

/// The version of the samples' schema. A reader refuses a greater one.
pub const SAMPLES_SCHEMA: u32 = 1;

const VERSION_KEY: &str = "soak.schema";

/// What such a stream ends with.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

const TIME: &str = "time_s";

/// Rows of a batch; a flush may write fewer.
const BATCH_ROWS: usize = 600;

/// Rows of a file.
const FILE_ROWS: usize = 200_000;

/// Writes the samples of one variant and source.
pub(crate) struct SampleFile {
    folder: PathBuf,
    variant: usize,
    source: Source,
    columns: Vec<&'static str>,
    schema: Arc<Schema>,
    rows: Vec<Sample>,
    stream: Option<StreamWriter<BufWriter<File>>>,
    rows_in_file: usize,
    files: usize,
}

impl SampleFile {
    pub(crate) fn new(folder: PathBuf, variant: usize, source: Source) -> Self {
        let columns: Vec<_> = SERIES.iter().filter(|spec| spec.source == source).map(|spec| spec.name).collect();
        let mut fields = vec![Field::new(TIME, DataType::Float64, false)];
        fields.extend(columns.iter().map(|name| Field::new(*name, DataType::Float64, true)));
        let version = (VERSION_KEY.to_owned(), SAMPLES_SCHEMA.to_string());
        let schema = Arc::new(Schema::new(fields).with_metadata(std::collections::HashMap::from([version])));
        let (rows, stream) = (Vec::new(), None);
        Self { folder, variant, source, columns, schema, rows, stream, rows_in_file: 0, files: 0 }
    }

    pub(crate) fn push(&mut self, sample: Sample) -> Result<(), RecordError> {
        self.rows.push(sample);
        if self.rows.len() >= BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    /// Writes what is held, so that a crash from here on does not lose it.
    pub(crate) fn flush(&mut self) -> Result<(), RecordError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let path = self.path();
        self.write_rows(&path).map_err(|error| match error {
            ArrowError::IoError(_, error) => RecordError::io("cannot write samples to", &path)(error),
            other => RecordError::malformed(&path, other),
        })?;
        self.rows_in_file += self.rows.len();
        self.rows.clear();
        if self.rows_in_file >= FILE_ROWS {
            self.finish()?;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{:03}-{}-{:03}.arrow", self.variant, self.source.name(), self.files))
    }

    fn write_rows(&mut self, path: &Path) -> Result<(), ArrowError> {
        let batch = self.batch()?;
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME))?;
            let file = BufWriter::new(File::create(path)?);
            self.stream.insert(StreamWriter::try_new_with_options(file, &self.schema, options)?)
        };
        stream.write(&batch)?;
        stream.get_mut().flush()?;
        Ok(())
    }

    fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let mut times = Float64Builder::with_capacity(self.rows.len());
        self.rows.iter().for_each(|row| times.append_value(row.at_s));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(times.finish())];
        for name in &self.columns {
            let mut values = Float64Builder::with_capacity(self.rows.len());
            for row in &self.rows {
                values.append_option(row.values.iter().find(|(series, _)| series == name).map(|(_, value)| *value));
            }
            columns.push(Arc::new(values.finish()));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    /// Ends the stream; later samples go to a new file.
    pub(crate) fn finish(&mut self) -> Result<(), RecordError> {
        self.flush()?;
        if let Some(mut stream) = self.stream.take() {
            let path = self.path();
            let ended = stream.finish().map_err(std::io::Error::other);
            let synced =
                ended.and_then(|()| stream.get_mut().flush()).and_then(|()| stream.get_ref().get_ref().sync_data());
            synced.map_err(RecordError::io("cannot write samples to", &path))?;
            self.files += 1;
            self.rows_in_file = 0;
        }
        Ok(())
    }
}

/// Reads every series of a variant from a run's `samples` folder, and the names of files that break off: they are read up to their last whole batch.
pub(crate) fn read(folder: &Path, variant: usize) -> Result<(BTreeMap<String, Series>, Vec<String>), RecordError> {
    let prefix = format!("{variant:03}-");
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        entries => entries.map_err(RecordError::io("cannot list", folder))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(RecordError::io("cannot list", folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with(&prefix) && path.extension().is_some_and(|extension| extension == "arrow") {
            files.push((name, path));
        }
    }
    files.sort();
    let (mut series, mut broken) = (BTreeMap::new(), Vec::new());
    for (name, path) in files {
        if !read_file(&path, &mut series)? {
            broken.push(name);
        }
    }
    Ok((series, broken))
}

/// Whether the stream came to its end.
fn read_file(path: &Path, series: &mut BTreeMap<String, Series>) -> Result<bool, RecordError> {
    // Of bounded length: files are rotated.
    let bytes = fs::read(path).map_err(RecordError::io("cannot read", path))?;
    // Nothing was flushed yet, or the writer was cut off within the schema: then there are no rows either.
    let is_start = bytes.iter().zip(CONTINUATION).all(|(byte, expected)| *byte == expected);
    let length = if is_start { intact::length(&bytes) } else { bytes.len() };
    let intact = &bytes[..length];
    let ended = bytes[length..].starts_with(&END);
    let stream = match StreamReader::try_new(intact, None) {
        Ok(stream) => stream,
        Err(_) if is_start => return Ok(false),
        Err(error) => return Err(RecordError::malformed(path, format!("not an Arrow stream: {error}"))),
    };
    let version = stream.schema().metadata().get(VERSION_KEY).and_then(|version| version.parse::<u32>().ok());
    match version {
        Some(version) if version <= SAMPLES_SCHEMA => {}
        Some(version) => {
            let problem =
                format!("its schema is version {version}; this soak reads up to {SAMPLES_SCHEMA}: use a newer soak");
            return Err(RecordError::malformed(path, problem));
        }
        None => return Err(RecordError::malformed(path, "an Arrow stream, but not of samples (no schema version)")),
    }
    for batch in stream {
        // The first error is where the writer was cut off.
        let Ok(batch) = batch else { return Ok(false) };
        take(&batch, series).ok_or_else(|| RecordError::malformed(path, "columns are not the samples'"))?;
    }
    Ok(ended)
}

fn take(batch: &RecordBatch, series: &mut BTreeMap<String, Series>) -> Option<()> {
    let times = batch.column_by_name(TIME)?.as_primitive_opt::<Float64Type>()?;
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.name() == TIME {
            continue;
        }
        let values = column.as_primitive_opt::<Float64Type>()?;
        if values.null_count() == values.len() {
            continue;
        }
        let into: &mut Series = series.entry(field.name().clone()).or_default();
        for (time, value) in times.values().iter().zip(values.iter()) {
            if let Some(value) = value {
                into.push(*time, value);
            }
        }
    }
    Some(())
}
