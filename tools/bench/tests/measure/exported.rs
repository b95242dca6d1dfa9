//! The exported figures of the services, held against what the bench has counted as their client.

use std::time::Duration;

use bench::cuts::{self, Plan};
use bench::fanout;
use bench::load::Pace;
use bench::measure::{Sample, Subject};
use bench::target::Method;
use testkit::metrics::Samples;

use super::{CLIENTS, figure, measure, push, push_target, work};

/// Messages that are published before the others, so that all ids have as many digits, and all messages as many bytes.
const BEFORE: u64 = 1000;

/// The messages that a fan-out publishes before it measures.
const WARM_UP: u64 = 3;

#[track_caller]
fn assert_is(samples: &Samples, name: &str, value: f64) {
    assert!((samples.sum(name, &[]) - value).abs() < 0.1, "{name} is not {value}: {samples:?}");
}

/// A round of the fan-out with a pace.
async fn fan_out(server: &testkit::Server, method: Method, pace: Pace) -> Sample {
    let work = fanout::Work { patience: Duration::from_secs(1), ..work(pace) };
    measure(push_target(), server.address(), move |subject: &Subject<'_>| fanout::round(&work, subject, method)).await
}

#[tokio::test]
async fn what_the_bench_has_received_is_what_the_service_has_counted() {
    for method in Method::ALL {
        // Heartbeats do not count as delivered.
        let server = push(method, &["--heartbeat", "1h"]).await;
        let texts = ["x"; BEFORE as usize];
        testkit::publish_array(&server, "before", &texts).await;
        // One message at a time, so that none shares the frame of a write with another.
        let sample = fan_out(&server, method, Pace::InFlight(1)).await;
        assert_eq!(sample.faults, [""; 0], "every subscriber has received every message once: {sample:#?}");

        let published = WARM_UP + work(Pace::InFlight(1)).messages;
        let delivered = (published * CLIENTS as u64) as f64;
        let samples = Samples::of(server.address()).await;
        assert_is(&samples, "push_published_messages_total", (BEFORE + published) as f64);
        assert_is(&samples, "push_delivered_messages_total", delivered);
        assert_is(&samples, "push_gaps_total", 0.0);
        if method != Method::Poll {
            // Nothing else is on the wire of these methods.
            assert_is(&samples, "push_delivered_bytes_total", delivered * figure(&sample, "wire_bytes_per_message"));
            assert_is(&samples, "push_connections_opened_total", CLIENTS as f64);
            assert_is(&samples, "push_replayed_messages_total", 0.0);
        }
    }
}

/// The messages that subscribers miss, since the history holds one, are the difference between those that were published for them and those that
/// the service counts as delivered.
#[tokio::test]
async fn what_the_bench_has_missed_is_what_the_service_has_not_delivered() {
    for method in [Method::Sse, Method::Ws] {
        // A service that is fast enough loses nothing.
        let (missing, samples) = loop {
            let server = push(method, &["--history", "1"]).await;
            let missing = figure(&fan_out(&server, method, Pace::Unanswered(4)).await, "missing");
            if missing > 0.0 {
                break (missing, Samples::of(server.address()).await);
            }
        };
        let published = samples.sum("push_published_messages_total", &["result=\"new\""]);
        assert_is(&samples, "push_delivered_messages_total", published * CLIENTS as f64 - missing);
        let gaps = samples.sum("push_gaps_total", &["reason=\"lagged\""]);
        assert!(gaps >= 1.0 && gaps <= missing, "a gap is for one message or more: {gaps} {missing}");
        assert_is(&samples, "push_gaps_total", gaps);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_that_the_bench_has_received_are_those_that_the_service_has_counted() {
    let plan = Plan {
        clients: 12,
        length: Duration::from_secs(1),
        seed: 1,
        rate: 1000.0,
        topics: 1,
        publishers: 8,
        bytes: 80,
        calm: None,
        heartbeat: Duration::from_secs(15),
        deadline: testkit::PATIENCE,
        injure_publishers: false,
        restart_every: None,
        stalled: 0,
        progress: false,
        issuer: None,
    };
    for method in [Method::Sse, Method::Ws] {
        let (outcome, samples) = loop {
            let server = push(method, &["--history", "1"]).await;
            let mut at = cuts::Server::At(server.address());
            let outcome = cuts::measure(&plan, &push_target(), method, &mut at).await.expect("the run can be made");
            if !outcome.score.gaps.is_empty() {
                break (outcome, Samples::of(server.address()).await);
            }
        };
        assert!(outcome.is_clean(), "{outcome:#?}");
        for (reason, count) in &outcome.score.gaps {
            let counted = samples.sum("push_gaps_total", &[&format!("reason=\"{reason}\"")]);
            assert!((counted - *count as f64).abs() < 0.1, "{reason}: {counted} {outcome:#?}");
        }
        assert_is(&samples, "push_gaps_total", outcome.score.gaps.values().sum::<u64>() as f64);
        assert_is(&samples, "push_delivered_messages_total", outcome.score.received as f64);
    }
}
