//! `bench publish`, shortened.

use std::time::Duration;

use bench::Folder;
use bench::process::Process;
use bench::publish::{Work, measure};

use super::*;

const WORK: Work = Work { in_flight: 8, topics: 1, bytes: 200, length: Duration::from_millis(200) };

async fn published(work: &Work, target: &Target, flags: &[&str]) -> Sample {
    let config = sse_server::Config::parse_from([&["service", "--tick", "0"], flags].concat());
    let server = Server::start(|listener, stop| sse_server::run(listener, config, stop)).await;
    let ready = async { while !testkit::get(server.address(), "/readyz").await.starts_with("HTTP/1.1 200") {} };
    testkit::soon(ready).await;
    let servers = [Process::this()];
    measure(work, target, server.address(), &servers, true).await.expect("the run can be made")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_confirmed_is_in_the_history() {
    let folder = Folder::new("test").expect("a folder");
    let data = folder.path().display().to_string();
    let large = ["--history", "1000000"];
    for flags in [&large[..], &[&large[..], &["--data", &data]].concat()] {
        for work in [WORK, Work { topics: 3, in_flight: 1, ..WORK }] {
            let sample = published(&work, &push_target(), flags).await;
            assert_eq!(sample.faults, [""; 0], "{sample:#?}");
            for key in ["publications_per_second", "confirm_p50_us", "confirm_p99_us", "stored"] {
                assert!(figure(&sample, key) > 0.0, "{key}: {sample:#?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_without_what_was_confirmed_is_found_out() {
    let sample = published(&WORK, &push_target(), &["--history", "10"]).await;
    assert!(sample.faults.iter().any(|fault| fault.contains("missing")), "{sample:#?}");
}
