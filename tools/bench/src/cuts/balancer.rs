//! A load balancer at the level of TCP, which sends whoever comes back to another replica than the last time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tokio::net::TcpStream;

/// Where the replicas of a service are, which changes as they are restarted.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Mutex<Vec<SocketAddr>>>);

impl Places {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self(Arc::new(Mutex::new(addresses)))
    }

    /// A replica is at another address.
    pub(crate) fn moved(&self, replica: usize, address: SocketAddr) {
        self.lock()[replica] = address;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SocketAddr>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl From<SocketAddr> for Places {
    fn from(address: SocketAddr) -> Self {
        Self::new(vec![address])
    }
}

/// One client's way to a service.
#[derive(Debug)]
pub(crate) struct Balancer {
    places: Places,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    /// Which replica it was the last time.
    last: Option<usize>,
}

impl Balancer {
    pub(crate) fn new(places: Places, seed: u64) -> Self {
        Self { places, state: Mutex::new(State { rng: Rng::with_seed(seed), last: None }) }
    }

    /// Connects to another replica than the last time, unless no other lets it in.
    pub(crate) async fn connect(&self) -> Option<TcpStream> {
        for (replica, address) in self.choices() {
            if let Ok(stream) = TcpStream::connect(address).await {
                self.lock().last = Some(replica);
                return Some(stream);
            }
        }
        None
    }

    /// All replicas: the others in any order, then the last one.
    fn choices(&self) -> Vec<(usize, SocketAddr)> {
        let mut state = self.lock();
        let mut choices: Vec<_> = self.places.lock().iter().copied().enumerate().collect();
        state.rng.shuffle(&mut choices);
        choices.sort_by_key(|(replica, _)| Some(*replica) == state.last);
        choices
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
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
    async fn whoever_comes_back_comes_to_another_replica() {
        let (listeners, addresses): (Vec<_>, Vec<_>) =
            [listen().await, listen().await, listen().await].into_iter().unzip();
        let balancer = Balancer::new(Places::new(addresses), 1);
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
    async fn a_replica_that_is_away_is_passed_over_until_it_is_somewhere_else() {
        let ((_listener, here), (other, there)) = (listen().await, listen().await);
        let places = Places::new(vec![here, there]);
        let balancer = Balancer::new(places.clone(), 1);
        drop(other);
        for _ in 0..5 {
            assert_eq!(balancer.connect().await.unwrap().peer_addr().unwrap(), here);
        }
        let (_listener, moved) = listen().await;
        places.moved(1, moved);
        assert_eq!(balancer.connect().await.unwrap().peer_addr().unwrap(), moved);
    }
}
