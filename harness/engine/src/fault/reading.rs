//! What has to be the same after a fault as before it, as the kernel has it.

use super::Levers;
use crate::driver::Group;
use crate::sampler::proc;
use crate::target::Reading;

/// The kernel's numbers of states in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
const CLOSE_WAIT: &str = "08";
const LISTEN: &str = "0A";

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
    let own_end = levers.main_pid().map(|pid| Sockets::of(&pid.to_string()));
    let planes = [
        ("connections to the data plane", reach.inside.data, reach.planes.data),
        ("connections to the meta plane", reach.inside.meta, reach.planes.meta),
    ];
    for (name, inside, outside) in planes {
        let held = own_end.as_ref().and_then(|sockets| sockets.held_at(inside));
        add(name, held.or_else(|| Sockets::of("self").open_to(outside.port())), true);
    }
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

/// The kernel's tables of TCP sockets, as a process sees them.
struct Sockets(String);

impl Sockets {
    fn of(pid: &str) -> Self {
        let table = |name| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        Self(["tcp", "tcp6"].map(table).concat())
    }

    /// Local port, remote port and state of each.
    fn each(&self) -> impl Iterator<Item = (u16, u16, &str)> {
        // The line above a table has no ports.
        self.0.lines().filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let mut port = || u16::from_str_radix(fields.next()?.rsplit_once(':')?.1, 16).ok();
            Some((port()?, port()?, fields.next()?))
        })
    }

    /// Connections that whoever listens at a port has not let go of: those that the other side has closed too, which only this end shows. `None` where
    /// nobody listens there: these are not the target's tables then.
    fn held_at(&self, port: u16) -> Option<f64> {
        let listens = self.each().any(|(local, _, state)| local == port && state == LISTEN);
        let held = |state| state == ESTABLISHED || state == CLOSE_WAIT;
        listens.then(|| self.each().filter(|(local, _, state)| *local == port && held(*state)).count() as f64)
    }

    /// Established connections to a port, as their own end has them.
    fn open_to(&self, port: u16) -> Option<f64> {
        let open = self.each().filter(|(_, remote, state)| *remote == port && *state == ESTABLISHED);
        (!self.0.is_empty()).then(|| open.count() as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TABLES: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:0BB8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0100007F:0BB8 0100007F:9C42 08 00000001:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   3: 0100007F:0BB8 0100007F:9C44 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   4: 0100007F:9C40 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 0000000000000000FFFF00000100007F:0BB8 0000000000000000FFFF00000100007F:9C46 01 00000000:00000000 00:00000000
";

    #[test]
    fn what_the_target_has_not_let_go_of_is_counted_at_its_own_end() {
        let sockets = Sockets(TABLES.to_owned());
        assert_eq!(sockets.held_at(3000), Some(3.0), "two established, one that only the other side has closed");
        assert_eq!(sockets.open_to(3000), Some(1.0));
        assert_eq!(sockets.held_at(3001), None, "another's tables");
        assert_eq!((Sockets(String::new()).held_at(3000), Sockets(String::new()).open_to(3000)), (None, None));
    }

    #[test]
    fn a_socket_that_is_never_closed_shows_after_its_client_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut leaked, _) = listener.accept().unwrap();
        drop(client);
        // The end of the stream has come.
        assert_eq!(leaked.read(&mut [0]).unwrap(), 0);
        let sockets = Sockets::of("self");
        assert_eq!((sockets.held_at(port), sockets.open_to(port)), (Some(1.0), Some(0.0)));
    }
}
