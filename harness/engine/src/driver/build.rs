//! Which build a target is, whatever it is called: the hash of its program, or its image's id.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// Read at once.
const BLOCK_BYTES: usize = 1 << 20;

/// A program that is started again and again: read anew whenever its file is another, because it may be built anew while a run goes on.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<(Stamp, Option<String>)>>);

/// What is another one where a file was replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        let changed = (file.ctime(), file.ctime_nsec());
        Self { device: file.dev(), inode: file.ino(), bytes: file.len(), changed }
    }
}

impl Known {
    /// `sha256:…` of the file as it is now; `None` where it cannot be read.
    pub(super) async fn of_program(&self, path: PathBuf) -> Option<String> {
        let stamp = Stamp::of(&tokio::fs::metadata(&path).await.ok()?);
        let held = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, build)) = held().as_ref().filter(|(of, _)| *of == stamp) {
            return build.clone();
        }
        let build = of_program(path).await;
        *held() = Some((stamp, build.clone()));
        build
    }
}

/// `sha256:…` of a program's file; `None` where it cannot be read.
pub(super) async fn of_program(path: PathBuf) -> Option<String> {
    tokio::task::spawn_blocking(move || File::open(path).and_then(hash).ok()).await.ok()?
}

/// The same of the program that a process runs.
pub(super) async fn of_process(pid: u32) -> Option<String> {
    of_program(PathBuf::from(format!("/proc/{pid}/exe"))).await
}

fn hash(mut file: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block)? {
            0 => break,
            read => hasher.update(&block[..read]),
        }
    }
    let mut text = "sha256:".to_owned();
    for byte in hasher.finalize() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_built_anew_is_another_build() {
        let path = |name: &str| std::env::temp_dir().join(format!("soak-build-{name}-{}", std::process::id()));
        let (program, next) = (path("old"), path("new"));
        std::fs::write(&program, "abc").unwrap();
        let known = Known::default();
        let first = known.of_program(program.clone()).await;
        assert_eq!(first, of_program(program.clone()).await);
        assert_eq!(known.of_program(program.clone()).await, first);
        // As linkers do: a file of its own, with the name of the old one.
        std::fs::write(&next, "abd").unwrap();
        std::fs::rename(&next, &program).unwrap();
        let second = known.of_program(program.clone()).await;
        assert!(second.is_some() && second != first, "{second:?}");
        std::fs::remove_file(&program).unwrap();
        assert_eq!(known.of_program(program).await, None);
    }

    #[tokio::test]
    async fn a_build_is_known_by_its_bytes() {
        // FIPS 180-2, appendix B.1.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&b"abc"[..]).unwrap(), abc);
        let own = std::env::current_exe().unwrap();
        assert_eq!(of_program(own).await.unwrap(), of_process(std::process::id()).await.unwrap());
        assert_eq!(of_program(PathBuf::from("/no/such/program")).await, None);
    }
}
