//! The address that a service listens on, as `--listen` names it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on: `IP:PORT`, `localhost:PORT`, or `:PORT` for all addresses of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    /// Every address of the machine.
    All,
    /// The machine itself.
    Localhost,
    Ip(IpAddr),
}

/// The error for a text that is no address to listen on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write IP:PORT such as 127.0.0.1:3001 or [::1]:3001, localhost:PORT, or :PORT for all addresses")]
pub struct BadListenAddress;

impl ListenAddress {
    /// The addresses to try in their order: a later one is for a machine that does not have the kind of the one before.
    pub(crate) fn candidates(self) -> Vec<SocketAddr> {
        let ips: &[IpAddr] = match &self.host {
            // Takes IPv4 too.
            Host::All => &[IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
            Host::Localhost => &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            Host::Ip(ip) => &[*ip],
        };
        ips.iter().map(|ip| SocketAddr::new(*ip, self.port)).collect()
    }

    /// The addresses at which a client on the same machine reaches the service, to be tried in their order.
    pub(crate) fn reachable(self) -> Vec<SocketAddr> {
        let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let ips = match self.host {
            Host::Ip(ip) if !ip.is_unspecified() => vec![ip],
            Host::Ip(IpAddr::V4(_)) => vec![v4],
            Host::All | Host::Localhost | Host::Ip(IpAddr::V6(_)) => vec![v4, v6],
        };
        ips.into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect()
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Ip(address.ip()), port: address.port() }
    }
}

impl FromStr for ListenAddress {
    type Err = BadListenAddress;

    fn from_str(text: &str) -> Result<Self, BadListenAddress> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let (host, port) = text.split_once(':').ok_or(BadListenAddress)?;
        let host = match host {
            "" => Host::All,
            host if host.eq_ignore_ascii_case("localhost") => Host::Localhost,
            _ => return Err(BadListenAddress),
        };
        // `u16::from_str` would take a plus sign.
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number).ok_or(BadListenAddress)?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::All => write!(f, ":{}", self.port),
            Host::Localhost => write!(f, "localhost:{}", self.port),
            Host::Ip(ip) => SocketAddr::new(ip, self.port).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        for text in [":3001", "localhost:0", "127.0.0.1:80", "0.0.0.0:1", "[::]:3001", "[::1]:65535"] {
            assert_eq!(text.parse::<ListenAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("LOCALHOST:80".parse::<ListenAddress>(), "localhost:80".parse());
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            ":",
            "3001",
            "localhost",
            "localhost:",
            ":65536",
            ":+1",
            ":-1",
            "example.org:80",
            "::1:80",
            "a:b",
            "1.2.3:4",
        ] {
            assert_eq!(bad.parse::<ListenAddress>(), Err(BadListenAddress), "{bad:?}");
        }
    }
}
