//! The address by which a client is counted, and the proxies that are believed about it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The header in which a proxy reports the address of its client, before RFC 7239 and mostly still.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address by which a client is counted: its IPv4 address, or the /64 network of its IPv6 address, of which one host can
/// have every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()),
            v4 => Self(v4),
        }
    }
}

/// An address, or a network in CIDR notation (RFC 4632, section 3.1), of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

/// The error for a text that is neither an address nor a network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write an address such as 10.0.0.7, or a network such as 10.0.0.0/8 or fd00::/8")]
pub struct BadTrustedProxy;

impl FromStr for TrustedProxy {
    type Err = BadTrustedProxy;

    fn from_str(text: &str) -> Result<Self, BadTrustedProxy> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.map(|network| Self(network.trunc())).ok_or(BadTrustedProxy)
    }
}

/// The proxies whose word on the address of a client is believed.
#[derive(Debug, Default)]
pub(crate) struct TrustedProxies(Vec<TrustedProxy>);

impl TrustedProxies {
    pub(crate) fn new(proxies: &[TrustedProxy]) -> Self {
        Self(proxies.to_vec())
    }

    pub(crate) fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|proxy| proxy.0.contains(&address))
    }

    /// The address of the client that sent a request over a connection from `peer`: that of the peer, unless it is a trusted proxy.
    ///
    /// A proxy adds its part behind what its client has sent, so the last address that is no trusted proxy counts. A
    /// proxy passes on a header that it does not know, as the client wrote it: where the two headers disagree, neither is believed.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        if !self.include(peer) {
            return peer.into();
        }
        let forwarded = self.reported(peer, headers, &FORWARDED, forwarded_for);
        let custom = self.reported(peer, headers, &X_FORWARDED_FOR, address);
        match (forwarded, custom) {
            (Some(one), None) | (None, Some(one)) => one.into(),
            (Some(one), Some(other)) if one == other => one.into(),
            _ => peer.into(),
        }
    }

    /// The address that a header reports, if it is there: read from its end, up to the first that is no trusted proxy.
    fn reported(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        parse: fn(&str) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        let mut believed = headers.contains_key(name).then_some(peer)?;
        let lines: Vec<_> = headers.get_all(name).iter().collect();
        for line in lines.into_iter().rev() {
            for element in line.to_str().unwrap_or_default().rsplit(',') {
                let Some(address) = parse(element.trim()) else { return Some(believed) };
                believed = address;
                if !self.include(address) {
                    return Some(believed);
                }
            }
        }
        Some(believed)
    }
}

/// The address in an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(value.trim().trim_matches('"'))
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(headers: &[(&'static str, &'static str)]) -> String {
        let proxies = TrustedProxies::new(&["10.0.0.0/8".parse().unwrap(), "fd00::1".parse().unwrap()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        proxies.client("10.0.0.1".parse().unwrap(), &map).0.to_string()
    }

    #[test]
    fn the_last_address_that_is_no_trusted_proxy_counts() {
        const XFF: &str = "x-forwarded-for";
        assert_eq!(client(&[]), "10.0.0.1");
        assert_eq!(client(&[(XFF, "192.0.2.1")]), "192.0.2.1");
        assert_eq!(client(&[(XFF, "192.0.2.66, 192.0.2.1, 10.9.9.9")]), "192.0.2.1", "the first one is made up");
        assert_eq!(client(&[(XFF, "192.0.2.66"), (XFF, "192.0.2.1,fd00::1")]), "192.0.2.1");
        assert_eq!(client(&[(XFF, "10.1.1.1, 10.2.2.2")]), "10.1.1.1", "a client inside");
        assert_eq!(client(&[(XFF, "192.0.2.1:4711")]), "192.0.2.1");
        assert_eq!(client(&[(XFF, "192.0.2.1, unknown")]), "10.0.0.1");
        assert_eq!(client(&[(XFF, "")]), "10.0.0.1");
        assert_eq!(client(&[(XFF, "::ffff:192.0.2.1")]), "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_has_it() {
        const NAME: &str = "forwarded";
        assert_eq!(client(&[(NAME, "for=192.0.2.60;proto=http;by=203.0.113.43")]), "192.0.2.60");
        assert_eq!(client(&[(NAME, "For=\"[2001:db8:cafe::17]:4711\"")]), "2001:db8:cafe::");
        assert_eq!(client(&[(NAME, "for=192.0.2.66, proto=https;for=\"[2001:db8::1]\"")]), "2001:db8::");
        assert_eq!(client(&[(NAME, "for=_hidden")]), "10.0.0.1");
        assert_eq!(client(&[(NAME, "for=unknown, for=192.0.2.1")]), "192.0.2.1");
        assert_eq!(client(&[(NAME, "by=192.0.2.1")]), "10.0.0.1");
    }

    #[test]
    fn headers_that_disagree_are_not_believed() {
        let (forwarded, custom) = (("forwarded", "for=192.0.2.66"), ("x-forwarded-for", "192.0.2.1"));
        assert_eq!(client(&[forwarded, custom]), "10.0.0.1");
        assert_eq!(client(&[("forwarded", "for=192.0.2.1"), custom]), "192.0.2.1");
    }

    #[test]
    fn others_are_not_believed_and_networks_of_ipv6_are_one_client() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
        let proxies = TrustedProxies::default();
        for (peer, counted) in
            [("10.0.0.1", "10.0.0.1"), ("2001:db8::1:2:3:4", "2001:db8::"), ("::ffff:1.2.3.4", "1.2.3.4")]
        {
            assert_eq!(proxies.client(peer.parse().unwrap(), &headers).0.to_string(), counted);
        }
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        for text in ["10.0.0.7", "10.1.2.3/8", "fd00::/8", "::1"] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "proxy.example", "10.0.0.7:80", "*"] {
            assert_eq!(text.parse::<TrustedProxy>(), Err(BadTrustedProxy), "{text}");
        }
    }
}
