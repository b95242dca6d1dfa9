use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use clap::Parser;
use replicas::{Method, NatsServer, Replica};
use testkit::soon;
use tokio::net::TcpListener;

/// The error with which the process refuses to serve.
async fn refusal(nats: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = sse_server::Config::try_parse_from(["sse-server", "--tick", "0", "--nats", nats]).unwrap();
    let ended = soon(sse_server::run(listener, config, std::future::pending())).await;
    format!("{:#}", ended.expect_err("it serves"))
}

/// The settings with which a service creates the stream.
async fn good(nats: &NatsServer) -> Config {
    let replica = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let stream = nats.jetstream().await.get_stream("PUSH").await.unwrap();
    drop(replica);
    stream.cached_info().config.clone()
}

#[tokio::test]
async fn a_stream_that_cannot_keep_the_promise_is_refused() {
    let nats = NatsServer::start().await;
    let good = good(&nats).await;
    let jetstream = nats.jetstream().await;
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 10] = [
        ("the subjects", |config| config.subjects = vec!["push.orders".to_owned()]),
        ("the retention policy", |config| config.retention = RetentionPolicy::Interest),
        ("the discard policy", |config| config.discard = DiscardPolicy::New),
        ("duplicate window", |config| config.duplicate_window = Duration::from_secs(10)),
        ("max_msgs", |config| config.max_messages = 1000),
        ("max_msg_size", |config| config.max_message_size = 1000),
        ("deny_delete", |config| config.deny_delete = false),
        ("deny_purge", |config| config.deny_purge = false),
        ("max_msgs_per_subject", |config| config.max_messages_per_subject = 7),
        ("max_msgs_per_subject", |config| config.metadata.clear()),
    ];
    for (setting, change) in changes {
        jetstream.delete_stream("PUSH").await.unwrap();
        let mut bad = good.clone();
        change(&mut bad);
        jetstream.create_stream(bad).await.unwrap();
        let message = refusal(&nats.url()).await;
        for part in ["PUSH", setting, "must have", "--nats-stream"] {
            assert!(message.contains(part), "{setting}: {part} is not in: {message}");
        }
    }
}

#[tokio::test]
async fn a_stream_with_other_limits_counts_as_it_is() {
    let nats = NatsServer::start().await;
    let _other = Replica::start(Method::LongPoll, &nats.url(), &["--history", "3", "--history-age", "5m"]).await;
    let replica = Replica::start(Method::LongPoll, &nats.url(), &["--history", "50"]).await;
    replica.publish("a", "m").await;
    // The first stream has the subjects.
    let named = Replica::begin(Method::LongPoll, &nats.url(), &["--nats-stream", "other"]).await;
    named.until_not_ready("overlap").await;
}

#[tokio::test]
async fn a_stream_that_is_changed_later_is_noticed() {
    let nats = NatsServer::start().await;
    let replica = Replica::start(Method::LongPoll, &nats.url(), &[]).await;
    let jetstream = nats.jetstream().await;
    let mut config = jetstream.get_stream("PUSH").await.unwrap().cached_info().config.clone();
    config.max_messages_per_subject = 2;
    jetstream.update_stream(&config).await.unwrap();
    replica.until_not_ready("max_msgs_per_subject").await;
    let refused = replica.try_publish("a", "m", None).await;
    assert_eq!((refused.status, refused.text("error")), (503, "not_ready"), "{refused:?}");
    // The replica has recorded the change: messages are missing because of the smaller number, whatever it is now.
    let mut config = jetstream.get_stream("PUSH").await.unwrap().cached_info().config.clone();
    assert_eq!(config.metadata["push-history"], "changed");
    config.max_messages_per_subject = 1000;
    // Another process that writes at the same time overwrites what it has not read.
    config.metadata.insert("push-history".to_owned(), "1000".to_owned());
    jetstream.update_stream(&config).await.unwrap();
    soon(async {
        let changed = async || {
            let stream = jetstream.get_stream("PUSH").await.unwrap();
            stream.cached_info().config.metadata["push-history"] == "changed"
        };
        while !changed().await {}
    })
    .await;
    assert!(refusal(&nats.url()).await.contains("nats stream rm"));
    // A new stream replaces it.
    jetstream.delete_stream("PUSH").await.unwrap();
    replica.until_ready().await;
    replica.publish("a", "m").await;
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_reported() {
    for (flag, file) in [("--nats-credentials", "/nowhere.creds"), ("--nats-ca", "/nowhere.pem")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let args = ["sse-server", "--nats", "nats://127.0.0.1:1", flag, file];
        let config = sse_server::Config::try_parse_from(args).unwrap();
        let ended = soon(sse_server::run(listener, config, std::future::pending())).await;
        let message = format!("{:#}", ended.expect_err("it serves"));
        assert!(message.contains(flag) && message.contains(file), "{message}");
    }
}

#[tokio::test]
async fn a_login_is_taken_from_the_flags_or_the_url() {
    let nats = NatsServer::start_with(&["--user", "push", "--pass", "p@ss"]).await;
    let address = format!("127.0.0.1:{}", nats.port());
    let url = format!("nats://push:p%40ss@{address}");
    Replica::start(Method::LongPoll, &url, &[]).await.publish("a", "m").await;
    let flags = ["--nats-user", "push", "--nats-password", "p@ss"];
    Replica::start(Method::EventStream, &nats.url(), &flags).await.publish("a", "m").await;
    let refused =
        Replica::begin(Method::WebSocket, &nats.url(), &["--nats-user", "push", "--nats-password", "no"]).await;
    refused.until_not_ready("authorization").await;
}
