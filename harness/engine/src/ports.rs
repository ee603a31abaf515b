//! Free ports of 127.0.0.1 for servers that must be told their port before they start.
//!
//! Asking the kernel for any port (`bind` to port 0) and letting it go is not enough: it comes from the range of outgoing connections, and any program
//! of the machine may take it before the server listens. So a port is taken from below that range, where only those listen who ask for it by number,
//! and stays reserved among the harnesses of the machine for as long as it is held.

use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Ports that are searched: above what services have by habit, below what Kubernetes gives away (30000) and below outgoing connections (32768).
const USUAL: Range<u16> = 10_000..30_000;
/// Fewer are not searched: they would soon be used up.
const AT_LEAST: usize = 500;
/// Where the kernel says which ports outgoing connections have.
const OUTGOING: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A port of 127.0.0.1 on which nothing listened. No other harness of this machine gets it as long as this lives.
#[derive(Debug)]
pub struct FreePort {
    number: u16,
    /// A socket without a file, whose name holds the number. The kernel lets it go with the process.
    _reserved: Option<UnixListener>,
}

impl FreePort {
    /// Finds one and reserves it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AddrInUse`] where none is free; otherwise what the kernel said.
    pub fn find() -> std::io::Result<Self> {
        let outgoing = std::fs::read_to_string(OUTGOING).ok().and_then(|text| outgoing(&text));
        let searched = searched(outgoing);
        if searched.len() < AT_LEAST {
            // Every port is open to outgoing connections: any is as good as another.
            let number = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            return Ok(Self { number, _reserved: None });
        }
        // Harnesses that start together should not all search the same ports.
        let start = random() % searched.len();
        let mut from_start = searched.clone().skip(start).chain(searched.take(start));
        let found = from_start.find_map(|number| Self::take(number).transpose());
        found.unwrap_or_else(|| Err(Error::new(ErrorKind::AddrInUse, "every port of 127.0.0.1 is in use")))
    }

    /// Where a server on it is reached.
    pub fn addr(&self) -> std::net::SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// This port, where it is free.
    fn take(number: u16) -> std::io::Result<Option<Self>> {
        let name = SocketAddr::from_abstract_name(format!("soak-port-{number}"))?;
        let reserved = match UnixListener::bind_addr(&name) {
            Ok(reserved) => reserved,
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(None),
            Err(error) => return Err(error),
        };
        // On all addresses, as a server may listen on them.
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)) {
            Ok(_) => Ok(Some(Self { number, _reserved: Some(reserved) })),
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// First and last port of outgoing connections, as the kernel writes them.
fn outgoing(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(|word| word.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The ports to search: the usual ones below those of outgoing connections, or those above them.
fn searched(outgoing: Option<(u16, u16)>) -> Range<u16> {
    let Some((first, last)) = outgoing else { return USUAL };
    let below = USUAL.start..USUAL.end.min(first).max(USUAL.start);
    if below.len() >= AT_LEAST { below } else { last.saturating_add(1)..u16::MAX }
}

/// Any number.
fn random() -> usize {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    usize::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_below_those_of_outgoing_connections() {
        assert_eq!(searched(Some((32_768, 60_999))), 10_000..30_000);
        assert_eq!(searched(Some((20_000, 60_999))), 10_000..20_000);
        assert_eq!(searched(Some((1_024, 60_999))), 61_000..65_535);
        assert!(searched(Some((1_024, 65_535))).is_empty());
        assert_eq!(searched(None), USUAL);
        assert_eq!(outgoing("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(outgoing("many"), None);
    }

    #[test]
    fn a_port_is_given_once() {
        let ports: Vec<FreePort> = (0..200).map(|_| FreePort::find().unwrap()).collect();
        let numbers: std::collections::BTreeSet<u16> = ports.iter().map(FreePort::number).collect();
        assert_eq!(numbers.len(), 200);
        let held = ports[0].number();
        assert!(FreePort::take(held).unwrap().is_none(), "a second harness gets it as well");
        TcpListener::bind((Ipv4Addr::LOCALHOST, held)).expect("the server itself may listen on it");
        drop(ports);
        assert!(FreePort::take(held).unwrap().is_some(), "it stays reserved after its end");
    }

    #[test]
    fn a_port_that_a_server_listens_on_is_not_given() {
        let server = FreePort::find().unwrap().number();
        let _listening = TcpListener::bind((Ipv4Addr::LOCALHOST, server)).unwrap();
        assert!(FreePort::take(server).unwrap().is_none());
    }
}
