//! The tasks of the workspace, run as `cargo xtask <task>`. On Linux and macOS.
//!
//! - `up.rs`: the three services in one terminal; `service.rs` is one of them, `output.rs` its coloured lines and
//!   `leash.rs` what keeps it from outliving this process
//! - `test.rs`: every test; `browser.rs` finds Chromium and ChromeDriver, `install.rs` installs them; `nats_server.rs` finds
//!   or installs nats-server
//! - `bench.rs`: the measurements
//! - `alone.rs`: each service with the other two deleted
//! - `workspace.rs`: where things are; `log.rs`: what other programs said

mod alone;
mod bench;
mod browser;
mod install;
mod leash;
mod log;
mod nats_server;
mod output;
mod service;
mod test;
mod up;
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
    Bench(bench::Bench),
    #[command(hide = true)]
    Leash(leash::Leash),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Up(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Test(task) => task.run(),
        Task::Alone(task) => task.run().map(|()| ExitCode::SUCCESS),
        Task::Bench(task) => task.run(),
        Task::Leash(task) => task.run(),
    };
    outcome.unwrap_or_else(|error| {
        // Not by `main`'s own return, which would add a backtrace where RUST_BACKTRACE is set.
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
