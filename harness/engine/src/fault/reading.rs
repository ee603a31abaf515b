//! What has to be the same after a fault as before it, as the kernel has it.

use std::net::SocketAddr;

use super::Levers;
use crate::driver::Group;
use crate::sampler::proc;
use crate::target::Reading;

/// The kernel's number of an established connection in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// Reads it.
pub(crate) fn condition(levers: &dyn Levers) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut add = |name, value: Option<f64>, may_fall| {
        readings.extend(value.map(|value| Reading { name, value, may_fall }));
    };
    if let Some(group) = levers.group() {
        add("memory limit in bytes", group.limit_bytes().map(|bytes| bytes as f64), false);
        add("processor quota in microseconds", quota(&group), false);
        add("processes in the control group", members(&group), true);
    }
    let family = levers.processes();
    if !family.is_empty() {
        add("processes", Some(family.len() as f64), true);
        let stopped = family.iter().filter(|pid| proc::state(**pid) == Some('T')).count();
        add("stopped processes", Some(stopped as f64), true);
    }
    let reach = levers.reach();
    add("connections to the data plane", connections(reach.planes.data), true);
    add("connections to the meta plane", connections(reach.planes.meta), true);
    readings
}

/// The processor quota; −1 where there is none.
fn quota(group: &Group) -> Option<f64> {
    let path = match group {
        Group::V1 { cpu, .. } => cpu.as_ref()?.join("cpu.cfs_quota_us"),
        Group::V2(path) => path.join("cpu.max"),
    };
    let text = std::fs::read_to_string(path).ok()?;
    match text.split_whitespace().next()? {
        "max" => Some(-1.0),
        quota => quota.parse().ok(),
    }
}

fn members(group: &Group) -> Option<f64> {
    let text = std::fs::read_to_string(group.folder().join("cgroup.procs")).ok()?;
    Some(text.lines().count() as f64)
}

/// Established connections of this machine to an address, as their own end has them.
fn connections(to: SocketAddr) -> Option<f64> {
    let wanted = format!(":{:04X}", to.port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let count = tables.iter().flat_map(|table| table.lines().skip(1)).filter(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|remote| remote.ends_with(&wanted)) && fields.next() == Some(ESTABLISHED)
    });
    (!tables[0].is_empty()).then(|| count.count() as f64)
}
