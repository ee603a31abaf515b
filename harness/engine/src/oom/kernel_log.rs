//! The kernel's own account of its kills: `/dev/kmsg` from now on. Source: kernel documentation `ABI/testing/dev-kmsg`, `mm/oom_kill.c`.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;

/// A record is at most this long.
const RECORD_BYTES_MAX: usize = 8192;

/// A process that the kernel killed for memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Kill {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// The group whose limit was met; `None` when the machine ran out.
    pub(crate) limit_of: Option<String>,
    /// The group that the process was in.
    pub(crate) task_of: Option<String>,
    /// What was charged to the group.
    pub(crate) usage_bytes: Option<u64>,
    /// The group's limit.
    pub(crate) limit_bytes: Option<u64>,
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "killed {} (pid {}), ", self.name, self.pid)?;
        match &self.limit_of {
            Some(group) => write!(f, "limit of {group}"),
            None => f.write_str("the machine ran out"),
        }
    }
}

/// The kernel's messages, from the moment of opening on.
#[derive(Debug)]
pub(crate) struct KernelLog {
    device: Option<File>,
    parser: Parser,
}

impl KernelLog {
    /// Opens the log at its end. Where it cannot be read, [`Self::kills`] says so.
    pub(crate) fn open() -> Self {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let device = File::options().read(true).custom_flags(nonblocking).open("/dev/kmsg").ok();
        let device = device.and_then(|mut device| device.seek(SeekFrom::End(0)).is_ok().then_some(device));
        Self { device, parser: Parser::default() }
    }

    /// Opens the log as far back as it goes.
    pub(crate) fn whole() -> Self {
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let device = File::options().read(true).custom_flags(nonblocking).open("/dev/kmsg").ok();
        Self { device, parser: Parser::default() }
    }

    /// Every kill since it was opened; `None` where the log cannot be read.
    pub(crate) fn kills(&mut self) -> Option<&[Kill]> {
        let device = self.device.as_mut()?;
        let mut record = [0; RECORD_BYTES_MAX];
        loop {
            match device.read(&mut record) {
                Ok(0) => break,
                Ok(length) => self.parser.record(&String::from_utf8_lossy(&record[..length])),
                // Records that were overwritten are passed over; the next read goes on behind them.
                Err(error) if error.kind() == ErrorKind::BrokenPipe || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Some(&self.parser.kills)
    }
}

/// Picks kills out of records. Usage and limit come in a line of their own before the kill they belong to.
#[derive(Debug, Default)]
struct Parser {
    usage_bytes: Option<u64>,
    limit_bytes: Option<u64>,
    kills: Vec<Kill>,
}

impl Parser {
    /// Takes a record: `priority,sequence,time,flags;text`.
    fn record(&mut self, record: &str) {
        let text = record.split_once(';').map_or(record, |(_, text)| text).lines().next().unwrap_or_default();
        if text.contains(" invoked oom-killer:") {
            (self.usage_bytes, self.limit_bytes) = (None, None);
        } else if let Some(figures) = text.strip_prefix("memory: usage ") {
            let kib = |part: &str| part.trim().strip_suffix("kB")?.parse::<u64>().ok().map(|kib| kib * 1024);
            let mut parts = figures.split(',');
            self.usage_bytes = parts.next().and_then(kib);
            self.limit_bytes = parts.find_map(|part| kib(part.trim().strip_prefix("limit ")?));
        } else if let Some(fields) = text.strip_prefix("oom-kill:") {
            let kill = self.kill(fields);
            self.kills.extend(kill);
        }
    }

    fn kill(&mut self, fields: &str) -> Option<Kill> {
        let field = |name: &str| {
            let value = fields.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
            Some(value.to_owned())
        };
        let of_group = fields.contains("constraint=CONSTRAINT_MEMCG");
        Some(Kill {
            pid: field("pid")?.parse().ok()?,
            name: field("task")?,
            limit_of: field("oom_memcg").filter(|_| of_group),
            task_of: field("task_memcg"),
            usage_bytes: self.usage_bytes.take().filter(|_| of_group),
            limit_bytes: self.limit_bytes.take().filter(|_| of_group),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kills(lines: &[&str]) -> Vec<Kill> {
        let mut parser = Parser::default();
        lines.iter().enumerate().for_each(|(n, line)| parser.record(&format!("6,{n},1000,-;{line}\n SUBSYSTEM=x\n")));
        parser.kills
    }

    #[test]
    fn a_groups_limit() {
        let found = kills(&[
            "soak-target-go invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
            "memory: usage 262144kB, limit 262144kB, failcnt 92",
            "memory+swap: usage 262144kB, limit 262144kB, failcnt 0",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=ab,mems_allowed=0,oom_memcg=/docker/ab,task_memcg=/docker/ab,task=soak-target-go,pid=4242,uid=0",
            "Memory cgroup out of memory: Killed process 4242 (soak-target-go) total-vm:1kB, anon-rss:1kB",
        ]);
        let expected = Kill {
            pid: 4242,
            name: "soak-target-go".to_owned(),
            limit_of: Some("/docker/ab".to_owned()),
            task_of: Some("/docker/ab".to_owned()),
            usage_bytes: Some(268_435_456),
            limit_bytes: Some(268_435_456),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn the_machines_own() {
        let found = kills(&[
            "memory: usage 1kB, limit 2kB, failcnt 0",
            "a invoked oom-killer: gfp_mask=0",
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/docker/ab,task=store,pid=5,uid=0",
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].limit_of.as_deref(), found[0].limit_bytes), (None, None));
        assert!(kills(&["oom-kill:nonsense", "something else"]).is_empty());
    }
}
