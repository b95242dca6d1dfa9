//! The metrics, as Prometheus reads them.

#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use e2e::service::{Service, hold};
use serde_json::{Value, json};
use testkit::{Process, client, soon};

/// The program that a variable names, or else the one on the path.
fn program(variable: &str, name: &str) -> String {
    env::var(variable).unwrap_or_else(|_| name.to_owned())
}

/// The instructions where a program is missing.
const MISSING: &str = "run `cargo xtask test`, which installs Prometheus into the target folder";

/// Three services, each of which has been published to so many times and has answered a bad request.
async fn used(published: usize) -> [Service; 3] {
    let services = Service::all_three(&[]).await.unwrap();
    for service in &services {
        for number in 0..published {
            let answer = client().post(service.url("/messages?topic=a.b")).body(number.to_string()).send();
            assert_eq!(soon(answer).await.unwrap().status(), 201);
        }
        let answer = client().get(service.url("/messages?since=x")).send();
        assert_eq!(soon(answer).await.unwrap().status(), 400);
    }
    services
}

/// `promtool` finds nothing to say about names, types and texts.
#[tokio::test]
async fn promtool_has_nothing_to_say() {
    for service in used(3).await {
        let text = soon(async { client().get(service.url("/metrics")).send().await?.text().await }).await.unwrap();
        let mut promtool = Command::new(program("PROMTOOL", "promtool"));
        let promtool = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut promtool = promtool.stderr(Stdio::piped()).spawn().expect(MISSING);
        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
    }
}

/// A Prometheus that scrapes the three services has their figures.
#[tokio::test]
async fn prometheus_reads_the_figures() {
    const PUBLISHED: usize = 7;
    let services = used(PUBLISHED).await;
    let folder = tempfile::tempdir().unwrap();
    let targets: Vec<String> =
        services.iter().map(|service| service.url("").replace("http://", "").replace('/', "")).collect();
    // JSON is YAML.
    let config = json!({
        "global": { "scrape_interval": "200ms" },
        "scrape_configs": [{ "job_name": "push", "static_configs": [{ "targets": targets }] }],
    });
    let config_file = folder.path().join("prometheus.yml");
    fs::write(&config_file, config.to_string()).unwrap();
    // Prometheus does not say which port it was given, so it is given one that nobody else gets meanwhile.
    let held = hold((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = held.local_addr().unwrap().port();
    let flags = [
        format!("--config.file={}", config_file.display()),
        format!("--storage.tsdb.path={}", folder.path().join("data").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let program = program("PROMETHEUS", "prometheus");
    let version = Command::new(&program).arg("--version").output().expect(MISSING);
    assert!(version.status.success(), "{MISSING}");
    let _prometheus = Process::start(&program, &flags.each_ref().map(String::as_str));

    let query = async |query: &str| -> Option<Vec<f64>> {
        let answer = client().post(format!("http://127.0.0.1:{port}/api/v1/query")).form(&[("query", query)]).send();
        let answer: Value = answer.await.ok()?.json().await.ok()?;
        let values = answer["data"]["result"].as_array()?.iter();
        values.map(|result| result["value"][1].as_str()?.parse().ok()).collect()
    };
    for (asked, expected) in [
        ("up", 1.0),
        ("push_published_messages_total{result=\"new\"}", PUBLISHED as f64),
        ("push_history_messages", PUBLISHED as f64),
        ("push_backplane_confirm_seconds_count", PUBLISHED as f64),
        ("push_rejected_total{reason=\"bad_cursor\"}", 1.0),
        ("push_delivered_messages_total", 0.0),
        ("sum by (instance) (push_connections)", 0.0),
        ("count by (instance) (process_start_time_seconds > 0)", 1.0),
    ] {
        soon(async { while query(asked).await.as_deref() != Some(&[expected; 3]) {} }).await;
    }
}

/// The alerts are valid, and each fires when it should and not else.
#[test]
fn alerts_fire_when_they_should() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        let promtool = Command::new(program("PROMTOOL", "promtool")).current_dir(folder).args(arguments).output();
        let output = promtool.expect(MISSING);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

/// Each alert has a row in the table of docs/operations.md, with its severity, and a section that says what to do.
#[test]
fn every_alert_is_explained() {
    let file = |path: &str| fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (alerts, explained) = (file("deploy/alerts.yaml"), file("docs/operations.md"));
    let alerts: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    for alert in &alerts {
        let name = alert.lines().next().unwrap();
        let severity = alert.split("severity: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let row = format!("| [{name}](#{}) | {severity} |", name.to_lowercase());
        assert!(explained.contains(&row), "no row {row}");
        assert!(explained.contains(&format!("\n### {name}\n")), "no section {name}");
    }
    let sections = explained.lines().filter(|line| line.starts_with("### Push")).count();
    assert_eq!(sections, alerts.len(), "a section is of an alert that there is");
}
