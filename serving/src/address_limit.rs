//! The number of connections that one address may have: `--max-connections-per-address`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use parking_lot::Mutex;

use crate::client_address::{ClientAddress, TrustedProxies};

/// The connections beyond the limit that an address may have at a time that are answered with the error. Further ones are closed when they are accepted.
const ANSWERED: usize = 8;

/// The connections of each address.
#[derive(Debug)]
pub(crate) struct AddressLimit {
    /// Zero if there is no limit.
    most: usize,
    proxies: TrustedProxies,
    addresses: Mutex<HashMap<ClientAddress, Connections>>,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Connections {
    served: usize,
    /// Those beyond the limit, until they are answered.
    refused: usize,
}

/// The decision on a connection.
#[derive(Debug)]
pub(crate) enum Entrance {
    /// It is served. Counted by the seat, where there is a limit.
    Served(Option<Arc<Seat>>),
    /// It is answered that its address has too many.
    Refused(Arc<Seat>),
    /// It is closed.
    Closed,
}

/// The place of a connection among those of its address, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    limit: Arc<AddressLimit>,
    peer: IpAddr,
    counted: Mutex<Option<Counted>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    address: ClientAddress,
    is_served: bool,
}

impl AddressLimit {
    /// Lets each address have `most` connections; any number, if that is zero.
    pub(crate) fn new(most: usize, proxies: TrustedProxies) -> Self {
        Self { most, proxies, addresses: Mutex::default() }
    }

    /// Decides on a connection. One from a trusted proxy is counted request by request: see [`Seat::change_to`] and [`Seat::of_stream`].
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Entrance {
        if self.most == 0 {
            return Entrance::Served(None);
        }
        let seat = |counted| Arc::new(Seat { limit: Arc::clone(self), peer, counted: Mutex::new(counted) });
        if self.proxies.include(peer) {
            return Entrance::Served(Some(seat(None)));
        }
        let address = ClientAddress::from(peer);
        if self.count(address) {
            return Entrance::Served(Some(seat(Some(Counted { address, is_served: true }))));
        }
        let mut addresses = self.addresses.lock();
        match addresses.get_mut(&address) {
            Some(connections) if connections.refused < ANSWERED => {
                connections.refused += 1;
                Entrance::Refused(seat(Some(Counted { address, is_served: false })))
            }
            _ => Entrance::Closed,
        }
    }

    /// The address of the client that sent a request over a connection from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        self.proxies.client(peer, headers)
    }

    /// Counts a connection of an address. Returns whether there was room for it.
    fn count(&self, address: ClientAddress) -> bool {
        let mut addresses = self.addresses.lock();
        let connections = addresses.entry(address).or_default();
        let has_room = connections.served < self.most;
        connections.served += usize::from(has_room);
        has_room
    }

    fn leave(&self, Counted { address, is_served }: Counted) {
        let mut addresses = self.addresses.lock();
        let Entry::Occupied(mut entry) = addresses.entry(address) else { return };
        let connections = entry.get_mut();
        let number = if is_served { &mut connections.served } else { &mut connections.refused };
        *number = number.saturating_sub(1);
        if connections.served == 0 && connections.refused == 0 {
            entry.remove();
        }
    }
}

impl Seat {
    /// Counts the connection for the client that sends a request over it from now on. Returns whether it may be served: the limit is
    /// looked at where a trusted proxy sends it for another client than the one before.
    pub(crate) fn change_to(&self, headers: &HeaderMap) -> bool {
        if !self.limit.proxies.include(self.peer) {
            return true;
        }
        let address = self.limit.client(self.peer, headers);
        let mut counted = self.counted.lock();
        if counted.is_some_and(|counted| counted.address == address) {
            return true;
        }
        if let Some(before) = counted.take() {
            self.limit.leave(before);
        }
        let has_room = self.limit.count(address);
        *counted = has_room.then_some(Counted { address, is_served: true });
        has_room
    }

    /// The seat of a request that comes over the connection beside others: one of its own where a trusted proxy sends it, who may send those
    /// of other clients at the same time, and that of the connection where it is a client's.
    pub(crate) fn of_stream(self: &Arc<Self>) -> Arc<Self> {
        if !self.limit.proxies.include(self.peer) {
            return Arc::clone(self);
        }
        Arc::new(Self { limit: Arc::clone(&self.limit), peer: self.peer, counted: Mutex::default() })
    }

    /// No longer counts a connection from a trusted proxy, whose request is answered.
    pub(crate) fn rest(&self) {
        if self.limit.proxies.include(self.peer)
            && let Some(counted) = self.counted.lock().take()
        {
            self.limit.leave(counted);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(counted) = self.counted.get_mut().take() {
            self.limit.leave(counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(most: usize) -> Arc<AddressLimit> {
        Arc::new(AddressLimit::new(most, TrustedProxies::new(&["10.0.0.0/8".parse().unwrap()])))
    }

    fn served(entrance: Entrance) -> Option<Arc<Seat>> {
        match entrance {
            Entrance::Served(seat) => Some(seat.unwrap()),
            _ => None,
        }
    }

    fn forwarded_for(address: &str) -> HeaderMap {
        HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), address.parse().unwrap())])
    }

    #[test]
    fn an_address_has_so_many_and_some_that_are_answered() {
        let limit = limit(2);
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let seats: Vec<_> = (0..2).map(|_| served(limit.enter(one)).unwrap()).collect();
        let refused: Vec<_> = (0..ANSWERED).map(|_| limit.enter(one)).collect();
        assert!(refused.iter().all(|entrance| matches!(entrance, Entrance::Refused(_))));
        assert!(matches!(limit.enter(one), Entrance::Closed));
        assert!(served(limit.enter(other)).is_some());
        drop(refused);
        assert!(matches!(limit.enter(one), Entrance::Refused(_)));
        drop(seats);
        assert!(served(limit.enter(one)).is_some());
        assert!(limit.addresses.lock().is_empty(), "nobody is left");
    }

    #[test]
    fn a_proxy_is_counted_for_its_clients() {
        let limit = limit(1);
        let proxy = "10.0.0.1".parse().unwrap();
        let seats: Vec<_> = (0..3).map(|_| served(limit.enter(proxy)).unwrap()).collect();
        let (one, other) = (forwarded_for("192.0.2.1"), forwarded_for("192.0.2.2"));
        assert!(seats[0].change_to(&one) && seats[0].change_to(&one), "the same again");
        assert!(!seats[1].change_to(&one));
        assert!(seats[1].change_to(&other));
        assert!(!seats[2].change_to(&other));
        seats[0].rest();
        assert!(seats[2].change_to(&one));
        drop(seats);
        assert!(limit.addresses.lock().is_empty());
    }

    #[test]
    fn requests_beside_each_other_count_for_their_clients_where_a_proxy_sends_them() {
        let limit = limit(2);
        let (one, other) = (forwarded_for("192.0.2.1"), forwarded_for("192.0.2.2"));
        let connection = served(limit.enter("10.0.0.1".parse().unwrap())).unwrap();
        let streams: Vec<_> = (0..3).map(|_| connection.of_stream()).collect();
        assert!(streams[0].change_to(&one) && streams[1].change_to(&one) && !streams[2].change_to(&one));
        assert!(connection.of_stream().change_to(&other));
        drop(streams);
        let again = connection.of_stream();
        assert!(again.change_to(&one));
        drop(connection);
        assert_eq!(limit.addresses.lock().len(), 1, "a stream counts until it ends");
        drop(again);
        assert!(limit.addresses.lock().is_empty());

        let direct = served(limit.enter("192.0.2.1".parse().unwrap())).unwrap();
        for _ in 0..3 {
            assert!(direct.of_stream().change_to(&one), "a client's own connection counts once");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let limit = limit(0);
        for _ in 0..3 {
            assert!(matches!(limit.enter("192.0.2.1".parse().unwrap()), Entrance::Served(None)));
        }
        assert!(limit.addresses.lock().is_empty());
    }
}
