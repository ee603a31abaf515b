//! The other side of a pressure: the process that holds the memory. It reads how many bytes it is to hold, a line each, and answers with what it holds.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use memmap2::MmapMut;

/// Memory is taken and given back in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

/// The kernel never picks a process with this as its victim.
pub(super) const NEVER: &str = "-1000";

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anonymous memory.
    Anonymous,
    /// Pages of a file on a disk, read again and again.
    PageCache,
    /// A file in memory.
    SharedMemory,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Anonymous, Self::PageCache, Self::SharedMemory];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::PageCache => "page-cache",
            Self::SharedMemory => "shared-memory",
        }
    }
}

/// Holds memory until standard input ends. `folder` is on the disk whose pages are cached.
///
/// # Errors
///
/// Where what it is to hold cannot be had.
pub fn hold(kind: Kind, folder: &Path) -> io::Result<()> {
    // Where that is not allowed, the target is made the likelier victim, which is.
    let _ = std::fs::write("/proc/self/oom_score_adj", NEVER);
    let mut held: Box<dyn Held> = match kind {
        Kind::Anonymous => Box::new(Pieces(Vec::new())),
        Kind::PageCache => Box::new(Pages { file: nameless(folder)?, bytes: 0 }),
        Kind::SharedMemory => Box::new(Pages { file: in_memory()?, bytes: 0 }),
    };
    let mut answers = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let bytes: usize = line?.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let now = held.hold(bytes)?;
        writeln!(answers, "{now}")?;
        answers.flush()?;
    }
    Ok(())
}

/// Something that can hold more or less.
trait Held {
    /// Holds so many bytes, and tells how many it holds.
    fn hold(&mut self, bytes: usize) -> io::Result<usize>;
}

/// Anonymous mappings: given back to the system as soon as they are dropped.
struct Pieces(Vec<MmapMut>);

impl Held for Pieces {
    fn hold(&mut self, bytes: usize) -> io::Result<usize> {
        let wanted = bytes / PIECE_BYTES;
        self.0.truncate(wanted);
        while self.0.len() < wanted {
            let mut piece = MmapMut::map_anon(PIECE_BYTES)?;
            // Every page is touched, or it would not be there.
            piece.chunks_mut(4096).for_each(|page| page[0] = 1);
            self.0.push(piece);
        }
        Ok(self.0.len() * PIECE_BYTES)
    }
}

/// A file that has no name any more: nothing of it is left when this process ends, however it ends.
struct Pages {
    file: File,
    bytes: usize,
}

impl Held for Pages {
    fn hold(&mut self, bytes: usize) -> io::Result<usize> {
        let wanted = bytes / PIECE_BYTES * PIECE_BYTES;
        if wanted < self.bytes {
            self.file.set_len(wanted as u64)?;
        }
        let piece = vec![1; PIECE_BYTES];
        self.file.seek(SeekFrom::End(0))?;
        let mut written = self.bytes.min(wanted);
        while written < wanted {
            self.file.write_all(&piece)?;
            written += PIECE_BYTES;
        }
        self.bytes = wanted;
        // Read again, so that the kernel takes it for used.
        self.file.seek(SeekFrom::Start(0))?;
        let mut piece = vec![0; PIECE_BYTES];
        while self.file.read(&mut piece)? > 0 {}
        Ok(self.bytes)
    }
}

fn nameless(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!("soak-pages-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn in_memory() -> io::Result<File> {
    let file = rustix::fs::memfd_create("soak-pages", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(File::from(file))
}
