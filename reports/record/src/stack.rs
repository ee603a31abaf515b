//! A task's stack for people.

/// A stack for people: what it waits in, and who called that. Frames of the runtime and of servers' plumbing are left out.
pub fn in_short(signature: &str) -> String {
    const PLUMBING: [&str; 8] = [
        "runtime.",
        "sync.runtime_",
        "internal/sync.",
        "google.golang.org/grpc",
        "net/http.",
        "internal/poll.",
        "github.com/apache/arrow-go",
        "github.com/apache/arrow/go",
    ];
    let frames: Vec<&str> = signature.split(" < ").collect();
    let own: Vec<&str> =
        frames.iter().copied().filter(|frame| !PLUMBING.iter().any(|plumbing| frame.starts_with(plumbing))).collect();
    // `store.(*Index).add` of `example.com/store/internal/store.(*Index).add`.
    let name = |frame: &str| frame.rsplit('/').next().unwrap_or(frame).to_owned();
    match own.as_slice() {
        [] => frames.first().copied().unwrap_or("an unknown stack").to_owned(),
        [one] => name(one),
        [wait, callers @ ..] => {
            let callers: Vec<String> = callers.iter().copied().take(2).map(name).collect();
            format!("{}, called by {}", name(wait), callers.join(", called by "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_and_its_callers_are_named_without_plumbing() {
        let lock = "sync.runtime_SemacquireRWMutexR < sync.(*RWMutex).RLock < example.com/a/store.(*VectorStore).DoAction < google.golang.org/grpc.(*Server).x";
        assert_eq!(in_short(lock), "sync.(*RWMutex).RLock, called by store.(*VectorStore).DoAction");
        assert_eq!(in_short("runtime.gopark < runtime.main"), "runtime.gopark");
        assert_eq!(in_short("main.main"), "main.main");
    }
}
