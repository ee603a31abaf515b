//! Which faults this machine cannot do: found out before anything is started, not in the middle of a run.

use soak_scenario::{Attach, AttachTo, Injection, Launch, Plan};

use crate::driver::{Controller, Group, cgroup_place, docker};

/// The capability to mount, by its number in `/proc/self/status` (capabilities(7)).
const CAP_SYS_ADMIN: u32 = 21;

/// Why faults of this plan cannot be injected on this machine: the fault's name, and the reason with what to do.
pub fn refusals(plan: &Plan) -> Vec<(String, String)> {
    let faults = plan.faults.iter();
    faults.filter_map(|(name, fault)| Some((name.clone(), refusal(plan, &fault.inject)?))).collect()
}

fn refusal(plan: &Plan, injection: &Injection) -> Option<String> {
    let name = injection.name();
    let lever = injection.kind().lever;
    let in_group = matches!(lever, "memory" | "page_cache" | "tmpfs" | "cpu");
    let container = matches!(plan.target.launch, Launch::Container(_));
    let elsewhere = container && !docker::address().starts_with("unix://");
    if elsewhere && (in_group || matches!(lever, "life" | "disk")) && !injection.restarts() {
        return Some(format!("`{name}` works on this machine, and Docker is on another: unset DOCKER_HOST"));
    }
    let controller = if lever == "cpu" { Controller::Processor } else { Controller::Memory };
    if in_group {
        if container || matches!(plan.target.launch, Launch::Attach(_)) {
            if !rustix::process::geteuid().is_root() {
                return Some(format!("`{name}` writes to the target's control group: run as root"));
            }
            if let Launch::Attach(Attach { to: AttachTo::Pid(pid), .. }) = &plan.target.launch
                && let Some(group) = Group::of_process(*pid)
                && let Err(why) = group.refuse_shared(controller, Some(*pid))
            {
                return Some(format!("`{name}` works on a control group, and {why}"));
            }
        } else if let Err(why) = group_can_be_made(lever == "cpu") {
            return Some(format!("`{name}` needs a control group of the target's own: {why}"));
        }
    }
    if matches!(injection, Injection::DiskFull) && !has_capability(CAP_SYS_ADMIN) {
        return Some(format!("`{name}` needs a volume of its own to fill: run as root or with CAP_SYS_ADMIN"));
    }
    None
}

fn group_can_be_made(cpu: bool) -> Result<(), String> {
    let probe = format!("soak-probe-{}", std::process::id());
    let place = cgroup_place(&probe)?;
    std::fs::create_dir(&place).map_err(|error| format!("cannot make {}: {error}", place.display()))?;
    let cpu_is_there = place.join("cpu.max").is_file();
    let _ = std::fs::remove_dir(&place);
    if cpu && !cpu_is_there {
        let place = std::path::Path::new("/sys/fs/cgroup/cpu").join(probe);
        std::fs::create_dir(&place).map_err(|error| format!("cannot make {}: {error}", place.display()))?;
        let _ = std::fs::remove_dir(&place);
    }
    Ok(())
}

fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    effective.is_some_and(|bits| bits & (1 << number) != 0)
}
