//! The log of a dataset: what is acknowledged is appended to a file before the answer, and read back at boot.
//!
//! Records are handed to the kernel and not synced: they outlive the process however it ends, and not a power cut.
//!
//! A file is a head and records. The head is [`MAGIC`], the components of a vector and a checksum; a record is the length of its body, the body's checksum, a
//! checksum of these two, and the body: rows that were put, or an id that was deleted. All numbers are 32 bits, least significant byte first. The Go store of
//! the tests writes the same.

mod folder;
mod replay;

use std::fs::File;
use std::io::{ErrorKind, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_buffer::ToByteSlice as _;

use crate::dataset::RowId;

pub(crate) use folder::Folder;
pub(crate) use replay::{Entry, Replay};

/// The first bytes of a log; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"SOAKLOG1";

/// Magic, components, checksum.
const FILE_HEAD_BYTES: usize = 16;

/// Length and checksum of the body, checksum of these.
const RECORD_HEAD_BYTES: usize = 12;

/// The first byte of a body.
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// The first byte of an id.
const NUMBER: u8 = 0;
const TEXT: u8 = 1;

/// What all logs hold and what went wrong with them, for the metrics page.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub bytes: AtomicU64,
    pub errors: AtomicU64,
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(
        "the disk is full: {bytes} bytes more do not fit into {path}; nothing was applied, send it again when there is room"
    )]
    Full { path: PathBuf, bytes: u64 },
    #[error("cannot write {path}: {error}; nothing was applied")]
    Write { path: PathBuf, error: std::io::Error },
    #[error("cannot read {path}: {error}; make it readable, or choose another folder with --data-path")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{path} is used by another process; stop that one, or choose another folder with --data-path")]
    InUse { path: PathBuf },
    #[error("{path} is not a log of this store: {problem}; move it away, or choose another folder with --data-path")]
    Foreign { path: PathBuf, problem: &'static str },
    #[error(
        "{path} is damaged at byte {at}: {problem}; put back a good copy, or move it away to start without its rows"
    )]
    Damaged { path: PathBuf, at: u64, problem: &'static str },
}

/// The log of one dataset, open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    /// Where the whole records end.
    len: u64,
    /// Whether there may be part of a record behind `len`, which could not be cut off.
    torn: bool,
    /// A dataset that is dropped has no log, whatever is still under way in it.
    removed: bool,
    totals: Arc<Totals>,
}

impl Log {
    /// A log without records, in place of whatever was there.
    fn create(path: PathBuf, dim: usize, totals: Arc<Totals>) -> Result<Self, LogError> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let made = file.and_then(|file| file.write_all_at(&file_head(dim as u32), 0).map(|()| file));
        match made {
            Ok(file) => Ok(Self::opened(path, file, FILE_HEAD_BYTES as u64, totals)),
            Err(error) => {
                // What cannot be removed either is a torn head, and no harm at the next boot.
                let _ = std::fs::remove_file(&path);
                Err(failed(&totals, &path, error, FILE_HEAD_BYTES as u64))
            }
        }
    }

    fn opened(path: PathBuf, file: File, len: u64, totals: Arc<Totals>) -> Self {
        totals.bytes.fetch_add(len, Ordering::Relaxed);
        Self { path, file, len, torn: false, removed: false, totals }
    }

    /// Appends rows that are put. `vectors` holds the components of all of them.
    pub(crate) fn put(&mut self, ids: &[RowId], vectors: &[f32]) -> Result<(), LogError> {
        let mut front = vec![PUT];
        front.extend((ids.len() as u32).to_le_bytes());
        for id in ids {
            encode(id, &mut front);
        }
        self.append(&[&front, vectors.to_byte_slice()])
    }

    /// Appends an id that is deleted.
    pub(crate) fn delete(&mut self, id: &RowId) -> Result<(), LogError> {
        let mut body = vec![DELETE];
        encode(id, &mut body);
        self.append(&[&body])
    }

    /// Appends a record whose body has these parts. Either all of it is there afterwards, or nothing.
    fn append(&mut self, body: &[&[u8]]) -> Result<(), LogError> {
        if self.removed {
            return Ok(());
        }
        let head = record_head(body);
        let bytes = (head.len() + body.iter().map(|part| part.len()).sum::<usize>()) as u64;
        let written = self.cut().and_then(|()| {
            let mut at = self.len;
            for part in std::iter::once(&head.as_slice()).chain(body) {
                self.file.write_all_at(part, at)?;
                at += part.len() as u64;
            }
            Ok(())
        });
        if let Err(error) = written {
            self.torn = true;
            // Tried again before the next record.
            let _ = self.cut();
            return Err(failed(&self.totals, &self.path, error, bytes));
        }
        self.len += bytes;
        self.totals.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Cuts off what is left of a record that could not be written.
    fn cut(&mut self) -> std::io::Result<()> {
        if self.torn {
            self.file.set_len(self.len)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Removes the file. What is appended later is nobody's.
    pub(crate) fn remove(&mut self) -> Result<(), LogError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&self.totals, &self.path, error, 0)),
            _ => {
                self.removed = true;
                // The dataset may live on for a while, and the room that its log takes with it.
                let _ = self.file.set_len(0);
                self.totals.bytes.fetch_sub(std::mem::take(&mut self.len), Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Begins another log to take this one's place. Whoever calls puts the rows that live at this moment into it.
    pub(crate) fn begin_rewrite(&self, dim: usize) -> Result<Rewrite, LogError> {
        let path = folder::rewritten(&self.path);
        let log = Self::create(path, dim, Arc::clone(&self.totals))?;
        Ok(Rewrite { log, from: self.len, done: false })
    }

    /// Appends what was logged since it began, and puts it in this one's place.
    pub(crate) fn finish_rewrite(&mut self, mut rewrite: Rewrite) -> Result<(), LogError> {
        if self.removed {
            return Ok(());
        }
        let since = self.len - rewrite.from;
        let fresh = &mut rewrite.log;
        let copied = self.copy_end(rewrite.from, fresh).and_then(|()| std::fs::rename(&fresh.path, &self.path));
        copied.map_err(|error| failed(&self.totals, &self.path, error, since))?;
        rewrite.done = true;
        std::mem::swap(&mut self.file, &mut rewrite.log.file);
        std::mem::swap(&mut self.len, &mut rewrite.log.len);
        self.torn = false;
        Ok(())
    }

    fn copy_end(&self, from: u64, into: &mut Self) -> std::io::Result<()> {
        use std::io::Read as _;
        let mut input = &self.file;
        input.seek(SeekFrom::Start(from))?;
        let mut output = &into.file;
        output.seek(SeekFrom::Start(into.len))?;
        let copied = std::io::copy(&mut input.take(self.len - from), &mut output)?;
        into.len += copied;
        into.totals.bytes.fetch_add(copied, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.totals.bytes.fetch_sub(self.len, Ordering::Relaxed);
    }
}

/// A log that is to take another's place. Dropped before that, it leaves no file.
#[derive(Debug)]
pub(crate) struct Rewrite {
    log: Log,
    /// Records of the old log from here on came after this one began.
    from: u64,
    done: bool,
}

impl Rewrite {
    /// Appends rows.
    pub(crate) fn put(&mut self, ids: &[RowId], vectors: &[f32]) -> Result<(), LogError> {
        self.log.put(ids, vectors)
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        if !self.done {
            // What stays is removed at the next boot.
            let _ = std::fs::remove_file(&self.log.path);
        }
    }
}

/// Counts an error of writing, and says what it means.
fn failed(totals: &Totals, path: &Path, error: std::io::Error, bytes: u64) -> LogError {
    totals.errors.fetch_add(1, Ordering::Relaxed);
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LogError::Full { path, bytes },
        _ => LogError::Write { path, error },
    }
}

fn file_head(dim: u32) -> [u8; FILE_HEAD_BYTES] {
    let mut head = [0; FILE_HEAD_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&dim.to_le_bytes());
    let sum = crc32fast::hash(&head[..12]);
    head[12..].copy_from_slice(&sum.to_le_bytes());
    head
}

fn record_head(body: &[&[u8]]) -> [u8; RECORD_HEAD_BYTES] {
    let mut sum = crc32fast::Hasher::new();
    for part in body {
        sum.update(part);
    }
    let len: usize = body.iter().map(|part| part.len()).sum();
    let mut head = [0; RECORD_HEAD_BYTES];
    // A message has 512 MiB at most.
    head[..4].copy_from_slice(&(len as u32).to_le_bytes());
    head[4..8].copy_from_slice(&sum.finalize().to_le_bytes());
    // A length that is damaged would make the rest of the file look like a torn record.
    let sum = crc32fast::hash(&head[..8]);
    head[8..].copy_from_slice(&sum.to_le_bytes());
    head
}

fn encode(id: &RowId, into: &mut Vec<u8>) {
    match id {
        RowId::Int(number) => {
            into.push(NUMBER);
            into.extend(number.to_le_bytes());
        }
        RowId::Text(text) => {
            into.push(TEXT);
            into.extend((text.len() as u32).to_le_bytes());
            into.extend(text.as_bytes());
        }
    }
}
