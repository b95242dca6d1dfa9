use replicas::{Client, Method, NatsServer, Replica};
use testkit::traces::{PUBLISHER, TRACE, traceparent};
use testkit::{Collector, client, soon};

#[tokio::test]
async fn a_trace_leads_over_nats_to_the_delivery_by_another_replica() {
    let nats = NatsServer::start().await;
    let mut collector = Collector::start().await;
    let flags = ["--otlp", &collector.url()];
    let one = Replica::start(Method::LongPoll, &nats.url(), &flags).await;
    for method in Method::ALL {
        let other = Replica::start(method, &nats.url(), &flags).await;
        let mut follower = Client::follow(&other, "topic=a").await;
        let publishing = client().post(one.server.url("/messages?topic=a")).header("traceparent", traceparent(true));
        assert_eq!(soon(publishing.body("m").send()).await.unwrap().status(), 201);
        assert_eq!(follower.texts(1).await, ["m"]);

        let published = collector.span("publish").await;
        assert_eq!((&*published.trace, &*published.parent), (TRACE, PUBLISHER));
        let delivered = collector.span("deliver").await;
        assert_eq!((&*delivered.trace, &*delivered.parent), (TRACE, &*published.id));
        assert_eq!(delivered.attribute("messaging.message.id"), published.attribute("messaging.message.id"));
        assert_ne!(delivered.process["service.instance.id"], published.process["service.instance.id"]);
        assert!(published.time.0 <= delivered.time.1);
    }
}
