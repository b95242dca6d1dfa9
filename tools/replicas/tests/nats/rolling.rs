use std::sync::{Arc, Mutex};

use replicas::{Client, Endpoint, Method, NatsServer, Received, Replica};
use reqwest::StatusCode;
use testkit::soon;
use tokio::task::JoinSet;

/// The endpoints that a load balancer knows.
type Endpoints = Arc<Mutex<Vec<Endpoint>>>;

fn any(endpoints: &Endpoints, turn: usize) -> Endpoint {
    let endpoints = endpoints.lock().unwrap();
    endpoints[turn % endpoints.len()]
}

/// Publishes numbers in order, each under its own key until a replica confirms it.
async fn publish(endpoints: Endpoints, count: usize) {
    let client = testkit::client();
    let mut turn = 0;
    for number in 0..count {
        loop {
            turn += 1;
            let url = format!("http://{}/messages?topic=a", any(&endpoints, turn).address);
            let request = client.post(url).header("Idempotency-Key", format!("n{number}")).body(number.to_string());
            let taken = request.send().await.map(|answer| answer.status());
            if matches!(taken, Ok(StatusCode::OK | StatusCode::CREATED)) {
                break;
            }
        }
    }
}

/// Follows any replica from the last cursor on, and changes the method too.
async fn follow(endpoints: Endpoints, mut client: Client, first: usize, count: usize) -> Vec<String> {
    let (mut received, mut turn) = (Vec::new(), first);
    while received.len() < count {
        match client.try_next().await {
            Some(Received::Message { text, .. }) => received.push(text),
            Some(gap) => panic!("{gap:?}"),
            None => loop {
                turn += 1;
                if client.try_move_to(any(&endpoints, turn)).await {
                    break;
                }
            },
        }
    }
    received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_is_not_noticed() {
    const COUNT: usize = 1500;
    let nats = NatsServer::start().await;
    let mut replicas = Vec::new();
    for method in Method::ALL {
        replicas.push(Replica::start(method, &nats.url(), &["--history", "10000"]).await);
    }
    let endpoints: Endpoints = Arc::new(Mutex::new(replicas.iter().map(Endpoint::from).collect()));
    let mut clients = JoinSet::new();
    for index in 0..9 {
        let client = Client::follow(&replicas[index % 3], "topic=a").await;
        clients.spawn(follow(Arc::clone(&endpoints), client, index, COUNT));
    }
    let publishing = tokio::spawn(publish(Arc::clone(&endpoints), COUNT));
    for (index, replica) in replicas.iter_mut().enumerate() {
        let next = Replica::start(replica.method, &nats.url(), &["--history", "10000"]).await;
        endpoints.lock().unwrap()[index] = Endpoint::from(&next);
        std::mem::replace(replica, next).server.stopped().await;
    }
    soon(publishing).await.unwrap();
    let expected: Vec<_> = (0..COUNT).map(|number| number.to_string()).collect();
    while let Some(received) = soon(clients.join_next()).await {
        assert_eq!(received.unwrap(), expected);
    }
}
