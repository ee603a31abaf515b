//! A goroutine dump as groups of tasks with one stack: with full stacks (`/debug/pprof/goroutine?debug=2`), with counts (`debug=1`), or as a pprof.

use std::collections::BTreeMap;

use serde::Serialize;
use soak_record::TaskGroup;

use crate::pprof::{Pprof, ProfileSubject, SubjectError};

/// Groups kept, largest first.
const GROUPS_MAX: usize = 50;

/// Frames of a stack that make its signature.
const FRAMES_MAX: usize = 12;

/// How one group of tasks changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskChange {
    /// The group as it is now.
    #[serde(flatten)]
    pub group: TaskGroup,
    /// How many there were before; absent where there is no dump from before.
    pub before: Option<u64>,
}

/// The groups of a dump beside those of an earlier one: what grew most first.
pub fn changes(before: Option<&[TaskGroup]>, now: &[TaskGroup]) -> Vec<TaskChange> {
    let known = |group: &TaskGroup| {
        let found = before?.iter().find(|one| one.signature == group.signature);
        Some(found.map_or(0, |one| one.count))
    };
    let mut changes: Vec<TaskChange> =
        now.iter().map(|group| TaskChange { group: group.clone(), before: known(group) }).collect();
    let more = |change: &TaskChange| change.group.count as i64 - change.before.unwrap_or(0) as i64;
    changes.sort_by_key(|change| std::cmp::Reverse((more(change), change.group.count)));
    changes
}

/// How many tasks a dump has, of which [`groups`] keeps the largest groups alone; `None` where it is no dump.
pub fn count(dump: &str) -> Option<u64> {
    if let Some((total, _)) = counted(dump, "goroutine") {
        return Some(total);
    }
    let heads = dump.split("\n\n").filter(|task| task.trim_start_matches('\n').starts_with("goroutine "));
    Some(heads.count() as u64).filter(|count| *count > 0)
}

/// The tasks of a pprof by their stack, largest group first; an error where it is of something else.
pub fn of_profile(profile: &Pprof) -> Result<Vec<TaskGroup>, SubjectError> {
    let amount = profile.amount(ProfileSubject::Tasks)?;
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    for stack in &profile.stacks {
        let signature = stack.functions.iter().take(FRAMES_MAX).map(AsRef::as_ref).collect::<Vec<_>>().join(" < ");
        let count = stack.values.get(amount.value).copied().unwrap_or(0);
        *groups.entry(signature).or_default() += u64::try_from(count).unwrap_or(0);
    }
    let group = |(signature, count)| TaskGroup { signature, count, oldest_minutes: 0 };
    let mut groups: Vec<TaskGroup> = groups.into_iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(groups)
}

/// A dump with counts, as Go writes it, of these groups.
pub fn with_counts(groups: &[TaskGroup]) -> String {
    let total: u64 = groups.iter().map(|group| group.count).sum();
    let stack = |group: &TaskGroup| {
        let frames = group.signature.split(" < ").map(|frame| format!("#\t0x0\t{frame}+0x0\n"));
        format!("{} @ 0x0\n{}\n", group.count, frames.collect::<String>())
    };
    format!("goroutine profile: total {total}\n{}", groups.iter().map(stack).collect::<String>())
}

/// Groups the tasks of a dump by their stack.
pub fn groups(dump: &str) -> Vec<TaskGroup> {
    if let Some((_, groups)) = counted(dump, "goroutine") {
        return groups;
    }
    let mut groups: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for task in dump.split("\n\n") {
        let mut lines = task.trim_start_matches('\n').lines();
        let Some(head) = lines.next().filter(|head| head.starts_with("goroutine ")) else { continue };
        let frames: Vec<&str> =
            lines.filter(|line| !line.starts_with(['\t', ' '])).map(function).take(FRAMES_MAX).collect();
        let (count, oldest) = groups.entry(frames.join(" < ")).or_default();
        *count += 1;
        *oldest = (*oldest).max(minutes(head));
    }
    let mut groups: Vec<TaskGroup> = groups
        .into_iter()
        .map(|(signature, (count, oldest_minutes))| TaskGroup { signature, count, oldest_minutes })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups.truncate(GROUPS_MAX);
    groups
}

/// Groups that wait for a lock or a channel, the largest first. The runtime's own groups, which always wait, are left out.
pub fn blocked(groups: &[TaskGroup]) -> Vec<TaskGroup> {
    /// Innermost frames of a task that waits for another one.
    const WAITS: [&str; 8] = [
        "sync.(*RWMutex)",
        "sync.(*Mutex)",
        "sync.(*WaitGroup)",
        "sync.(*Cond)",
        "sync.runtime_Semacquire",
        "internal/sync.(*Mutex)",
        "runtime.gopark",
        "runtime.chan",
    ];
    let waits = |group: &&TaskGroup| {
        let mut inner = group.signature.split(" < ").take(4);
        inner.any(|frame| WAITS.iter().any(|wait| frame.starts_with(wait)))
    };
    let mut blocked: Vec<TaskGroup> = groups.iter().filter(waits).cloned().collect();
    if blocked.is_empty() {
        // Without a lock in its stack, a task that is there many times is what stands out.
        blocked = groups.iter().filter(|group| group.count > 1).cloned().collect();
    }
    blocked.sort_by_key(|group| std::cmp::Reverse(group.count));
    blocked
}

/// The number of leaked goroutines and their groups, from `/debug/pprof/goroutineleak?debug=1` (Go's `runtime/pprof`, `writeRuntimeProfile`):
/// a head with the total, then for each stack a line with its count and one line for each frame. `None` where the page is another one.
pub fn leaked(page: &str) -> Option<(u64, Vec<TaskGroup>)> {
    counted(page, "goroutineleak")
}

/// The total and the groups of a page with counts of this profile.
fn counted(page: &str, profile: &str) -> Option<(u64, Vec<TaskGroup>)> {
    let (head, stacks) = page.trim_start().split_once('\n')?;
    let total = head.strip_prefix(profile)?.strip_prefix(" profile: total ")?.trim().parse().ok()?;
    let stack = |text: &str| {
        let mut lines = text.trim_start_matches('\n').lines();
        let count = lines.next()?.split_once(" @")?.0.parse().ok()?;
        // `#	0x6713f8	main.wait+0x18	/src/main.go:4`
        let frames = lines.filter_map(|line| line.strip_prefix("#\t")?.split('\t').nth(1));
        let frames: Vec<&str> =
            frames.map(|frame| frame.split("+0x").next().unwrap_or(frame)).take(FRAMES_MAX).collect();
        Some(TaskGroup { signature: frames.join(" < "), count, oldest_minutes: 0 })
    };
    let mut groups: Vec<TaskGroup> = stacks.split("\n\n").filter_map(stack).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups.truncate(GROUPS_MAX);
    Some((total, groups))
}

/// The function of a frame, without its arguments: `net/http.(*conn).serve(0xc0001, {…})` → `net/http.(*conn).serve`.
fn function(frame: &str) -> &str {
    let frame = frame.strip_prefix("created by ").unwrap_or(frame);
    let frame = frame.split(" in goroutine ").next().unwrap_or(frame);
    frame.ends_with(')').then(|| frame.rfind('(').map(|at| &frame[..at])).flatten().unwrap_or(frame)
}

/// The age in a head such as `goroutine 7 [chan receive, 12 minutes]:`; 0 under a minute.
fn minutes(head: &str) -> u64 {
    let inside = head.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside);
    inside.split(", ").find_map(|part| part.strip_suffix(" minutes")?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_never_opens_is_named_with_its_callers() {
        let group = |signature: &str, count| TaskGroup { signature: signature.to_owned(), count, oldest_minutes: 0 };
        let lock = "sync.runtime_SemacquireRWMutexR < sync.(*RWMutex).RLock < store.(*VectorStore).DoAction < google.golang.org/grpc.(*Server).x";
        let groups = [group("net.(*conn).Read", 40), group(lock, 219), group("main.main", 1)];
        let found = blocked(&groups);
        assert_eq!(found.iter().map(|group| group.count).collect::<Vec<_>>(), [219]);
        assert_eq!(blocked(&groups[..1])[0].count, 40);
    }

    #[test]
    fn proved_leaks_are_counted_by_stack() {
        // What Go 1.26 built with GOEXPERIMENT=goroutineleakprofile answered.
        let page = "goroutineleak profile: total 5\n2 @ 0x489f2e 0x41a58e\n#\t0x6713f8\tmain.once+0x18\t/src/main.go:9\n\n\
             3 @ 0x489f2e 0x41a58e 0x6713f9\n#\t0x6713f8\tmain.forgotten.wait+0x18\t/src/main.go:4\n#\t0x6713f9\tmain.start+0x2\t/src/main.go:5\n\n";
        let (total, groups) = leaked(page).unwrap();
        assert_eq!((total, groups.len()), (5, 2));
        assert_eq!((groups[0].signature.as_str(), groups[0].count), ("main.forgotten.wait < main.start", 3));
        assert_eq!(leaked("goroutineleak profile: total 0\n").unwrap(), (0, Vec::new()));
        assert_eq!((leaked("<html>\n"), leaked("")), (None, None));
    }

    #[test]
    fn a_dump_with_counts_is_read() {
        let page = "goroutine profile: total 38645\n38139 @ 0x17850d6 0x1795bfe\n# labels: {\"tenant\":\"x\"}\n\
             #\t0x374e385\tdb/datanode.newTTNode.func1+0xa5\t/src/tick.go:159\n\n506 @ 0x17850d6\n#\t0x357c6b9\tdb/flow.(*nodeCtx).work+0x1b9\t/src/flow.go:126\n\n";
        let found = groups(page);
        assert_eq!(found.iter().map(|one| one.count).collect::<Vec<_>>(), [38_139, 506]);
        assert_eq!(found[0].signature, "db/datanode.newTTNode.func1");
        assert_eq!(
            (count(page), count("goroutine 1 [running]:\nmain.main()\n"), count("x")),
            (Some(38_645), Some(1), None)
        );
        assert_eq!(groups(&with_counts(&found)), found);
    }

    #[test]
    fn stacks_are_counted_and_aged() {
        let dump = "goroutine 1 [running]:\nmain.main()\n\t/app/main.go:10 +0x1\n\n\
             goroutine 7 [chan receive, 12 minutes]:\nrepair.(*peer).wait(0xc000, {0x1, 0x2})\n\t/app/p.go:3\ncreated by repair.start in goroutine 1\n\t/app/p.go:9\n\n\
             goroutine 8 [chan receive]:\nrepair.(*peer).wait(0xc001, {0x1, 0x2})\n\t/app/p.go:3\ncreated by repair.start in goroutine 1\n\t/app/p.go:9\n";
        let groups = groups(dump);
        assert_eq!(groups[0].signature, "repair.(*peer).wait < repair.start");
        assert_eq!((groups[0].count, groups[0].oldest_minutes), (2, 12));
        assert_eq!((groups[1].signature.as_str(), groups[1].count), ("main.main", 1));
        let grown = changes(Some(&groups[1..]), &groups);
        assert_eq!((grown[0].group.count, grown[0].before), (2, Some(0)));
        assert_eq!(changes(None, &groups)[0].before, None);
        assert!(super::groups("").is_empty() && super::groups("garbage\n\nmore").is_empty());
    }
}
