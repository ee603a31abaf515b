//! The watchdog: a process in a session of its own that waits for the harness to be gone and then removes what it left.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::sweep::{changes, in_order, is_asked_for, look};
use super::{Left, Registered, remove};

/// A harness that is killed may have asked Docker for a container that only then comes to be.
const LOOK_FOR: Duration = Duration::from_millis(3500);

/// No round begins after this, and nobody is asked for anything any more. What is left then is `soak heal`'s.
const END_WITHIN: Duration = Duration::from_secs(15);

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits until the harness is gone, which standard input tells by ending, and removes what the register of `path` still names. A harness that ends
/// in good order has removed its register before.
pub async fn watch(path: &Path) {
    let gone = tokio::task::spawn_blocking(|| {
        let mut nothing = [0; 64];
        // Nothing is ever written to it: only its end, or an error, tells something.
        while std::io::stdin().lock().read(&mut nothing).is_ok_and(|read| read > 0) {}
    });
    let _ = gone.await;
    let Some(run) = Registered::read(path) else { return };
    let began = Instant::now();
    let mut clean = false;
    // Whether a leak has ended cannot be seen from outside: one that was ended is not looked for again.
    let mut ended: Vec<Left> = Vec::new();
    while began.elapsed() < END_WITHIN && !(clean && began.elapsed() >= LOOK_FOR) {
        clean = round(&run, began + END_WITHIN, &mut ended).await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if clean {
        let _ = std::fs::remove_file(path);
    }
}

/// Looks at one thing after the other, and removes what is found before it looks at the next: a process that was stopped goes on before it is asked for
/// anything. Whether nothing was found, and all of it could be looked at.
pub(super) async fn round(run: &Registered, until: Instant, ended: &mut Vec<Left>) -> bool {
    let changes = changes(run);
    let mut clean = changes.is_empty();
    for change in changes {
        // What cannot be removed now is tried again, and is left to `soak heal` in the end.
        let _ = remove(&change).await;
    }
    for residue in in_order(run) {
        let found = if is_asked_for(residue) {
            let time = until.saturating_duration_since(Instant::now());
            tokio::time::timeout(time, look(run, residue)).await.unwrap_or_else(|_| Err("no time is left".to_owned()))
        } else {
            look(run, residue).await
        };
        let Ok(found) = found else {
            clean = false;
            continue;
        };
        for one in found.into_iter().filter(|one| !ended.contains(one)).collect::<Vec<_>>() {
            clean = false;
            if is_asked_for(residue) && Instant::now() >= until {
                break;
            }
            if remove(&one).await.is_ok() && matches!(one, Left::Leak { .. }) {
                ended.push(one);
            }
        }
    }
    clean
}
