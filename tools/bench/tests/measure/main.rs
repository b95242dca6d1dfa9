//! The measurements, shortened, against the services of this repository, against the `limit` server, and against a server
//! that makes mistakes.

mod exported;
mod faulty;
mod publishing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bench::fanout::Work;
use bench::limit::LimitServer;
use bench::load::Door;
use bench::load::Pace;
use bench::measure::{Row, Sample, Subject};
use bench::process::Process;
use bench::target::{Method, Target};
use bench::{attack, echo, fanout, idle, storm};
use clap::Parser;
use faulty::Mistake;
use testkit::Server;

const CLIENTS: usize = 40;

fn work(pace: Pace) -> Work {
    Work {
        subscribers: CLIENTS,
        pace,
        messages: 30,
        length: None,
        bytes: 100,
        patience: testkit::PATIENCE,
        pattern: None,
    }
}

/// The `limit` server, on a thread that ends with the process.
fn limit() -> SocketAddr {
    let server = LimitServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = server.address().expect("an address");
    std::thread::spawn(|| server.run());
    address
}

async fn push(method: Method, flags: &[&str]) -> Server {
    let flags = [&["service", "--tick", "0"], flags].concat();
    match method {
        Method::Ws => {
            let config = ws_echo::Config::parse_from(flags.into_iter().chain(["--reply-prefix="]));
            Server::start(|listener, stop| ws_echo::run(listener, config, stop)).await
        }
        Method::Poll => {
            let config = longpoll_server::Config::parse_from(flags);
            Server::start(|listener, stop| longpoll_server::run(listener, config, stop)).await
        }
        Method::Sse => {
            let config = sse_server::Config::parse_from(flags);
            Server::start(|listener, stop| sse_server::run(listener, config, stop)).await
        }
    }
}

/// Measures a server that runs in this process.
async fn measure(
    target: Target,
    address: SocketAddr,
    round: impl FnOnce(&Subject<'_>) -> anyhow::Result<Sample> + Send + 'static,
) -> Sample {
    measure_through(Door::default(), target, address, round).await
}

async fn measure_through(
    door: Door,
    target: Target,
    address: SocketAddr,
    round: impl FnOnce(&Subject<'_>) -> anyhow::Result<Sample> + Send + 'static,
) -> Sample {
    // The process is never idle: other tests run in it.
    let restless = Duration::from_millis(5);
    let run = move || round(&Subject { target: &target, address, door, process: Process::this(), restless });
    tokio::task::spawn_blocking(run).await.expect("no panic").expect("the run can be made")
}

fn push_target() -> Target {
    Target::push().expect("a description")
}

fn limit_target() -> Target {
    Target::limit().expect("a description")
}

#[track_caller]
fn figure(sample: &Sample, key: &str) -> f64 {
    sample.get(key).unwrap_or_else(|| panic!("{key}: {sample:#?}"))
}

/// Checks that every client received every message, and that the figures are plausible.
#[track_caller]
fn assert_fanned_out(sample: &Sample, method: Method) {
    assert_eq!(sample.faults, [""; 0], "{sample:#?}");
    let positive =
        ["deliveries_per_second", "delay_p50_us", "delay_p99_us", "delay_max_us", "cpu_us_per_delivery", "rss_mib"];
    for key in positive {
        assert!(figure(sample, key) > 0.0, "{key}: {sample:#?}");
    }
    assert!(figure(sample, "delay_p50_us") <= figure(sample, "delay_max_us"), "{sample:#?}");
    // A message has 100 bytes.
    assert!((100.0..2000.0).contains(&figure(sample, "wire_bytes_per_message")), "{sample:#?}");
    let requests = figure(sample, "requests_per_message");
    match method {
        // Messages that come together are one answer.
        Method::Poll => assert!(requests > 0.0 && requests <= 1.1, "{sample:#?}"),
        Method::Ws | Method::Sse => assert!(requests == 0.0, "{sample:#?}"),
    }
}

#[tokio::test]
async fn every_method_of_this_repository_can_be_measured() {
    for method in Method::ALL {
        for pace in [Pace::Rate(200.0), Pace::InFlight(3), Pace::Unanswered(2)] {
            let server = push(method, &[]).await;
            let round = move |subject: &Subject<'_>| fanout::round(&work(pace), subject, method);
            let sample = measure(push_target(), server.address(), round).await;
            assert_fanned_out(&sample, method);
        }
    }
}

#[tokio::test]
async fn subscribers_of_a_pattern_can_be_measured_with_many_topics() {
    for method in [Method::Sse, Method::Ws] {
        let server = push(method, &[]).await;
        let round = move |subject: &Subject<'_>| {
            fanout::round(&Work { pattern: Some(250), ..work(Pace::InFlight(3)) }, subject, method)
        };
        let sample = measure(push_target(), server.address(), round).await;
        assert_fanned_out(&sample, method);
        let topics = testkit::get(server.address(), "/messages?topic=%3E&limit=1000").await;
        let mut topics: Vec<&str> = topics.split("\"topic\":\"").skip(1).map(|topic| &topic[..21]).collect();
        topics.sort_unstable();
        topics.dedup();
        assert_eq!(topics.len(), 250, "{topics:?}");
    }
}

#[tokio::test]
async fn every_method_of_the_yardstick_can_be_measured() {
    for method in Method::ALL {
        for pace in [Pace::Rate(200.0), Pace::InFlight(3)] {
            let round = move |subject: &Subject<'_>| fanout::round(&work(pace), subject, method);
            assert_fanned_out(&measure(limit_target(), limit(), round).await, method);
        }
    }
}

#[tokio::test]
async fn a_time_ends_the_publishing() {
    let work = Work { messages: u64::MAX, length: Some(Duration::from_millis(200)), ..work(Pace::InFlight(2)) };
    let round = move |subject: &Subject<'_>| fanout::round(&work, subject, Method::Sse);
    assert_fanned_out(&measure(limit_target(), limit(), round).await, Method::Sse);
}

async fn faults(method: Method, mistake: Mistake) -> (Sample, [f64; 3]) {
    let address = faulty::start(method, mistake);
    // One publisher, so that there is one order. Missing messages will not come.
    let work = Work { patience: Duration::from_millis(500), ..work(Pace::Unanswered(1)) };
    let round = move |subject: &Subject<'_>| fanout::round(&work, subject, method);
    let sample = measure(limit_target(), address, round).await;
    let counts = ["missing", "repeated", "out_of_order"].map(|key| figure(&sample, key));
    (sample, counts)
}

#[tokio::test]
async fn mistakes_are_found() {
    for method in [Method::Sse, Method::Ws] {
        for (mistake, expected) in [
            (Mistake::Nothing, [0.0, 0.0, 0.0]),
            (Mistake::Forgets, [1.0, 0.0, 0.0]),
            (Mistake::Repeats, [0.0, 1.0, 0.0]),
            (Mistake::Swaps, [0.0, 0.0, 1.0]),
        ] {
            let (sample, counts) = faults(method, mistake).await;
            assert_eq!(counts, expected, "{mistake:?}: {sample:#?}");
            assert_eq!(sample.faults.is_empty(), mistake == Mistake::Nothing, "{sample:#?}");
        }
        let (sample, [missing, ..]) = faults(method, Mistake::Closes).await;
        assert!(missing > 10.0, "{sample:#?}");
        assert!(sample.faults.iter().any(|fault| fault.contains("subscribers were lost")), "{sample:#?}");
    }
}

#[tokio::test]
async fn memory_of_connections_is_measured() {
    for method in Method::ALL {
        let round = move |subject: &Subject<'_>| {
            let rest = Duration::from_millis(1);
            idle::round(&Work { messages: 1, ..work(Pace::InFlight(1)) }, rest, subject, method)
        };
        let server = push(method, &[]).await;
        for (target, address) in [(limit_target(), limit()), (push_target(), server.address())] {
            let sample = measure(target, address, round).await;
            assert_eq!(sample.faults, [""; 0], "{sample:#?}");
            // In one process with the clients, memory says little.
            assert!(figure(&sample, "kib_per_connection").is_finite(), "{sample:#?}");
            assert!(figure(&sample, "rss_mib") > 1.0, "{sample:#?}");
        }
    }
}

#[tokio::test]
async fn an_echo_is_measured() {
    let server = push(Method::Ws, &[]).await;
    for (target, address) in [(limit_target(), limit()), (push_target(), server.address())] {
        for (binary, in_flight, bytes) in [(false, 1, 64), (true, 3, 20_000)] {
            let length = Duration::from_millis(100);
            let work = echo::Work { connections: 8, bytes, in_flight, length, binary };
            let round = move |subject: &Subject<'_>| echo::round(&work, subject);
            let target = if target.name == "limit" { limit_target() } else { push_target() };
            let sample = measure(target, address, round).await;
            assert!(figure(&sample, "messages_per_second") > 10.0, "{sample:#?}");
            let wire = figure(&sample, "wire_bytes_per_message");
            assert!(wire > 2.0 * bytes as f64 && wire < 2.0 * bytes as f64 + 20.0, "{sample:#?}");
        }
    }
}

#[tokio::test]
async fn a_storm_is_measured() {
    for method in Method::ALL {
        let round = move |subject: &Subject<'_>| storm::round(CLIENTS, 10, subject, method);
        let server = push(method, &[]).await;
        for (target, address) in [(limit_target(), limit()), (push_target(), server.address())] {
            let sample = measure(target, address, round).await;
            assert!(figure(&sample, "connections_per_second") > 10.0, "{sample:#?}");
            assert!(figure(&sample, "connect_p50_us") > 0.0, "{sample:#?}");
        }
    }
}

/// A short attack on a service that runs in this process.
async fn attacked(kind: attack::Kind, method: Method, attackers: usize, quiet: u64) -> Sample {
    let site = Arc::new(kind.site().expect("a site"));
    let flags: Vec<String> = site.flags().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let server = push(method, &flags.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let plan = attack::Plan {
        subscribers: CLIENTS,
        rate: 50.0,
        attackers: Some(attackers),
        warm_up: Duration::from_millis(50),
        quiet: Duration::from_millis(quiet),
        length: Duration::from_millis(400),
        rest: Duration::from_millis(1),
    };
    let door = site.door().clone();
    let round = move |subject: &Subject<'_>| attack::measure(&plan, kind, method, &site, subject);
    let sample = measure_through(door, push_target(), server.address(), round).await;
    let name = kind.name();
    assert_eq!(sample.faults, [""; 0], "{name}: {sample:#?}");
    assert!(figure(&sample, "missing") == 0.0 && figure(&sample, "probes_failed") == 0.0, "{name}: {sample:#?}");
    sample
}

#[tokio::test]
async fn honest_clients_are_measured_during_an_attack() {
    const ATTACKERS: usize = 5;
    for (kind, method) in [(attack::Kind::UnreadStreams, Method::Sse), (attack::Kind::BegunMessages, Method::Ws)] {
        let sample = attacked(kind, method, ATTACKERS, 200).await;
        assert!(figure(&sample, "attack_connections") == ATTACKERS as f64, "{sample:#?}");
        for key in ["quiet_delay_p99_us", "delay_p99_us", "probes", "rss_peak_mib", "descriptors_peak"] {
            assert!(figure(&sample, key) > 0.0, "{key}: {sample:#?}");
        }

        let limits = attack::Limits { p99_ratio: 1e6, memory_percent: 1e6 };
        let table = attack::table(&row(kind, sample), &limits);
        for line in
            [kind.name(), "honest delay p99", "/livez max", "server RSS", "missing messages", "PASS memory back"]
        {
            assert!(table.contains(line), "{line}: {table}");
        }
        assert!(!table.contains("FAIL"), "{table}");
    }
}

#[tokio::test]
async fn floods_take_nothing_from_honest_clients() {
    use attack::Kind::{FrameFlood, HeadFlood, KeyFlood, OneByteStarts, PublishFlood, TopicFlood};
    for (kind, method) in [
        (PublishFlood, Method::Sse),
        (TopicFlood, Method::Poll),
        (KeyFlood, Method::Sse),
        (HeadFlood, Method::Poll),
        (OneByteStarts, Method::Sse),
        (FrameFlood, Method::Ws),
    ] {
        let sample = attacked(kind, method, 6, 100).await;
        assert!(figure(&sample, "attack_connections") >= 6.0, "{}: {sample:#?}", kind.name());
    }
}

#[tokio::test]
async fn abuse_of_tls_takes_nothing_from_honest_clients() {
    use attack::Kind::{TlsGarbage, TlsHalfHandshakes, TlsHandshakes, TlsHellos, TlsNewKeys};
    for (kind, method, ends) in [
        (TlsGarbage, Method::Sse, true),
        (TlsHalfHandshakes, Method::Ws, false),
        (TlsHellos, Method::Poll, true),
        (TlsHandshakes, Method::Sse, false),
        (TlsNewKeys, Method::Ws, true),
    ] {
        let sample = attacked(kind, method, 6, 100).await;
        let name = kind.name();
        assert!(figure(&sample, "attack_connections") >= 6.0, "{name}: {sample:#?}");
        assert_eq!(figure(&sample, "attack_ended") > 0.0, ends, "{name}: {sample:#?}");
        assert_eq!(figure(&sample, "attack_answers") > 0.0, kind == TlsHandshakes, "{name}: {sample:#?}");
    }
}

#[tokio::test]
async fn abuse_of_http_2_takes_nothing_from_honest_clients() {
    use attack::Kind::{
        Http2Continuations, Http2HeaderBombs, Http2Pings, Http2RapidReset, Http2Settings, Http2UnreadStreams,
    };
    for (kind, method, is_refused) in [
        (Http2RapidReset, Method::Sse, true),
        (Http2Settings, Method::Poll, false),
        (Http2Pings, Method::Ws, false),
        (Http2Continuations, Method::Sse, true),
        (Http2HeaderBombs, Method::Poll, true),
        (Http2UnreadStreams, Method::Sse, false),
    ] {
        let sample = attacked(kind, method, 4, 100).await;
        let name = kind.name();
        assert!(figure(&sample, "attack_connections") >= 4.0, "{name}: {sample:#?}");
        let refused = figure(&sample, "attack_refusals") + figure(&sample, "attack_ended");
        // The others may be refused too, such as streams that come faster than they are dealt with.
        assert!(refused > 0.0 || !is_refused, "{name}: {sample:#?}");
    }
}

#[tokio::test]
async fn bad_tokens_and_the_cookies_of_other_sites_are_refused_while_honest_clients_are_served() {
    use attack::Kind::{BadTokens, CrossSite, UnknownKeys};
    for (kind, method) in
        [(BadTokens, Method::Sse), (BadTokens, Method::Ws), (UnknownKeys, Method::Poll), (CrossSite, Method::Ws)]
    {
        let sample = attacked(kind, method, 6, 100).await;
        assert!(figure(&sample, "attack_refusals") >= 6.0, "{}: {sample:#?}", kind.name());
        assert_eq!(figure(&sample, "attack_answers"), 0.0, "{}: {sample:#?}", kind.name());
    }
}

/// The row of a report.
fn row(kind: attack::Kind, sample: Sample) -> Row {
    let mut row = Row {
        target: "push".to_owned(),
        version: String::new(),
        method: kind.name().to_owned(),
        flags: Vec::new(),
        figures: Vec::new(),
        faults: Vec::new(),
    };
    row.take(sample);
    row
}
