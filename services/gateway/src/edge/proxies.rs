//! Who the client is when proxies stand in between: only those that are trusted are believed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// How many hops are looked at; a longer chain is made up.
const MAX_HOPS: usize = 32;

/// The proxies that are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Parses networks such as `10.0.0.0/8`, or single addresses.
    pub fn parse(networks: &[String]) -> Result<Self, String> {
        let parse = |text: &String| {
            let single = text.parse::<IpAddr>().map(IpNet::from);
            text.parse::<IpNet>().or(single).map_err(|_| format!("trusted_proxies: {text} is not a network"))
        };
        networks.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Says whether an address is one of a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the address of the client: the right-most of the chain that no trusted proxy has.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let values: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
        let hops = values.iter().rev().flat_map(|value| value.rsplit(','));
        for hop in hops.take(MAX_HOPS) {
            // What a trusted proxy did not understand itself, nobody vouches for.
            let Some(address) = address(hop.trim()) else { return client };
            client = address;
            if !self.trusts(address) {
                return client;
            }
        }
        client
    }

    /// Says whether the client came by TLS, as far as a trusted proxy tells.
    pub fn is_secure(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let told = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
        self.trusts(peer.to_canonical()) && told.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
    }
}

/// Returns what a client is counted by: its IPv4 address, or the /64 of its IPv6 address, all of which is its own.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        IpAddr::V4(address) => address.into(),
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rightmost_untrusted_hop_is_the_client() {
        let proxies = Proxies::parse(&["10.0.0.0/8".into(), "::1".into()]).unwrap();
        let cases = [
            ("192.0.2.1", vec![], "192.0.2.1"),
            ("192.0.2.1", vec!["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", vec!["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", vec!["198.51.100.7, 10.1.1.1"], "198.51.100.7"),
            ("10.0.0.1", vec!["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", vec!["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
            ("10.0.0.1", vec!["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.7:1234"], "198.51.100.7"),
            ("::ffff:10.0.0.1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
            ("::1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("::1", vec!["::ffff:192.0.2.9"], "192.0.2.9"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
        ];
        for (peer, forwarded, wanted) in cases {
            let headers = forwarded.iter().map(|v| ("x-forwarded-for".parse().unwrap(), v.parse().unwrap())).collect();
            assert_eq!(proxies.client(peer.parse().unwrap(), &headers).to_string(), wanted, "{peer} {forwarded:?}");
        }
        assert!(Proxies::parse(&["10.0.0.0/40".into()]).is_err());
    }

    #[test]
    fn only_a_trusted_proxy_can_say_that_the_client_came_by_tls() {
        let proxies = Proxies::parse(&["10.0.0.0/8".into()]).unwrap();
        let headers = [("x-forwarded-proto".parse().unwrap(), "HTTPS".parse().unwrap())].into_iter().collect();
        assert!(proxies.is_secure("10.0.0.1".parse().unwrap(), &headers));
        assert!(!proxies.is_secure("192.0.2.1".parse().unwrap(), &headers));
        assert!(!proxies.is_secure("10.0.0.1".parse().unwrap(), &HeaderMap::new()));
    }
}
