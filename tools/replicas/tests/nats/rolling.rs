use std::sync::{Arc, Mutex};

use replicas::{Client, Method, NatsServer, Place, Replica, Told};
use reqwest::StatusCode;
use testkit::soon;
use tokio::task::JoinSet;

/// What a load balancer knows.
type Places = Arc<Mutex<Vec<Place>>>;

fn any(places: &Places, turn: usize) -> Place {
    let places = places.lock().unwrap();
    places[turn % places.len()]
}

/// Publishes a number after the other, each under its own key until it is confirmed, by whichever replica takes it.
async fn publish(places: Places, count: usize) {
    let client = reqwest::Client::new();
    let mut turn = 0;
    for number in 0..count {
        loop {
            turn += 1;
            let url = format!("http://{}/messages?topic=a", any(&places, turn).address);
            let request = client.post(url).header("Idempotency-Key", format!("n{number}")).body(number.to_string());
            let taken = request.send().await.map(|answer| answer.status());
            if matches!(taken, Ok(StatusCode::OK | StatusCode::CREATED)) {
                break;
            }
        }
    }
}

/// Follows whichever replica there is, from the last cursor on, and changes the method too.
async fn follow(places: Places, mut client: Client, first: usize, count: usize) -> Vec<String> {
    let (mut told, mut turn) = (Vec::new(), first);
    while told.len() < count {
        match client.try_next().await {
            Some(Told::Message { text, .. }) => told.push(text),
            Some(gap) => panic!("{gap:?}"),
            None => loop {
                turn += 1;
                if client.try_move_to(any(&places, turn)).await {
                    break;
                }
            },
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_is_not_noticed() {
    const COUNT: usize = 1500;
    let nats = NatsServer::start().await;
    let mut replicas = Vec::new();
    for method in Method::ALL {
        replicas.push(Replica::start(method, &nats.url(), &["--history", "10000"]).await);
    }
    let places: Places = Arc::new(Mutex::new(replicas.iter().map(Place::from).collect()));
    let mut clients = JoinSet::new();
    for index in 0..9 {
        let client = Client::follow(&replicas[index % 3], "topic=a").await;
        clients.spawn(follow(Arc::clone(&places), client, index, COUNT));
    }
    let publishing = tokio::spawn(publish(Arc::clone(&places), COUNT));
    for (index, replica) in replicas.iter_mut().enumerate() {
        let next = Replica::start(replica.method, &nats.url(), &["--history", "10000"]).await;
        places.lock().unwrap()[index] = Place::from(&next);
        std::mem::replace(replica, next).server.stopped().await;
    }
    soon(publishing).await.unwrap();
    let expected: Vec<_> = (0..COUNT).map(|number| number.to_string()).collect();
    while let Some(told) = soon(clients.join_next()).await {
        assert_eq!(told.unwrap(), expected);
    }
}
