//! The replicas of a service, and how clients find them.

use std::net::SocketAddr;
use std::pin::Pin;

use anyhow::bail;

use super::balancer::Addresses;
use crate::target::Method;

/// The time for which NATS or a replica is down after it was killed, in milliseconds.
pub(super) const AWAY: std::ops::Range<u64> = 200..2000;

/// A replica of a service.
pub trait Replica: Send {
    /// The method that it serves.
    fn method(&self) -> Method;

    /// The address on which it listens now.
    fn address(&self) -> SocketAddr;

    /// Stops it in good order and starts it again, perhaps at another address.
    fn restart(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>>;

    /// Kills it, as `kill -9` does.
    ///
    /// # Errors
    /// Fails when it has ended by itself, or is no process of its own.
    fn kill(&mut self) -> anyhow::Result<()> {
        bail!("only a process can be killed")
    }

    /// Starts it again after it was killed, perhaps at another address.
    fn start(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>> {
        Box::pin(async { bail!("only a process can be killed") })
    }
}

/// The replicas of a service, as clients find them.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) method: Method,
    pub(super) addresses: Addresses,
}

impl Site {
    /// The sites of some replicas, in the order of `methods`.
    pub(super) fn of(replicas: &[Box<dyn Replica>], methods: &[Method]) -> Vec<Self> {
        let addresses = |method: Method| -> Vec<SocketAddr> {
            replicas.iter().filter(|replica| replica.method() == method).map(|replica| replica.address()).collect()
        };
        let sites = methods.iter().map(|&method| (method, addresses(method)));
        let sites = sites.filter(|(_, addresses)| !addresses.is_empty());
        sites.map(|(method, addresses)| Self { method, addresses: Addresses::new(addresses) }).collect()
    }

    /// Tells clients where all replicas are now.
    pub(super) fn moved(sites: &[Self], replicas: &[Box<dyn Replica>]) {
        for site in sites {
            let of_the_site = replicas.iter().filter(|replica| replica.method() == site.method);
            for (place, replica) in of_the_site.enumerate() {
                site.addresses.moved(place, replica.address());
            }
        }
    }
}
