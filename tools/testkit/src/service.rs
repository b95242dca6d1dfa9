//! A service and its method, as the tests see them that are the same for every service.

use std::future::Future;
use std::net::SocketAddr;

use reqwest::RequestBuilder;

use crate::raw::RawClient;
use crate::server::Server;
use crate::service_program::ServiceProgram;

/// A service, and the ways in which a client of its method asks it. Queries are written as in a URL.
pub trait Service {
    /// The service's program.
    const PROGRAM: ServiceProgram;

    /// A client of the method.
    type Follower: Follower;

    /// Starts the service in this process, without ticker and heartbeat unless the flags ask for them.
    fn start(flags: &[&str]) -> impl Future<Output = Server>;

    /// Makes a request of the method.
    fn request(address: SocketAddr, query: &str) -> RequestBuilder;

    /// Begins to follow topics. The client misses nothing that is published after this returns.
    fn follow(address: SocketAddr, query: &str) -> impl Future<Output = Self::Follower>;

    /// Returns the cursor of a client that came with `since` and has gone before it received anything.
    fn position(address: SocketAddr, topics: &str, since: &str) -> impl Future<Output = String>;

    /// Begins to follow the topic `main` with a client that reads nothing more until the test does.
    fn hold(server: &Server) -> impl Future<Output = RawClient>;
}

/// A client that follows topics.
pub trait Follower {
    /// Receives the next message or gap.
    fn next(&mut self) -> impl Future<Output = Received>;

    /// Receives messages, and returns their texts.
    ///
    /// # Panics
    /// When there is a gap between them.
    fn texts(&mut self, count: usize) -> impl Future<Output = Vec<String>> {
        async move {
            let mut texts = Vec::new();
            for _ in 0..count {
                match self.next().await {
                    Received::Message { text, .. } => texts.push(text),
                    gap @ Received::Gap { .. } => panic!("{gap:?} after {texts:?}"),
                }
            }
            texts
        }
    }
}

/// A service whose clients stay connected until it releases them.
pub trait Streaming: Service {
    /// Receives messages until the service releases the client, as the method releases one, and returns their texts.
    fn rest(follower: Self::Follower) -> impl Future<Output = Vec<String>>;

    /// Reads the next message or gap of a client that [`Service::hold`] returned.
    fn read(client: &mut RawClient) -> impl Future<Output = Received>;
}

/// A message or a gap, as a client receives it.
#[derive(Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Received {
    /// A message.
    Message { id: String, text: String },
    /// A gap between the cursors `since` and `cursor`.
    Gap { reason: String, since: String, cursor: String },
}

impl Received {
    /// Makes a gap.
    pub fn gap(reason: &str, since: &str, cursor: &str) -> Self {
        Self::Gap { reason: reason.to_owned(), since: since.to_owned(), cursor: cursor.to_owned() }
    }

    /// Makes a message.
    pub fn message(id: &str, text: &str) -> Self {
        Self::Message { id: id.to_owned(), text: text.to_owned() }
    }
}

/// Makes a test of each of these functions, which are generic over the service: `behaviours!(Sse: gap::a, gap::b)`.
#[macro_export]
macro_rules! behaviours {
    ($service:ty: $($module:ident::$behaviour:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $behaviour() {
            $crate::$module::$behaviour::<$service>().await;
        }
    )*};
}
