//! The services do as their descriptions say (`/openapi.json`).

#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use e2e::service::{Method, Service};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{client, soon};

/// The instructions where a program is missing.
const MISSING: &str = "run `cargo xtask test` or `cargo xtask openapi`, which install it into the target folder";

/// The program that a variable names, or else the one on the path. What pip installed into a folder finds its modules there.
fn program(variable: &str, name: &str) -> Command {
    let program = env::var(variable).unwrap_or_else(|_| name.to_owned());
    let mut command = Command::new(&program);
    if let Some(folder) = Path::new(&program).parent().and_then(Path::parent).filter(|folder| folder.is_absolute()) {
        command.env("PYTHONPATH", folder);
    }
    command
}

/// Runs a program, which has to end well.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{error}; {MISSING}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The description of a service.
async fn description(service: &Service) -> Value {
    let answer = soon(client().get(service.url("/openapi.json")).send()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].as_bytes()),
        (200, &b"application/json"[..])
    );
    soon(answer.json()).await.unwrap()
}

/// Writes a description into a file.
fn file(description: &Value) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    fs::write(&file, description.to_string()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[tokio::test]
async fn the_descriptions_are_valid() {
    for service in Service::all_three(&[]).await.unwrap() {
        let (_folder, file) = file(&description(&service).await);
        run(program("OPENAPI_SPEC_VALIDATOR", "openapi-spec-validator").arg(file));
    }
}

#[tokio::test]
async fn each_service_describes_its_own_routes() {
    let mut of_method = Vec::new();
    for service in Service::all_three(&[]).await.unwrap() {
        let description = description(&service).await;
        let paths = description["paths"].as_object().unwrap().clone();
        for path in ["/messages", "/ticket", "/livez", "/readyz", "/metrics", "/openapi.json", "/", "/assets/style.css"]
        {
            assert!(paths.contains_key(path), "{path}");
        }
        of_method.extend(["/feed", "/poll", "/events"].into_iter().filter(|path| paths.contains_key(*path)));
        for (path, item) in paths {
            let described: Vec<_> =
                item.as_object().unwrap().keys().map(|method| method.to_ascii_uppercase()).collect();
            // The answer to a method that no route takes has those that this one takes.
            let answer = soon(client().delete(service.url(&path)).send()).await.unwrap();
            assert_eq!(answer.status(), 405, "{path}");
            let mut taken: Vec<_> = answer.headers()["allow"].to_str().unwrap().split(", ").collect();
            taken.sort_unstable();
            assert_eq!(described, taken, "{path}");
        }
    }
    assert_eq!(of_method, ["/feed", "/poll", "/events"]);
}

#[tokio::test]
async fn metrics_that_are_elsewhere_are_not_described() {
    let service = Service::started(Method::Sse, &["--admin-listen=127.0.0.1:0"]).await.unwrap();
    assert_eq!(description(&service).await["paths"].get("/metrics"), None);
}

/// Has schemathesis make requests by the description of a service and against it, which have to be answered as it says: the same at
/// each run, or with so many `examples` at random for each route too.
async fn try_out(method: Method, closed: bool, examples: Option<&str>) {
    const SECRET: &str = "a secret of 32 bytes and some more";
    let closing = format!("--jwt-secret={SECRET}");
    let flags = [(method == Method::Poll, "--hold=100ms"), (closed, &closing)];
    let flags: Vec<&str> = flags.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| *flag).collect();
    let service = Service::started(method, &flags).await.unwrap();
    let (folder, file) = file(&description(&service).await);
    let mut schemathesis = program("SCHEMATHESIS", "schemathesis");
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi/schemathesis.toml");
    schemathesis.args(["--config-file", config, "run", &file, "--url", service.url("").trim_end_matches('/')]);
    schemathesis.args(["--no-color", "--warnings", "off", "--request-timeout", "30"]).current_dir(&folder);
    if closed {
        let claims = json!({ "exp": token::now() + 3600.0, "publish": [">"], "subscribe": [">"] });
        schemathesis.args(["-H", &format!("Authorization: Bearer {}", token::hs256(SECRET.as_bytes(), &claims))]);
    }
    if method == Method::Sse {
        // A stream does not end. Its HEAD is tried.
        schemathesis.args(["--exclude-operation-id", "follow"]);
    }
    match examples {
        Some(examples) => schemathesis.args(["--phases", "examples,coverage,fuzzing,stateful", "-n", examples]),
        // Without the files of the pages, which are all alike.
        None => {
            schemathesis.args(["--phases", "examples,coverage", "--seed", "1", "--exclude-path-regex", "^/assets/"])
        }
    };
    tokio::task::spawn_blocking(move || run(&mut schemathesis)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_do_as_their_descriptions_say() {
    let examples = env::var("SCHEMATHESIS_EXAMPLES").ok();
    for method in Method::ALL {
        try_out(method, false, examples.as_deref()).await;
        if examples.is_some() {
            try_out(method, true, examples.as_deref()).await;
        }
    }
}
