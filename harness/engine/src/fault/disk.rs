//! The volume of the target's data, filled up and emptied again. Only ever a volume of the target's own: never a disk of the machine.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Evidence, Guard, Levers};

/// The file that fills the volume.
const FILLER: &str = "soak-filler";

/// It is written in pieces of this size, and then by single pages, so that nothing is left free.
const PIECES: [usize; 2] = [1 << 20, 4 << 10];

/// Fills the volume.
pub(super) async fn inject(levers: &dyn Levers) -> Result<Box<dyn Guard>, String> {
    let reach = levers.reach();
    let folder = reach.data.clone().filter(|_| reach.volume);
    let folder = folder.ok_or("the target has no data volume of its own (target.data_volume)")?;
    let disk = Disk { filler: folder.join(FILLER), folder };
    let filler = disk.filler.clone();
    let filled = tokio::task::spawn_blocking(move || fill(&filler)).await;
    filled.map_err(|error| error.to_string())?.map_err(|error| format!("the volume cannot be filled: {error}"))?;
    Ok(Box::new(disk))
}

fn fill(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    for piece in PIECES {
        let piece = vec![0; piece];
        loop {
            match file.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

struct Disk {
    folder: PathBuf,
    filler: PathBuf,
}

#[async_trait]
impl Guard for Disk {
    async fn evidence(&mut self) -> Evidence {
        let free = rustix::fs::statvfs(&self.folder).ok().map(|volume| volume.f_bavail * volume.f_frsize);
        let held = std::fs::metadata(&self.filler).map_or(0, |file| file.len());
        let words = format!("{} KiB are free on the volume; {held} bytes fill it", free.unwrap_or(0) >> 10);
        let figures = vec![("free_bytes", free.unwrap_or(0) as f64), ("filler_bytes", held as f64)];
        Evidence { took_place: held > 0 && free.is_some_and(|free| free < PIECES[0] as u64), words, figures }
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        std::fs::remove_file(&self.filler)
            .map_err(|error| format!("cannot remove {}: {error}; remove it by hand", self.filler.display()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Healed already, it is gone.
        let _ = std::fs::remove_file(&self.filler);
    }
}
