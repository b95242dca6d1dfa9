//! Tests of traces: what is kept with a message of them, and what a collector is sent.

use std::net::SocketAddr;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::client::client;
use crate::collector::Collector;
use crate::metrics::Samples;
use crate::process::Process;
use crate::service::{Follower, Service};
use crate::soon::soon;
use crate::tokens::{CLOSED, token_with};

/// The trace that publishers are part of, in tests.
pub const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The operation of a publisher, in tests.
pub const PUBLISHER: &str = "b7ad6b7169203331";

/// The `traceparent` of a publisher, in tests.
pub fn traceparent(is_sampled: bool) -> String {
    format!("00-{TRACE}-{PUBLISHER}-0{}", u8::from(is_sampled))
}

/// Publishes a text as a part of a trace, and returns its id.
async fn publish_traced(address: SocketAddr, headers: &[(&str, &str)], text: &str) -> String {
    let request = client().post(format!("http://{address}/messages")).body(text.to_owned());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = soon(request.send()).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let placed: Value = soon(answer.json()).await.expect("JSON");
    placed["id"].as_str().expect("an id").to_owned()
}

/// Returns the messages of a page.
async fn page(address: SocketAddr, token: Option<&str>) -> Vec<Value> {
    let request = client().get(format!("http://{address}/messages"));
    let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
    let mut page: Value = soon(soon(request.send()).await.expect("an answer").json()).await.expect("JSON");
    page["messages"].as_array_mut().expect("messages").split_off(0)
}

/// A message is handed on with the `traceparent` of its publication, as it came, where there is no collector.
pub async fn a_traceparent_is_handed_on<S: Service>() {
    let server = S::start(&[]).await;
    let address = server.address();
    let (sampled, unsampled) = (traceparent(true), traceparent(false));
    for (headers, handed_on) in [
        (&[("traceparent", &*sampled)][..], json!(sampled)),
        (&[("traceparent", &*unsampled)], json!(unsampled)),
        (&[], Value::Null),
        (&[("traceparent", "00-of-no-trace")], Value::Null),
        (&[("traceparent", &*sampled), ("traceparent", &*sampled)], Value::Null),
    ] {
        publish_traced(address, headers, "m").await;
        let messages = page(address, None).await;
        assert_eq!(messages.last().expect("a message")["traceparent"], handed_on, "{headers:?}");
    }
}

/// The trace of a message leads from the publisher's request to the deliveries, and says who was concerned, without any token.
pub async fn a_trace_leads_from_the_publisher_to_the_delivery<S: Service>() {
    let mut collector = Collector::start().await;
    let url = collector.url();
    let server = S::start(&[&CLOSED[..], &["--otlp", &url, "--anonymous-subscribe", "main"]].concat()).await;
    let address = server.address();
    let mut follower = S::follow(address, "topic=main").await;
    let token = token_with(json!({ "publish": ["main"] }));
    let bearer = format!("Bearer {token}");
    let id = publish_traced(address, &[("traceparent", &traceparent(true)), ("authorization", &bearer)], "m").await;
    assert_eq!(follower.texts(1).await, ["m"]);
    let denied = client().post(server.url("/messages?topic=other")).header("traceparent", traceparent(true));
    let denied = soon(denied.bearer_auth(&token).body("x").send()).await.expect("an answer");
    assert_eq!(denied.status(), StatusCode::FORBIDDEN);
    let messages = page(address, None).await;
    drop(follower);

    let published = collector.span("publish").await;
    assert_eq!((&*published.trace, &*published.parent), (TRACE, PUBLISHER));
    assert_eq!(messages[0]["traceparent"], format!("00-{TRACE}-{}-01", published.id));
    assert_eq!(published.attribute("messaging.message.id"), id);
    assert_eq!(published.attribute("messaging.destination.name"), "main");
    assert_eq!(published.attribute("user.id"), "ada");
    assert_eq!(published.attribute("client.address"), "127.0.0.1");
    assert_eq!(published.process["service.name"], S::PROGRAM.name);

    let delivered = collector.span("deliver").await;
    assert_eq!((&*delivered.trace, &*delivered.parent), (TRACE, &*published.id));
    assert_eq!(delivered.attribute("messaging.message.id"), id);
    assert_eq!(delivered.attribute("client.address"), "127.0.0.1");
    assert!(published.time.0 <= delivered.time.1 && delivered.time.0 <= delivered.time.1, "{delivered:?}");

    // The rest is sent when the service ends.
    server.stopped().await;
    let rest = collector.rest();
    let all = format!("{published:?}{delivered:?}{rest:?}");
    assert!(!all.contains(&token), "the spans have the token: {all}");
}

/// A connection is sent when it has ended, in the trace of the request that asked for it.
pub async fn a_connection_is_in_the_trace_of_its_request<S: Service>() {
    let mut collector = Collector::start().await;
    let server = S::start(&["--otlp", &collector.url()]).await;
    let request = S::request(server.address(), "since=now").header("traceparent", traceparent(true));
    let held = tokio::spawn(request.send());
    let opened = async { while Samples::of(server.address()).await.sum("push_connections", &[]) < 1.0 {} };
    soon(opened).await;
    held.abort();
    // A WebSocket or a stream has its answer already, and ends with it.
    drop(held.await);
    let connection = collector.span("connection").await;
    assert_eq!((&*connection.trace, &*connection.parent), (TRACE, PUBLISHER));
    assert_eq!((connection.attribute("push.end"), connection.has_failed), ("client", false), "{connection:?}");
}

/// A publication that is refused is in its trace, with the code of the error.
pub async fn a_refused_publication_is_in_its_trace<S: Service>() {
    let mut collector = Collector::start().await;
    let server = S::start(&["--otlp", &collector.url(), "--max-message-bytes", "1"]).await;
    let request = client().post(server.url("/messages")).header("traceparent", traceparent(true)).body("too long");
    assert_eq!(soon(request.send()).await.expect("an answer").status(), StatusCode::PAYLOAD_TOO_LARGE);
    let refused = collector.span("publish").await;
    assert_eq!((&*refused.parent, refused.has_failed), (PUBLISHER, true));
    assert_eq!(refused.attribute("error.type"), "too_large");
}

/// A trace that its caller does not record is not recorded here, and is handed on as it came.
pub async fn a_trace_that_is_not_recorded_stays_so<S: Service>() {
    let mut collector = Collector::start().await;
    let server = S::start(&["--otlp", &collector.url(), "--otlp-sample", "0"]).await;
    let address = server.address();
    let mut follower = S::follow(address, "").await;
    publish_traced(address, &[("traceparent", &traceparent(false))], "1").await;
    // One that begins here is not recorded either, and there is nothing to hand on.
    publish_traced(address, &[], "2").await;
    publish_traced(address, &[("traceparent", &traceparent(true))], "3").await;
    assert_eq!(follower.texts(3).await, ["1", "2", "3"]);
    drop(follower);
    let messages = page(address, None).await;
    let handed_on: Vec<_> = messages.iter().map(|message| message["traceparent"].clone()).collect();
    let published = collector.span("publish").await;
    assert_eq!(handed_on, [json!(traceparent(false)), Value::Null, json!(format!("00-{TRACE}-{}-01", published.id))]);
    assert_eq!(collector.span("deliver").await.parent, published.id);
    server.stopped().await;
    assert!(collector.rest().is_empty());
}

/// Of one message, the first deliveries are recorded, and not those of all its clients.
pub async fn the_first_deliveries_of_a_message_are_recorded<S: Service>() {
    let mut collector = Collector::start().await;
    let server = S::start(&["--otlp", &collector.url(), "--otlp-deliveries", "2"]).await;
    let mut followers = Vec::new();
    for _ in 0..5 {
        followers.push(S::follow(server.address(), "").await);
    }
    let id = publish_traced(server.address(), &[("traceparent", &traceparent(true))], "m").await;
    for follower in &mut followers {
        assert_eq!(follower.texts(1).await, ["m"]);
    }
    for _ in 0..2 {
        assert_eq!(collector.span("deliver").await.attribute("messaging.message.id"), id);
    }
    server.stopped().await;
    assert!(collector.rest().iter().all(|span| span.name != "deliver"));
}

/// Whoever asks for spans, no more than the budget are recorded, and the rest is counted.
pub async fn spans_over_the_budget_are_counted<S: Service>() {
    let collector = Collector::start().await;
    let server = S::start(&["--otlp", &collector.url(), "--otlp-budget", "1"]).await;
    let (address, begin) = (server.address(), Instant::now());
    for _ in 0..20 {
        publish_traced(address, &[("traceparent", &traceparent(true))], "m").await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let samples = Samples::of(address).await;
    let [recorded, over] =
        ["push_spans_recorded_total", "push_spans_over_budget_total"].map(|name| samples.sum(name, &[]));
    assert!((recorded + over - 20.0).abs() < 0.1 && over > 0.0, "{samples:?}");
    // One in each second that has begun; two threads at once may take one together.
    assert!(recorded <= seconds + 3.0, "{recorded} in {seconds} s");
}

/// The process is named as the variables of OpenTelemetry ask for.
pub async fn the_environment_names_the_process<S: Service>() {
    let mut collector = Collector::start().await;
    let url = collector.url();
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--drain", "0", "--otlp", &url];
    let variables = [
        ("OTEL_SERVICE_NAME", "orders-push"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,service.namespace=shop,service.instance.id=one"),
    ];
    let mut process = Process::start_with(S::PROGRAM.path, &flags, &variables);
    let address: SocketAddr = process.logged("listening", "address").await.parse().expect("an address");
    publish_traced(address, &[("traceparent", &traceparent(true))], "m").await;
    let span = collector.span("publish").await;
    let named = ["service.name", "service.namespace", "service.instance.id", "service.version"];
    assert_eq!(named.map(|name| &*span.process[name]), ["orders-push", "shop", "one", S::PROGRAM.version]);
}

/// A collector that is away holds nothing up. The log says so once, and the metrics count what was lost.
pub async fn a_collector_that_is_away_holds_nothing_up<S: Service>() {
    // Nobody listens there, and nobody else gets the port meanwhile.
    let reserved = TcpSocket::new_v4().expect("a socket");
    reserved.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let url = format!("http://{}", reserved.local_addr().expect("an address"));
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--drain", "0", "--otlp", &url];
    let mut process = Process::start_with(S::PROGRAM.path, &flags, &[]);
    let address: SocketAddr = process.logged("listening", "address").await.parse().expect("an address");
    let mut follower = S::follow(address, "").await;
    publish_traced(address, &[("traceparent", &traceparent(true))], "m").await;
    assert_eq!(follower.texts(1).await, ["m"]);
    process.logged("the collector of --otlp takes no traces; they are lost until it does", "error").await;
    let samples = Samples::of(address).await;
    assert!(samples.sum("push_spans_recorded_total", &[]) >= 2.0, "{samples:?}");
    assert!(samples.sum("push_spans_exported_total", &[]) < 0.5, "{samples:?}");
}

/// The flags of a collector that cannot be used are refused, with what to write, and no password is repeated.
pub async fn a_collector_that_cannot_be_used_is_refused<S: Service>() {
    for (flags, hint) in [
        (["--otlp", "http://user:confidential@localhost:4318"], "OTEL_EXPORTER_OTLP_HEADERS"),
        (["--otlp-sample", "2"], "from 0 to 1"),
    ] {
        let exit = Process::run(S::PROGRAM.path, &[&["--listen", "127.0.0.1:0"], &flags[..]].concat()).await;
        assert!(exit.code.is_some_and(|code| code != 0) && exit.stderr.contains(hint), "{exit:?}");
        assert!(!exit.stderr.contains("confidential"), "{exit:?}");
    }
}

/// Makes a test of each function of this module.
#[macro_export]
macro_rules! trace_behaviours {
    ($service:ty) => {
        $crate::behaviours!($service:
            traces::a_traceparent_is_handed_on,
            traces::a_trace_leads_from_the_publisher_to_the_delivery,
            traces::a_connection_is_in_the_trace_of_its_request,
            traces::a_refused_publication_is_in_its_trace,
            traces::a_trace_that_is_not_recorded_stays_so,
            traces::the_first_deliveries_of_a_message_are_recorded,
            traces::spans_over_the_budget_are_counted,
            traces::the_environment_names_the_process,
            traces::a_collector_that_is_away_holds_nothing_up,
            traces::a_collector_that_cannot_be_used_is_refused,
        );
    };
}
