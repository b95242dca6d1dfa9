//! The command line. Everything else is in the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use crash::{Crash, Work};

/// Crashes the machine under a history in a file, and looks for lost messages
#[derive(Debug, Parser)]
#[command(name = "crash", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    crash: Crash,
    #[command(subcommand)]
    work: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(hide = true)]
    Work(Work),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.work {
        Some(Command::Work(work)) => work.run().await.map(|()| true),
        None => cli.crash.run().await,
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
