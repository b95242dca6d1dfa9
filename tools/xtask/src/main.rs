//! The tasks of the workspace, run as `cargo xtask <task>`. On Linux and macOS.
//!
//! - `up.rs`: the three services in one terminal; `up/build.rs` builds them, `up/guide.rs` says what to open; `process.rs` is one of them,
//!   `output.rs` its coloured lines and `leash.rs` its leash, by which it dies with this process; `nats_server.rs` is the NATS server
//!   beside them
//! - `test.rs`: every test, and `tally.rs` their results; `push_js.rs`: those of push.js at length; `browser.rs` has the browsers, `webdriver.rs`
//!   finds their programs, `install.rs` installs them; `prometheus.rs` and `nginx.rs` find these or unpack them, by `debian.rs`; `axe_core.rs`
//!   has it installed
//! - `client.rs`: the types and the package of push.js
//! - `manifests.rs`: the manifests for Kubernetes against its schemas
//! - `openapi.rs`: the services against their descriptions
//! - `imports.rs`: files that import each other in a circle
//! - `bench.rs`: the measurements; `crash.rs`: crashes of the machine; `optimised.rs`: the programs for them
//! - `fuzz.rs`: the fuzz targets
//! - `alone.rs`: each service with the other two deleted
//! - `pip.rs`, `npm.rs`: programs from PyPI and npm; `program.rs`: programs on this machine; `workspace.rs`: its folders; `log.rs`: output
//!   in files

mod alone;
mod axe_core;
mod bench;
mod browser;
mod client;
mod crash;
mod debian;
mod fuzz;
mod imports;
mod install;
mod leash;
mod log;
mod manifests;
mod nats_server;
mod nginx;
mod npm;
mod openapi;
mod optimised;
mod output;
mod pip;
mod process;
mod program;
mod prometheus;
mod push_js;
mod tally;
mod test;
mod up;
mod webdriver;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of this workspace
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Up(up::Up),
    Test(test::Test),
    Alone(alone::Alone),
    Client(client::Client),
    PushJs(push_js::PushJs),
    Manifests(manifests::Manifests),
    Openapi(openapi::Openapi),
    Imports(imports::Imports),
    Bench(bench::Bench),
    Crash(crash::Crash),
    Fuzz(fuzz::Fuzz),
    Token(token::command::Token),
    #[command(hide = true)]
    Leash(leash::Leash),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Up(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Test(task) => task.run(),
        Task::Alone(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Client(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::PushJs(task) => task.run(),
        Task::Manifests(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Openapi(task) => task.run(),
        Task::Imports(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Bench(task) => task.run(),
        Task::Crash(task) => task.run(),
        Task::Fuzz(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Token(task) => task.make().map(|token| {
            println!("{token}");
            ExitCode::SUCCESS
        }),
        Task::Leash(task) => task.run(),
    };
    outcome.unwrap_or_else(|error| {
        // Not returned from `main`, which would add a backtrace where RUST_BACKTRACE is set.
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
