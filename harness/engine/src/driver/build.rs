//! Which build a target is, whatever it is called: the hash of its program, or its image's id.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

/// Read at once.
const BLOCK_BYTES: usize = 1 << 20;

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
    async fn a_build_is_known_by_its_bytes() {
        // FIPS 180-2, appendix B.1.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&b"abc"[..]).unwrap(), abc);
        let own = std::env::current_exe().unwrap();
        assert_eq!(of_program(own).await.unwrap(), of_process(std::process::id()).await.unwrap());
        assert_eq!(of_program(PathBuf::from("/no/such/program")).await, None);
    }
}
