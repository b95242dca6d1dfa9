//! `bench cuts`, shortened, against the services of this repository and against a server that forgets.

mod forgetful;
mod killed;

use std::sync::Arc;
use std::time::Duration;

use bench::cuts::{Issuer, Outcome, Plan, Server as Where, measure};
use bench::target::{Method, Target};
use clap::Parser;
use testkit::Server;

/// Few clients and many injuries.
fn plan(seconds: u64) -> Plan {
    Plan {
        clients: 12,
        length: Duration::from_secs(seconds),
        seed: 1,
        rate: 100.0,
        topics: 2,
        publishers: 2,
        bytes: 80,
        calm: Some(Duration::from_millis(700)),
        heartbeat: Duration::from_millis(400),
        deadline: testkit::PATIENCE,
        injure_publishers: true,
        restart_every: None,
        stalled: 0,
        progress: false,
        issuer: None,
    }
}

async fn start(method: Method, history: &str, issuer: Option<&Issuer>) -> Server {
    let flags = ["service", "--tick", "0", "--heartbeat", "400ms", "--history", history].map(str::to_owned);
    let flags = flags.into_iter().chain(issuer.map(Issuer::flags).into_iter().flatten());
    match method {
        Method::Ws => {
            let config = ws_echo::Config::parse_from(flags);
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

async fn outcome(plan: Plan, method: Method, history: &str) -> Outcome {
    let server = start(method, history, plan.issuer.as_deref()).await;
    let target = Target::push().expect("a description");
    measure(&plan, &target, method, &mut Where::At(server.address())).await.expect("the run can be made")
}

/// Checks that connections were injured, and that clients reconnected.
#[track_caller]
fn assert_injured(outcome: &Outcome) {
    assert!(outcome.injuries.total() > 20, "{outcome:#?}");
    assert!(outcome.injuries.within_a_frame > 5, "{outcome:#?}");
    assert!(outcome.score.reconnects > 10, "{outcome:#?}");
}

/// One run of each method, all at the same time.
async fn outcomes(methods: &[Method], plan: Plan, history: &'static str) -> Vec<Outcome> {
    let start = |&method| tokio::spawn(outcome(plan.clone(), method, history));
    let runs: Vec<_> = methods.iter().map(start).collect();
    let mut outcomes = Vec::new();
    for run in runs {
        outcomes.push(run.await.expect("the run ends"));
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_gets_everything_once_and_in_order_whatever_is_cut() {
    for outcome in outcomes(&Method::ALL, plan(5), "100000").await {
        assert_injured(&outcome);
        assert!(outcome.is_clean(), "{outcome:#?}");
        assert_eq!(outcome.score.received, outcome.score.expected, "{outcome:#?}");
        assert_eq!(outcome.score.gaps.len(), 0, "{outcome:#?}");
    }
}

/// The benches hold the services to a second after the end of a token; here, other tests share the machine.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_tokens_end() {
    let issuer = Arc::new(Issuer::new(Duration::from_secs(1)));
    let calm = Some(Duration::from_secs(2));
    for outcome in outcomes(&Method::ALL, Plan { issuer: Some(issuer), calm, ..plan(5) }, "100000").await {
        assert!(outcome.score.is_clean(), "{outcome:#?}");
        assert_eq!(outcome.score.received, outcome.score.expected, "{outcome:#?}");
        let renewed = outcome.tokens.as_ref().map_or(0, |tokens| tokens.renewed);
        // A poll brings a token with each request.
        assert!(renewed > 10 || outcome.method == Method::Poll, "{outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_short_history_has_lost_is_reported() {
    lost_is_reported(&[Method::Poll], Plan { topics: 1, ..plan(4) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_short_history_has_lost_is_reported_on_streams() {
    lost_is_reported(&[Method::Ws, Method::Sse], Plan { topics: 1, ..plan(4) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_short_history_has_lost_of_several_topics_is_reported() {
    lost_is_reported(&Method::ALL, plan(4)).await;
}

async fn lost_is_reported(methods: &[Method], plan: Plan) {
    for outcome in outcomes(methods, plan, "5").await {
        assert_injured(&outcome);
        assert!(outcome.is_clean(), "{outcome:#?}");
        assert!(outcome.score.lost_reported > 0, "{outcome:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_where_its_clients_were_is_found_out() {
    let server = forgetful::start().await;
    let target = Target::push().expect("a description");
    // It has one topic, and no keys. A client that lost the last message waits for it in vain.
    let deadline = Duration::from_secs(1);
    let plan = Plan { topics: 1, publishers: 1, injure_publishers: false, deadline, ..plan(3) };
    let outcome = measure(&plan, &target, Method::Sse, &mut Where::At(server)).await.expect("the run can be made");
    assert_injured(&outcome);
    assert!(!outcome.is_clean(), "{outcome:#?}");
    assert!(outcome.score.missing > 0, "{outcome:#?}");
    assert_eq!(outcome.score.lost_reported, 0, "{outcome:#?}");
}
