//! Who was killed for memory, by whose limit: what kernel log, counters and Docker say, brought together. Says so when they disagree.

pub(crate) mod kernel_log;

use soak_record::OomScope;

use kernel_log::Kill;

/// What the sources say of the end of a target.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Evidence {
    /// The main process.
    pub(crate) pid: u32,
    /// The target's group, as the kernel names it.
    pub(crate) cgroup: Option<String>,
    /// The container's id, which its group is named after; a container may end before its group can be read.
    pub(crate) container: Option<String>,
    /// The limit that was set.
    pub(crate) limit_bytes: Option<u64>,
    /// Whether the main process ended by SIGKILL: any SIGKILL.
    pub(crate) by_sigkill: bool,
    /// The kernel's messages since the start; `None` where they cannot be read.
    pub(crate) kernel: Option<Vec<Kill>>,
    /// Kills that the group's counter has counted; `None` when it was gone before it could be read.
    pub(crate) counted: Option<u64>,
    /// What Docker says; `None` for a process.
    pub(crate) docker: Option<DockerSays>,
}

/// What Docker says of a container that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DockerSays {
    /// An `oom` event was seen.
    pub(crate) event: bool,
    /// `State.OOMKilled`: sticky, also true when only a child died, and sometimes late.
    pub(crate) killed: bool,
}

/// A kill for memory, as far as the sources allow to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Who met whose limit.
    pub scope: OomScope,
    /// The limit that was met.
    pub limit_bytes: Option<u64>,
    /// What was charged.
    pub usage_bytes: Option<u64>,
    /// The process that was killed.
    pub victim: Option<String>,
    /// The group whose limit was met.
    pub cgroup: Option<String>,
    /// What each source says.
    pub evidence: Vec<String>,
}

impl Evidence {
    /// What happened; `None` when nothing speaks for a kill by the kernel.
    pub(crate) fn conclude(&self) -> Option<OutOfMemory> {
        let said = self.said();
        let by_kernel = |scope, kill: &Kill| OutOfMemory {
            scope,
            limit_bytes: kill.limit_bytes.or(self.limit_bytes.filter(|_| scope == OomScope::Target)),
            usage_bytes: kill.usage_bytes,
            victim: Some(format!("{} (pid {})", kill.name, kill.pid)),
            cgroup: kill.limit_of.clone(),
            evidence: said.clone(),
        };
        let Some(kills) = &self.kernel else { return self.conclude_without_kernel(said) };
        if let Some(kill) = kills.iter().rev().find(|kill| self.concerns(kill)) {
            // A container that was gone at once has no known main process: a SIGKILL is then the kernel's.
            let main = kill.pid == self.pid || (self.pid == 0 && self.by_sigkill);
            let scope = match (self.owns(kill.limit_of.as_deref()), main) {
                (true, true) => OomScope::Target,
                (true, false) => OomScope::Child,
                (false, _) => OomScope::Host,
            };
            return Some(by_kernel(scope, kill));
        }
        self.claimed_elsewhere().then(|| self.unclear(OomScope::Unknown, said))
    }

    /// Whether a kill was of the main process, or of another one of the target.
    fn concerns(&self, kill: &Kill) -> bool {
        kill.pid == self.pid || self.owns(kill.task_of.as_deref())
    }

    /// Whether a group is the target's.
    fn owns(&self, group: Option<&str>) -> bool {
        let own = |group: &str| {
            self.cgroup.as_deref() == Some(group) || self.container.as_deref().is_some_and(|id| group.contains(id))
        };
        group.is_some_and(own)
    }

    /// Counter or Docker claim a kill.
    fn claimed_elsewhere(&self) -> bool {
        self.counted.is_some_and(|kills| kills > 0) || self.docker.is_some_and(|docker| docker.event || docker.killed)
    }

    /// Without the kernel's own words, only what all others agree on is taken for true.
    fn conclude_without_kernel(&self, said: Vec<String>) -> Option<OutOfMemory> {
        if !self.claimed_elsewhere() {
            return None;
        }
        let counter = self.counted.is_none_or(|kills| kills > 0);
        let docker = self.docker.is_none_or(|docker| docker.event && docker.killed);
        let agreed = counter && docker && self.by_sigkill;
        Some(self.unclear(if agreed { OomScope::Target } else { OomScope::Unknown }, said))
    }

    fn unclear(&self, scope: OomScope, evidence: Vec<String>) -> OutOfMemory {
        let cgroup = self.cgroup.clone();
        OutOfMemory { scope, limit_bytes: self.limit_bytes, usage_bytes: None, victim: None, cgroup, evidence }
    }

    /// Each source in a few words.
    fn said(&self) -> Vec<String> {
        let mut said = vec![match &self.kernel {
            None => "kernel log: cannot be read".to_owned(),
            Some(kills) => match kills.iter().rev().find(|kill| self.concerns(kill)) {
                Some(kill) => format!("kernel log: {kill}"),
                None => "kernel log: no process of the target was killed for memory".to_owned(),
            },
        }];
        said.push(match self.counted {
            Some(kills) => format!("cgroup: {kills} killed for memory"),
            None => "cgroup: gone before its counter could be read".to_owned(),
        });
        said.extend(self.docker.map(|docker| {
            let event = if docker.event { "an oom event" } else { "no oom event" };
            format!("docker: {event}, OOMKilled is {}", docker.killed)
        }));
        said.push(format!("end: {}", if self.by_sigkill { "by SIGKILL" } else { "not by SIGKILL" }));
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(pid: u32, limit_of: Option<&str>, task_of: &str) -> Kill {
        Kill {
            pid,
            name: "store".to_owned(),
            limit_of: limit_of.map(str::to_owned),
            task_of: Some(task_of.to_owned()),
            usage_bytes: Some(100),
            limit_bytes: Some(101),
        }
    }

    fn evidence(kernel: Option<Vec<Kill>>) -> Evidence {
        Evidence {
            pid: 7,
            cgroup: Some("/docker/a".to_owned()),
            container: None,
            limit_bytes: Some(101),
            by_sigkill: true,
            kernel,
            counted: Some(1),
            docker: Some(DockerSays { event: true, killed: true }),
        }
    }

    fn scope(evidence: &Evidence) -> Option<OomScope> {
        evidence.conclude().map(|oom| oom.scope)
    }

    #[test]
    fn the_kernel_names_victim_limit_and_usage() {
        let oom = evidence(Some(vec![kill(7, Some("/docker/a"), "/docker/a")])).conclude().unwrap();
        assert_eq!((oom.scope, oom.limit_bytes, oom.usage_bytes), (OomScope::Target, Some(101), Some(100)));
        assert_eq!(oom.victim.as_deref(), Some("store (pid 7)"));
        assert_eq!(oom.evidence.len(), 4);
    }

    #[test]
    fn a_child_the_host_and_a_stranger_are_told_apart() {
        assert_eq!(scope(&evidence(Some(vec![kill(8, Some("/docker/a"), "/docker/a")]))), Some(OomScope::Child));
        assert_eq!(scope(&evidence(Some(vec![kill(7, None, "/docker/a")]))), Some(OomScope::Host));
        assert_eq!(scope(&evidence(Some(vec![kill(7, Some("/docker"), "/docker/a")]))), Some(OomScope::Host));
        assert_eq!(
            scope(&evidence(Some(vec![kill(8, None, "/docker/a")]))),
            Some(OomScope::Host),
            "no fault of the target"
        );
        let gone_at_once = Evidence {
            pid: 0,
            cgroup: None,
            container: Some("abc".to_owned()),
            ..evidence(Some(vec![kill(9, Some("/docker/abc"), "/docker/abc")]))
        };
        assert_eq!(scope(&gone_at_once), Some(OomScope::Target));
        let stranger = Evidence {
            counted: Some(0),
            docker: Some(DockerSays::default()),
            ..evidence(Some(vec![kill(9, None, "/other")]))
        };
        assert_eq!(scope(&stranger), None);
    }

    #[test]
    fn sources_that_disagree_are_unknown() {
        assert_eq!(scope(&evidence(Some(Vec::new()))), Some(OomScope::Unknown));
        let only_sticky =
            Evidence { counted: Some(0), docker: Some(DockerSays { event: false, killed: true }), ..evidence(None) };
        assert_eq!(scope(&only_sticky), Some(OomScope::Unknown));
        assert_eq!(scope(&evidence(None)), Some(OomScope::Target), "without a kernel log, all others agree");
        assert_eq!(scope(&Evidence { by_sigkill: false, ..evidence(None) }), Some(OomScope::Unknown));
    }

    #[test]
    fn a_plain_kill_is_not_out_of_memory() {
        let killed = Evidence {
            kernel: Some(Vec::new()),
            counted: Some(0),
            docker: Some(DockerSays::default()),
            ..evidence(None)
        };
        assert_eq!(scope(&killed), None);
        assert_eq!(scope(&Evidence { kernel: None, ..killed }), None);
    }
}
