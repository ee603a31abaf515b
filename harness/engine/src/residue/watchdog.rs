//! The watchdog: a process in a session of its own that waits for the harness to be gone and then removes what it left.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Left, Registered, left_by, remove};

/// A harness that is killed may have asked Docker for a container that only then comes to be.
const LOOK_FOR: Duration = Duration::from_millis(3500);

/// No round begins after this; each is bounded by the deadlines of its calls. What is left then is `soak heal`'s.
const END_WITHIN: Duration = Duration::from_secs(5);

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
        let left = left_by(&run).await;
        let left = left.map(|left| left.into_iter().filter(|one| !ended.contains(one)).collect::<Vec<_>>());
        clean = left.as_ref().is_ok_and(Vec::is_empty);
        for one in left.into_iter().flatten() {
            // What cannot be removed now is tried again, and is left to `soak heal` in the end.
            if remove(&one).await.is_ok() && matches!(one, Left::Leak { .. }) {
                ended.push(one);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if clean {
        let _ = std::fs::remove_file(path);
    }
}
