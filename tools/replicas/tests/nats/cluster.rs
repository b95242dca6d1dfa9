use replicas::{Client, Method, NatsCluster, Replica};

use crate::numbered;

#[tokio::test]
async fn a_cluster_that_loses_its_leader_under_publishing_loses_nothing() {
    let mut nats = NatsCluster::start().await;
    let flags = ["--nats-replicas", "3"];
    let mut replicas = Vec::new();
    for method in Method::ALL {
        replicas.push(Replica::start(method, &nats.urls(), &flags).await);
    }
    let mut clients = Vec::new();
    for replica in &replicas {
        clients.push(Client::follow(replica, "topic=a").await);
    }
    let texts = numbered("m", 0..150);
    for (index, text) in texts.iter().enumerate() {
        if index == 50 {
            let leader = nats.leader("PUSH").await;
            nats.servers[leader].kill();
        }
        // A publisher has to repeat a message under the same key until it is confirmed.
        let replica = &replicas[index % replicas.len()];
        testkit::soon(async {
            loop {
                let answer = replica.try_publish("a", text, Some(text)).await;
                match answer.status {
                    200 | 201 => break,
                    503 => assert!(answer.retry_after.is_some()),
                    _ => panic!("{answer:?}"),
                }
            }
        })
        .await;
    }
    for client in &mut clients {
        assert_eq!(client.texts(texts.len()).await, texts);
    }
    for replica in &replicas {
        replica.until_ready().await;
        assert_eq!(replica.page("topic=a&limit=1000").await["messages"].as_array().unwrap().len(), texts.len());
    }
}
