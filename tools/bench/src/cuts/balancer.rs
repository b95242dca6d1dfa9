//! A load balancer at the level of TCP, which leads a client that reconnects to another replica than before.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tokio::net::TcpStream;

/// The addresses of a service's replicas, which change as they are restarted.
#[derive(Debug, Clone)]
pub struct Addresses(Arc<Mutex<Vec<SocketAddr>>>);

impl Addresses {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self(Arc::new(Mutex::new(addresses)))
    }

    /// Sets the new address of a replica.
    pub(crate) fn moved(&self, replica: usize, address: SocketAddr) {
        self.lock()[replica] = address;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SocketAddr>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl From<SocketAddr> for Addresses {
    fn from(address: SocketAddr) -> Self {
        Self::new(vec![address])
    }
}

/// The route of one client to a service.
#[derive(Debug)]
pub(crate) struct Balancer {
    addresses: Addresses,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    rng: Rng,
    /// The replica of the last connection.
    last: Option<usize>,
}

impl Balancer {
    pub(crate) fn new(addresses: Addresses, seed: u64) -> Self {
        Self { addresses, memory: Mutex::new(Memory { rng: Rng::with_seed(seed), last: None }) }
    }

    /// Connects to another replica than before, unless none of them accepts.
    pub(crate) async fn connect(&self) -> Option<TcpStream> {
        for (replica, address) in self.choices() {
            if let Ok(stream) = TcpStream::connect(address).await {
                self.lock().last = Some(replica);
                return Some(stream);
            }
        }
        None
    }

    /// All replicas: the others in random order, then the last one.
    fn choices(&self) -> Vec<(usize, SocketAddr)> {
        let mut memory = self.lock();
        let mut choices: Vec<_> = self.addresses.lock().iter().copied().enumerate().collect();
        memory.rng.shuffle(&mut choices);
        choices.sort_by_key(|(replica, _)| Some(*replica) == memory.last);
        choices
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn a_client_that_reconnects_is_led_to_another_replica() {
        let (listeners, addresses): (Vec<_>, Vec<_>) =
            [listen().await, listen().await, listen().await].into_iter().unzip();
        let balancer = Balancer::new(Addresses::new(addresses), 1);
        let mut seen = Vec::new();
        for _ in 0..60 {
            seen.push(balancer.connect().await.unwrap().peer_addr().unwrap());
        }
        assert!(seen.windows(2).all(|two| two[0] != two[1]), "{seen:?}");
        for listener in listeners {
            assert!(seen.contains(&listener.local_addr().unwrap()));
        }
    }

    #[tokio::test]
    async fn a_replica_that_is_down_is_passed_over_until_it_has_another_address() {
        let ((_listener, here), (other, there)) = (listen().await, listen().await);
        let addresses = Addresses::new(vec![here, there]);
        let balancer = Balancer::new(addresses.clone(), 1);
        drop(other);
        for _ in 0..5 {
            assert_eq!(balancer.connect().await.unwrap().peer_addr().unwrap(), here);
        }
        let (_listener, moved) = listen().await;
        addresses.moved(1, moved);
        assert_eq!(balancer.connect().await.unwrap().peer_addr().unwrap(), moved);
    }
}
