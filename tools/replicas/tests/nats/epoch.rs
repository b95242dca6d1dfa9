use replicas::{Client, NatsServer, Received, Replica};

use crate::numbered;

fn epoch_of(cursor: &str) -> String {
    cursor.split_once('-').unwrap().0.to_owned()
}

/// Waits until all are ready and have the same history, which is not that of this epoch.
async fn until_all_have_another(replicas: &[Replica], epoch: &str) {
    testkit::soon(async {
        loop {
            let mut epochs = Vec::new();
            for replica in replicas {
                replica.until_ready().await;
                epochs.push(epoch_of(replica.page("since=now").await["cursor"].as_str().unwrap()));
            }
            if epochs[0] != epoch && epochs.iter().all(|other| *other == epochs[0]) {
                break;
            }
        }
    })
    .await;
}

/// Every client gets a gap, since its history has ended, and then the new messages, all with cursors of the same history.
async fn assert_new_history(replicas: &[Replica], clients: &mut [Client]) {
    let last: Vec<_> = clients.iter().map(|client| client.cursor.clone()).collect();
    let new = replicas[0].publish("a", "new").await;
    let (epoch, _) = new.split_once('-').unwrap();
    for (client, last) in clients.iter_mut().zip(&last) {
        assert!(!last.starts_with(&format!("{epoch}-")), "the history is not the old one");
        let Received::Gap { reason, since, cursor } = client.next().await else { panic!("{client:?} gets no gap") };
        assert_eq!((&*reason, &since), ("epoch", last));
        assert!(cursor.starts_with(&format!("{epoch}-")));
        while let Received::Message { id, text } = client.next().await {
            assert!(id.starts_with(&format!("{epoch}-")));
            if text == "new" {
                assert_eq!(id, new);
                break;
            }
        }
    }
    for (replica, last) in replicas.iter().zip(&last) {
        replica.until_ready().await;
        let page = replica.page(&format!("topic=a&since={last}")).await;
        assert_eq!(page["gap"]["reason"], "epoch", "a client that comes back later gets it too");
    }
}

#[tokio::test]
async fn a_wiped_store_is_reported_and_new_messages_come() {
    let mut nats = NatsServer::start().await;
    let replicas = Replica::start_two_of_each(&nats.url(), &[]).await;
    let mut clients = Vec::new();
    for replica in &replicas {
        clients.push(Client::follow(replica, "topic=a").await);
    }
    replicas[0].publish_each("a", numbered("m", 0..20)).await;
    for client in &mut clients {
        client.texts(20).await;
    }
    nats.wipe();
    nats.run().await;
    for replica in &replicas {
        until_all_have_another(std::slice::from_ref(replica), &epoch_of(&clients[0].cursor)).await;
    }
    assert_new_history(&replicas, &mut clients).await;
}

#[tokio::test]
async fn a_stream_that_is_deleted_is_created_again() {
    let nats = NatsServer::start().await;
    let replicas = Replica::start_two_of_each(&nats.url(), &[]).await;
    let mut clients = Vec::new();
    for replica in &replicas {
        clients.push(Client::follow(replica, "topic=a").await);
    }
    replicas[0].publish_each("a", numbered("m", 0..5)).await;
    for client in &mut clients {
        client.texts(5).await;
    }
    nats.jetstream().await.delete_stream("PUSH").await.unwrap();
    assert_new_history(&replicas, &mut clients).await;
}

/// The sequences of the lost messages are given to others, even before a replica inspects the stream.
#[tokio::test]
async fn a_stream_that_has_lost_its_latest_messages_holds_another_history() {
    for further in [false, true] {
        let mut nats = NatsServer::start().await;
        let replicas = Replica::start_two_of_each(&nats.url(), &[]).await;
        replicas[0].publish_each("a", numbered("m", 0..10)).await;
        nats.save_store();
        nats.run().await;
        for replica in &replicas {
            replica.until_ready().await;
        }
        let mut clients = Vec::new();
        for replica in &replicas {
            clients.push(Client::follow(replica, "topic=a").await);
        }
        replicas[1].publish_each("a", numbered("lost", 0..10)).await;
        for client in &mut clients {
            client.texts(10).await;
        }
        nats.restore_store();
        nats.run().await;
        if further {
            let jetstream = nats.jetstream().await;
            for text in numbered("other", 0..15) {
                jetstream.publish("push.a", text.into()).await.unwrap().await.unwrap();
            }
        }
        until_all_have_another(&replicas, &epoch_of(&clients[0].cursor)).await;
        for replica in &replicas {
            replica.until_ready().await;
        }
        let new = replicas[0].publish("a", "new").await;
        for (replica, client) in replicas.iter().zip(&mut clients) {
            let Received::Gap { reason, .. } = client.next().await else { panic!("{client:?} gets no gap") };
            assert_eq!(reason, "epoch");
            while client.next().await != (Received::Message { id: new.clone(), text: "new".to_owned() }) {}
            assert_eq!(replica.page("topic=a&since=now").await["cursor"], *new);
        }
    }
}
