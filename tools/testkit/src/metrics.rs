//! Tests of what a service counts, and of the text in which it says so.

use std::collections::HashMap;
use std::net::SocketAddr;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::client::client;
use crate::publish::{publish, publish_array};
use crate::service::{Follower, Received, Service};
use crate::soon::soon;

/// The samples of a text, by their names with the labels, as in `push_gaps_total{transport="web_sockets",reason="lagged"}`.
#[derive(Debug)]
pub struct Samples(HashMap<String, f64>);

impl Samples {
    /// Reads the metrics of a service.
    ///
    /// # Panics
    /// When there are none.
    pub async fn of(address: SocketAddr) -> Self {
        let answer = soon(client().get(format!("http://{address}/metrics")).send()).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        Self::parse(&soon(answer.text()).await.expect("a text"))
    }

    /// Reads a text.
    ///
    /// # Panics
    /// When a sample has no value.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            (name.to_owned(), value.parse().expect("a number"))
        });
        Self(samples.collect())
    }

    /// The sum of the samples of a name that have all of these labels, such as `reason="lagged"`.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = self.0.iter().filter(|(sample, _)| sample.split('{').next() == Some(name));
        // An empty sum of floats is -0.
        0.0 + of_name
            .filter(|(sample, _)| labels.iter().all(|label| sample.contains(label)))
            .map(|(_, value)| value)
            .sum::<f64>()
    }

    /// Returns whether there is a sample of a name.
    pub fn has(&self, name: &str) -> bool {
        self.0.keys().any(|sample| sample.split('{').next() == Some(name))
    }
}

/// Reads the metrics until they are as expected.
///
/// # Panics
/// When they do not become so in time.
pub async fn until(address: SocketAddr, expected: impl Fn(&Samples) -> bool) -> Samples {
    soon(async {
        loop {
            let samples = Samples::of(address).await;
            if expected(&samples) {
                return samples;
            }
        }
    })
    .await
}

/// Published, delivered, replayed and lost messages are counted as clients see them.
pub async fn metrics_are_what_clients_see<S: Service>() {
    let server = S::start(&["--history", "2", "--max-topics", "7"]).await;
    let address = server.address();
    let mut slow = S::follow(address, "").await;
    let first = publish(&server, "main", "1").await;
    assert_eq!(slow.next().await, Received::message(&first, "1"));
    let ids = publish_array(&server, "main", &["2", "3", "4", "5"]).await;
    let lag = slow.next().await;
    // A client that polls comes anew for each answer: its cursor has expired then, and what was published meanwhile is replayed.
    let Received::Gap { reason: lag_reason, since, cursor } = lag else { panic!("{lag:?}") };
    assert_eq!((&since, &cursor), (&first, &ids[1]));
    let polls = lag_reason == "expired";
    assert_eq!(slow.texts(2).await, ["4", "5"]);
    let mut late = S::follow(address, &format!("since={first}")).await;
    assert_eq!(late.next().await, Received::gap("expired", &first, &ids[1]));
    assert_eq!(late.texts(2).await, ["4", "5"]);
    let repeated = client().post(format!("http://{address}/messages")).header("idempotency-key", "k").body("6");
    for _ in 0..2 {
        soon(repeated.try_clone().expect("a text").send()).await.expect("an answer");
    }
    assert_eq!(slow.texts(1).await, ["6"]);
    assert_eq!(late.texts(1).await, ["6"]);
    let of_other_history = S::follow(address, "since=abc-7").await.next().await;
    assert!(matches!(&of_other_history, Received::Gap { reason, .. } if reason == "epoch"), "{of_other_history:?}");
    let bad = soon(client().post(format!("http://{address}/messages?topic=a%20b")).body("x").send()).await;
    assert_eq!(bad.expect("an answer").status(), StatusCode::BAD_REQUEST);
    let too_large = client().post(format!("http://{address}/messages")).body("x".repeat(70_000));
    assert_eq!(soon(too_large.send()).await.expect("an answer").status(), StatusCode::PAYLOAD_TOO_LARGE);

    // A delivery is counted after it is written.
    let samples = until(address, |samples| samples.sum("push_delivered_messages_total", &[]) >= 9.0).await;
    for (name, labels, value) in [
        ("push_published_messages_total", &["result=\"new\""][..], 6.0),
        ("push_published_messages_total", &["result=\"repeated\""], 1.0),
        ("push_published_messages_total", &["result=\"too_large\""], 1.0),
        ("push_backplane_confirm_seconds_count", &[], 4.0),
        // Two of them by the client that came with a cursor of another history.
        ("push_delivered_messages_total", &[], 9.0),
        ("push_gaps_total", &["reason=\"lagged\""], if polls { 0.0 } else { 1.0 }),
        ("push_gaps_total", &["reason=\"expired\""], if polls { 2.0 } else { 1.0 }),
        ("push_gaps_total", &["reason=\"epoch\""], 1.0),
        ("push_rejected_total", &["reason=\"bad_topic\""], 1.0),
        ("push_rejected_total", &["reason=\"too_large\""], 1.0),
        ("push_history_messages", &[], 2.0),
        ("push_topics", &[], 1.0),
        ("push_topics_limit", &[], 7.0),
        ("push_subscriber_lag_messages", &[], 0.0),
        ("push_backplane_up", &[], 1.0),
        ("push_draining", &[], 0.0),
        ("push_log_lines_dropped_total", &[], 0.0),
    ] {
        assert!((samples.sum(name, labels) - value).abs() < 0.1, "{name} {labels:?} is not {value}: {samples:?}");
    }
    // At least their texts, and not more than a head of HTTP would take.
    let bytes = samples.sum("push_delivered_bytes_total", &[]);
    assert!((9.0..9.0 * 200.0).contains(&bytes), "{bytes}");
    let replayed = samples.sum("push_replayed_messages_total", &[]);
    let delays = samples.sum("push_delivery_delay_seconds_bucket", &["le=\"+Inf\""]);
    if polls {
        assert!((4.0..=9.0).contains(&replayed) && delays <= 4.0, "{replayed} {delays}");
    } else {
        assert!((replayed - 4.0).abs() < 0.1, "{replayed}");
        assert!((delays - 4.0).abs() < 0.1, "each write that was no replay: {delays}");
        assert!(samples.sum("push_delivery_delay_seconds_sum", &[]) > 0.0);
    }
    assert!(samples.sum("push_history_bytes", &[]) > 100.0);
    assert!(samples.sum("push_sockets", &[]) >= 1.0);
    #[cfg(target_os = "linux")]
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"] {
        assert!(samples.sum(name, &[]) > 0.0, "{name}");
    }
}

/// Clients that stay are counted as they come and go, with the time that they stayed.
pub async fn clients_that_stay_are_counted<S: Service>() {
    let server = S::start(&[]).await;
    let address = server.address();
    let followers = [S::hold(&server).await, S::hold(&server).await];
    let samples = until(address, |samples| samples.sum("push_connections", &[]) >= 2.0).await;
    assert!((samples.sum("push_connections", &[]) - 2.0).abs() < 0.1, "{samples:?}");
    drop(followers);
    let samples = until(address, |samples| samples.sum("push_connections", &[]) < 1.0).await;
    let opened = samples.sum("push_connections_opened_total", &[]);
    assert!((opened - samples.sum("push_connections_closed_total", &[])).abs() < 0.1, "{samples:?}");
    assert!((opened - samples.sum("push_connection_duration_seconds_count", &[])).abs() < 0.1, "{samples:?}");
    assert!(samples.sum("push_connections_closed_total", &["reason=\"client\""]) >= 2.0, "{samples:?}");
}

/// The slowest reader shows as long as it does not read.
pub async fn the_slowest_reader_shows<S: Service>() {
    let server = S::start(&["--history-bytes", "64 MiB"]).await;
    let address = server.address();
    let slow = S::hold(&server).await;
    let text = "x".repeat(60_000);
    let behind = |samples: &Samples| samples.sum("push_subscriber_lag_messages", &[]);
    // More than the buffers of the system take.
    for _ in 0..400 {
        publish(&server, "main", text.clone()).await;
        if behind(&Samples::of(address).await) > 5.0 {
            break;
        }
    }
    let samples = Samples::of(address).await;
    assert!(behind(&samples) > 5.0, "{samples:?}");
    drop(slow);
    until(address, |samples| samples.sum("push_subscriber_lag_messages", &[]) < 1.0).await;
}

/// The text is in the form that the scraper asks for.
pub async fn metrics_come_in_the_form_that_is_asked_for<S: Service>() {
    let server = S::start(&[]).await;
    let url = format!("http://{}/metrics", server.address());
    let accepts = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for (accept, kind, ends, total) in [
        ("", "text/plain; version=0.0.4", false, "# TYPE push_delivered_messages_total counter"),
        ("text/plain", "text/plain; version=0.0.4", false, "# TYPE push_delivered_messages_total counter"),
        (accepts, "application/openmetrics-text; version=1.0.0", true, "# TYPE push_delivered_messages counter"),
    ] {
        let answer = soon(client().get(&url).header(ACCEPT, accept).send()).await.expect("an answer");
        let given = answer.headers()[CONTENT_TYPE].to_str().expect("a type").to_owned();
        assert!(given.starts_with(kind), "{given}");
        let text = soon(answer.text()).await.expect("a text");
        assert_eq!(text.ends_with("# EOF\n"), ends);
        assert!(text.lines().any(|line| line == total), "{text}");
    }
    let answer = soon(client().post(&url).body("x").send()).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// With `--admin-listen`, the metrics are at that address alone.
pub async fn metrics_can_have_a_port_of_their_own<S: Service>() {
    let (mut process, address) = S::PROGRAM.start(&["--drain", "0", "--admin-listen", "127.0.0.1:0"]).await;
    let admin = process.logged("listening for those who run the service", "address").await;
    let admin: SocketAddr = admin.parse().expect("an address");
    let status = async |address: SocketAddr, path: &str| {
        soon(client().get(format!("http://{address}{path}")).send()).await.expect("an answer").status()
    };
    assert_eq!(status(address, "/metrics").await, StatusCode::NOT_FOUND);
    assert_eq!(status(admin, "/messages").await, StatusCode::NOT_FOUND);
    assert!(Samples::of(admin).await.has("push_connections"));
}

/// Makes the tests of metrics that are the same for every service: `metric_behaviours!(Sse)`.
#[macro_export]
macro_rules! metric_behaviours {
    ($service:ty) => {
        $crate::behaviours!($service:
            metrics::metrics_are_what_clients_see,
            metrics::clients_that_stay_are_counted,
            metrics::metrics_come_in_the_form_that_is_asked_for,
            metrics::metrics_can_have_a_port_of_their_own,
            debug::a_client_behind_a_proxy_shows_with_its_own_address,
            debug::a_loss_is_reported_everywhere,
        );
    };
}
