//! The command line of the measurements. Everything else is in the library.

use std::process::ExitCode;

use bench::attack::Attack;
use bench::compare::Compare;
use bench::cuts::Cuts;
use bench::echo::Echo;
use bench::fanout::Fanout;
use bench::idle::Idle;
use bench::limit::Limit;
use bench::plot::Plot;
use bench::publish::Publish;
use bench::replicas::Replicas;
use bench::storm::Storm;
use clap::{Parser, Subcommand};

/// Measures push servers: those of this repository, and others by a description
#[derive(Debug, Parser)]
#[command(name = "bench", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fanout(Fanout),
    Compare(Compare),
    Echo(Echo),
    Idle(Idle),
    Storm(Storm),
    Publish(Publish),
    Replicas(Replicas),
    Cuts(Cuts),
    Attack(Attack),
    Plot(Plot),
    Limit(Limit),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Fanout(fanout) => fanout.run().await,
        Command::Compare(compare) => compare.run().await,
        Command::Echo(echo) => echo.run().await,
        Command::Idle(idle) => idle.run().await,
        Command::Storm(storm) => storm.run().await,
        Command::Publish(publish) => publish.run().await,
        Command::Replicas(replicas) => replicas.run().await,
        Command::Cuts(cuts) => cuts.run().await,
        Command::Attack(attack) => attack.run().await,
        Command::Plot(plot) => plot.run(),
        Command::Limit(limit) => limit.run(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
