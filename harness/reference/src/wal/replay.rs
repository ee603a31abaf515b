//! Reading a log back: record by record, in small pieces, so that no batch is held.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DELETE, FILE_HEAD_BYTES, Log, LogError, NUMBER, PUT, RECORD_HEAD_BYTES, TEXT, Totals, file_head};
use crate::dataset::{ChangeError, RowId};

/// Rows that are read in one go.
const PIECE_ROWS: usize = 128;

/// Buffer of a file that is read.
const BUFFER_BYTES: usize = 256 << 10;

/// What a record says, or a part of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Entry {
    /// Rows were put.
    Put(Vec<RowId>, Vec<f32>),
    /// A row was deleted.
    Delete(RowId),
}

/// A log that is read back.
#[derive(Debug)]
pub(crate) struct Replay {
    path: PathBuf,
    input: BufReader<File>,
    file_len: u64,
    /// Where the next record begins.
    at: u64,
    dim: usize,
}

/// Why a body cannot be read.
enum Trouble {
    /// It does not say what a body says.
    Shape(&'static str),
    /// The system did not give it.
    System(std::io::Error),
    /// What it says could not be done.
    Refused(ChangeError),
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Shape("a record ends too early"),
            _ => Self::System(error),
        }
    }
}

impl Replay {
    /// Opens a log. One that was killed while it was made has no whole head, and nothing was acknowledged in it: it is removed, and `None`.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, LogError> {
        let failed = |error| LogError::Read { path: path.to_owned(), error };
        let file = File::options().read(true).write(true).open(path).map_err(failed)?;
        let file_len = file.metadata().map_err(failed)?.len();
        let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut head = [0; FILE_HEAD_BYTES];
        let there = FILE_HEAD_BYTES.min(file_len as usize);
        input.read_exact(&mut head[..there]).map_err(failed)?;
        let dim = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        let whole = file_head(dim);
        // Of a head that is cut off inside its checksum or before it, as much as is there has to be right.
        if head[..there] != whole[..there] || (there == FILE_HEAD_BYTES && dim == 0) {
            return Err(LogError::Foreign { path: path.to_owned(), problem: "it does not begin as one" });
        }
        if there < FILE_HEAD_BYTES {
            std::fs::remove_file(path).map_err(|error| LogError::Write { path: path.to_owned(), error })?;
            return Ok(None);
        }
        let at = FILE_HEAD_BYTES as u64;
        Ok(Some(Self { path: path.to_owned(), input, file_len, at, dim: dim as usize }))
    }

    /// Components of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Hands over what the next record says, in pieces. `false` when there is none: a record that does not end within the file was never acknowledged.
    pub(crate) fn next(&mut self, apply: &mut dyn FnMut(Entry) -> Result<(), ChangeError>) -> Result<bool, LogError> {
        let left = self.file_len - self.at;
        if left < RECORD_HEAD_BYTES as u64 {
            return Ok(false);
        }
        let mut head = [0; RECORD_HEAD_BYTES];
        self.input.read_exact(&mut head).map_err(|error| LogError::Read { path: self.path.clone(), error })?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if crc32fast::hash(&head[..8]) != number(8) {
            return Err(self.damaged("the head of a record is not what was written"));
        }
        let (len, sum) = (u64::from(number(0)), number(4));
        if left - (RECORD_HEAD_BYTES as u64) < len {
            return Ok(false);
        }
        let mut body = Body { input: (&mut self.input).take(len), sum: crc32fast::Hasher::new() };
        let read = body.read(self.dim, apply);
        let (rest, found) = (body.input.limit(), body.sum.finalize());
        match read {
            Err(Trouble::System(error)) => return Err(LogError::Read { path: self.path.clone(), error }),
            Err(Trouble::Refused(error)) => return Err(self.refused(error)),
            Err(Trouble::Shape(problem)) => return Err(self.damaged(problem)),
            Ok(()) if rest > 0 => return Err(self.damaged("a record says less than it holds")),
            Ok(()) if found != sum => return Err(self.damaged("a record is not what was written")),
            Ok(()) => {}
        }
        self.at += RECORD_HEAD_BYTES as u64 + len;
        Ok(true)
    }

    fn damaged(&self, problem: &'static str) -> LogError {
        LogError::Damaged { path: self.path.clone(), at: self.at, problem }
    }

    fn refused(&self, error: ChangeError) -> LogError {
        match error {
            ChangeError::Log(error) => error,
            ChangeError::Memory(error) => LogError::Read { path: self.path.clone(), error },
        }
    }

    /// The log, open for appending; what does not belong to a whole record is cut off.
    pub(crate) fn into_log(self, totals: Arc<Totals>) -> Result<Log, LogError> {
        let file = self.input.into_inner();
        if self.file_len > self.at {
            let cut = file.set_len(self.at);
            cut.map_err(|error| LogError::Write { path: self.path.clone(), error })?;
        }
        Ok(Log::opened(self.path, file, self.at, totals))
    }
}

/// The body of a record, summed while it is read.
struct Body<'a> {
    input: std::io::Take<&'a mut BufReader<File>>,
    sum: crc32fast::Hasher,
}

impl Body<'_> {
    fn read(&mut self, dim: usize, apply: &mut dyn FnMut(Entry) -> Result<(), ChangeError>) -> Result<(), Trouble> {
        match self.bytes()? {
            [PUT] => {
                let count = u32::from_le_bytes(self.bytes()?) as usize;
                // As many as are there: a count alone is no reason to allocate.
                let mut ids = Vec::new();
                for _ in 0..count {
                    ids.push(self.id()?);
                }
                let mut row = vec![0; dim * size_of::<f32>()];
                for piece in ids.chunks(PIECE_ROWS) {
                    let mut vectors = Vec::with_capacity(piece.len() * dim);
                    for _ in piece {
                        self.fill(&mut row)?;
                        let component = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                        vectors.extend(row.chunks_exact(size_of::<f32>()).map(component));
                    }
                    apply(Entry::Put(piece.to_vec(), vectors)).map_err(Trouble::Refused)?;
                }
                Ok(())
            }
            [DELETE] => apply(Entry::Delete(self.id()?)).map_err(Trouble::Refused),
            _ => Err(Trouble::Shape("a record is of no kind that is known")),
        }
    }

    fn id(&mut self) -> Result<RowId, Trouble> {
        match self.bytes()? {
            [NUMBER] => Ok(RowId::Int(i64::from_le_bytes(self.bytes()?))),
            [TEXT] => {
                let len = u64::from(u32::from_le_bytes(self.bytes()?));
                if len > self.input.limit() {
                    return Err(Trouble::Shape("a record ends too early"));
                }
                let mut text = vec![0; len as usize];
                self.fill(&mut text)?;
                let text = String::from_utf8(text).map_err(|_| Trouble::Shape("an id is no text"))?;
                Ok(RowId::Text(text.into()))
            }
            _ => Err(Trouble::Shape("an id is of no kind that is known")),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Trouble> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Trouble> {
        self.input.read_exact(bytes)?;
        self.sum.update(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::Folder;
    use super::*;

    type Read = Result<(Vec<Entry>, Log), LogError>;

    fn read(path: &Path) -> Read {
        let mut replay = Replay::open(path)?.expect("a whole head");
        let mut entries = Vec::new();
        while replay.next(&mut |entry| {
            entries.push(entry);
            Ok(())
        })? {}
        Ok((entries, replay.into_log(Arc::default())?))
    }

    fn text(id: &str) -> RowId {
        RowId::Text(id.into())
    }

    /// A folder with one log of three records, and where each ends.
    fn logged() -> (tempfile::TempDir, PathBuf, Vec<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Folder::open(dir.path(), Arc::default()).unwrap().create("d", 2).unwrap();
        let mut ends = vec![log.len];
        log.put(&[RowId::Int(-7), text("é")], &[1.0, 2.0, 3.0, 4.5]).unwrap();
        ends.push(log.len);
        log.delete(&text("é")).unwrap();
        ends.push(log.len);
        log.put(&[RowId::Int(9)], &[5.0, 6.0]).unwrap();
        ends.push(log.len);
        (dir, log.path.clone(), ends)
    }

    fn entries() -> Vec<Entry> {
        vec![
            Entry::Put(vec![RowId::Int(-7), text("é")], vec![1.0, 2.0, 3.0, 4.5]),
            Entry::Delete(text("é")),
            Entry::Put(vec![RowId::Int(9)], vec![5.0, 6.0]),
        ]
    }

    #[test]
    fn a_log_cut_off_anywhere_keeps_what_is_whole_and_goes_on() {
        let (_dir, path, ends) = logged();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            if (cut as u64) < ends[0] {
                assert!(Replay::open(&path).unwrap().is_none() && !path.exists(), "{cut}");
                continue;
            }
            let kept = ends.iter().filter(|end| **end <= cut as u64).count() - 1;
            let (found, mut log) = read(&path).unwrap();
            assert_eq!(found, entries()[..kept], "{cut}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), ends[kept], "{cut}");
            log.delete(&RowId::Int(1)).unwrap();
            let (found, _) = read(&path).unwrap();
            assert_eq!((found.len(), found.last()), (kept + 1, Some(&Entry::Delete(RowId::Int(1)))), "{cut}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(read(&path).unwrap().0, entries());
    }

    #[test]
    fn a_byte_that_has_changed_is_an_error_that_names_the_file() {
        let (_dir, path, ends) = logged();
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            std::fs::write(&path, &changed).unwrap();
            let error = read(&path).expect_err("found");
            let foreign = matches!(error, LogError::Foreign { .. });
            assert_eq!(foreign, (at as u64) < ends[0], "{at}: {error}");
            assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), changed, "it is left as it was found");
        }
    }

    #[test]
    fn many_rows_come_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Folder::open(dir.path(), Arc::default()).unwrap().create("d", 3).unwrap();
        let ids: Vec<_> = (0..300).map(RowId::Int).collect();
        let vectors: Vec<_> = (0..900_u16).map(f32::from).collect();
        log.put(&ids, &vectors).unwrap();
        let (found, _) = read(&log.path).unwrap();
        let pieces = ids.chunks(PIECE_ROWS).zip(vectors.chunks(3 * PIECE_ROWS));
        assert_eq!(found, pieces.map(|(ids, rows)| Entry::Put(ids.to_vec(), rows.to_vec())).collect::<Vec<_>>());
    }

    #[test]
    fn a_rewritten_log_has_what_came_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let totals = Arc::<Totals>::default();
        let folder = Folder::open(dir.path(), Arc::clone(&totals)).unwrap();
        let mut log = folder.create("d", 2).unwrap();
        (0..50).for_each(|_| log.put(&[RowId::Int(1)], &[1.0, 1.0]).unwrap());
        let given_up = log.begin_rewrite(2).unwrap();
        drop(given_up);
        let mut rewrite = log.begin_rewrite(2).unwrap();
        rewrite.put(&[RowId::Int(1)], &[1.0, 1.0]).unwrap();
        log.delete(&RowId::Int(1)).unwrap();
        log.finish_rewrite(rewrite).unwrap();
        log.put(&[RowId::Int(2)], &[2.0, 2.0]).unwrap();
        assert_eq!(totals.bytes.load(Ordering::Relaxed), std::fs::metadata(&log.path).unwrap().len());
        let put = |id| Entry::Put(vec![RowId::Int(id)], vec![id as f32; 2]);
        assert_eq!(read(&log.path).unwrap().0, [put(1), Entry::Delete(RowId::Int(1)), put(2)]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        let late = log.begin_rewrite(2).unwrap();
        log.remove().unwrap();
        log.finish_rewrite(late).unwrap();
        log.put(&[RowId::Int(3)], &[3.0, 3.0]).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a dataset that is dropped has no log");
        drop(log);
        assert_eq!(totals.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_full_disk_is_said_and_counted() {
        let totals = Arc::<Totals>::default();
        let full = File::options().read(true).write(true).open("/dev/full").unwrap();
        let mut log = Log::opened("/dev/full".into(), full, 0, Arc::clone(&totals));
        let error = log.delete(&RowId::Int(1)).unwrap_err();
        assert!(matches!(error, LogError::Full { bytes: 22, .. }), "{error}");
        assert_eq!((log.len, totals.errors.load(Ordering::Relaxed)), (0, 1));
    }

    #[test]
    fn a_folder_is_one_process_s_and_holds_logs_alone() {
        let (dir, path, _) = logged();
        let folder = Folder::open(dir.path(), Arc::default()).unwrap();
        assert!(matches!(Folder::open(dir.path(), Arc::default()), Err(LogError::InUse { .. })));
        std::fs::write(dir.path().join("d.log.new"), "left behind").unwrap();
        assert_eq!(folder.logs().unwrap(), [("d".to_owned(), path)]);
        assert!(!dir.path().join("d.log.new").exists());
        std::fs::write(dir.path().join("notes.txt"), "").unwrap();
        let error = folder.logs().unwrap_err().to_string();
        assert!(error.contains("notes.txt is not a log of this store"), "{error}");
    }
}
