//! Loopback ports that a state directory keeps over restarts.

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::Path,
};

use crate::error::{Error, Result, Trying};

/// Ports come from below the kernel's ephemeral range (32768 up): there, an outgoing connection could take the port of
/// a server that is down for a moment, or a client that reconnects could meet itself.
const FIRST: u16 = 18_000;
const LAST: u16 = 31_999;

/// Ports that no other stack of this machine uses while the value lives.
#[derive(Debug)]
pub(crate) struct Ports {
    numbers: Vec<u16>,
    #[expect(dead_code, reason = "held, never used: the claims end with the value")]
    claims: Vec<UnixListener>,
}

impl Ports {
    /// Takes the ports that `file` remembers, the next free one for each that is taken meanwhile, and remembers the result.
    pub(crate) fn take(file: &Path, count: usize) -> Result<Self> {
        let remembered: Vec<u16> =
            fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let start = random_start();
        let (mut numbers, mut claims) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for index in 0..count {
            let wish = remembered.get(index).copied();
            let (number, claim) = next_free(wish.unwrap_or(start)).ok_or(Error::NoPort(FIRST, LAST))?;
            numbers.push(number);
            claims.push(claim);
        }
        let json = serde_json::to_vec(&numbers).unwrap_or_default();
        fs::write(file, json).trying(|| format!("write {}", file.display()))?;
        Ok(Self { numbers, claims })
    }

    /// Returns the numbers, in the order they were asked for.
    pub(crate) fn numbers(&self) -> &[u16] {
        &self.numbers
    }
}

/// Tells whether nothing listens on `port`.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn next_free(wish: u16) -> Option<(u16, UnixListener)> {
    let wish = wish.clamp(FIRST, LAST);
    (wish..=LAST).chain(FIRST..wish).find_map(|port| {
        let claim = claim(port)?;
        is_free(port).then_some((port, claim))
    })
}

/// An abstract socket's name exists once in the network namespace, as the port does, and goes with its process: two stacks
/// that look for ports at the same moment cannot choose the same one.
fn claim(port: u16) -> Option<UnixListener> {
    let name = SocketAddr::from_abstract_name(format!("taskman-devstack-port-{port}")).ok()?;
    UnixListener::bind_addr(&name).ok()
}

/// Spreads stacks over the range, so that a restarted one seldom finds its ports taken.
fn random_start() -> u16 {
    let span = u64::from(LAST - FIRST);
    let offset = RandomState::new().hash_one(FIRST) % span;
    FIRST + u16::try_from(offset).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ports.json");
        let first = Ports::take(&file, 4).unwrap().numbers().to_vec();
        assert_eq!(Ports::take(&file, 4).unwrap().numbers(), first);
    }

    #[test]
    fn a_taken_port_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ports.json");
        let before = Ports::take(&file, 2).unwrap().numbers().to_vec();
        let _occupied = TcpListener::bind((Ipv4Addr::LOCALHOST, before[0])).unwrap();
        let after = Ports::take(&file, 2).unwrap();
        assert_ne!(after.numbers()[0], before[0]);
    }

    #[test]
    fn a_claimed_port_is_given_to_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let one = Ports::take(&dir.path().join("one.json"), 3).unwrap();
        fs::copy(dir.path().join("one.json"), dir.path().join("two.json")).unwrap();
        let two = Ports::take(&dir.path().join("two.json"), 3).unwrap();
        assert!(one.numbers().iter().all(|port| !two.numbers().contains(port)));
    }
}
