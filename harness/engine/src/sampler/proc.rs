//! What the kernel says of a process: `/proc/PID/status`, `stat`, `smaps_rollup`. Sources: proc(5), kernel documentation `filesystems/proc`.

use std::fs;

use crate::target::Values;

const STATUS: [(&str, &str); 4] = [
    ("VmRSS:", "rss_bytes"),
    ("RssAnon:", "rss_anon_bytes"),
    ("RssFile:", "rss_file_bytes"),
    ("RssShmem:", "rss_shmem_bytes"),
];

/// Processes of a target, at most.
const FAMILY_MAX: usize = 256;

const SMAPS: [(&str, &str); 2] = [("Pss:", "pss_bytes"), ("LazyFree:", "lazy_free_bytes")];

/// Resident memory, threads and processor time of a process; empty once it is gone.
pub(crate) fn process(pid: &str) -> Values {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return Values::new() };
    let mut values = kibibytes(&status, &STATUS);
    if values.is_empty() {
        // A process that has ended and was not yet waited for has no memory lines.
        return values;
    }
    let threads = field(&status, "Threads:").and_then(|text| text.parse().ok());
    values.extend(threads.map(|threads: f64| ("threads", threads)));
    values.extend(cpu_seconds(pid).map(|seconds| ("cpu_seconds_total", seconds)));
    values
}

/// A process and all that descend from it.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut members = vec![pid];
    let mut next = 0;
    // A bound against a target that starts processes without end.
    while let Some(pid) = members.get(next).copied().filter(|_| next < FAMILY_MAX) {
        next += 1;
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            members.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    members
}

/// The sums of several processes' values.
pub(crate) fn sum(all: impl Iterator<Item = Values>) -> Values {
    let mut sums = Values::new();
    for (name, value) in all.flatten() {
        match sums.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += value,
            None => sums.push((name, value)),
        }
    }
    sums
}

/// Resident memory alone.
pub(crate) fn rss_bytes(pid: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kibibytes(&status, &STATUS[..1]).first().map(|(_, bytes)| *bytes)
}

/// Memory of the machine: all of it, and what programs could still have.
pub(crate) fn host_memory() -> Values {
    const FIELDS: [(&str, &str); 2] = [("MemTotal", "host_memory_bytes"), ("MemAvailable", "host_available_bytes")];
    fs::read_to_string("/proc/meminfo").map_or_else(|_| Values::new(), |text| kibibytes(&text, &FIELDS))
}

/// Page-table totals of a process.
pub(crate) fn smaps(pid: &str) -> Values {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    text.map_or_else(|_| Values::new(), |text| kibibytes(&text, &SMAPS))
}

/// Processor time, user and system.
pub(crate) fn cpu_seconds(pid: &str) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    cpu_ticks(&stat).map(|ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// When a process started, in clock ticks since the machine did: with the id it names a process for ever.
pub(crate) fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22; the name in field 2 may hold anything.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The state of a process as the kernel has it, such as `T` for stopped; `None` once it is gone.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Whether a process is there and has not ended: one that was not yet waited for has.
pub(crate) fn is_running(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// utime + stime, fields 14 and 15; the name in field 2 may hold anything, parentheses too.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn kibibytes(text: &str, wanted: &[(&str, &'static str)]) -> Values {
    let read = |name| field(text, name)?.strip_suffix(" kB")?.trim().parse::<f64>().ok();
    wanted.iter().filter_map(|(name, series)| Some((*series, read(name)? * 1024.0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_in_bytes() {
        let text = "Name:\tsoak\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\nRssFile:\t     1000 kB\nThreads:\t4\n";
        let values = kibibytes(text, &STATUS);
        assert_eq!(values[0], ("rss_bytes", 2_097_152.0));
        assert_eq!(values.len(), 3, "what is not there is not made up");
    }

    #[test]
    fn a_family_is_summed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let members = family(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(members.contains(&child.id()) && members[0] == std::process::id());
        let values = [vec![("rss_bytes", 1.0)], vec![("rss_bytes", 2.0), ("threads", 1.0)]];
        assert_eq!(sum(values.into_iter()), [("rss_bytes", 3.0), ("threads", 1.0)]);
    }

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 1 1 0 -1 4194560 100 0 0 0 700 30 0 0 20 0 1 0 100 1000 10";
        assert_eq!(cpu_ticks(stat), Some(730));
        assert_eq!(cpu_ticks("nonsense"), None);
    }

    #[test]
    fn this_process_has_memory_and_one_that_is_gone_has_none() {
        assert!(process("self").iter().any(|(name, bytes)| *name == "rss_anon_bytes" && *bytes > 0.0));
        assert!(process("4194305").is_empty());
        assert!(cpu_seconds("self").is_some());
    }
}
