//! `push`, the command line of the push servers.
//!
//! - `command_line`: the commands and their help; `exit`: failures and their exit codes
//! - `connection/`: how a service is reached: URL, token, requests, errors, pauses before the next attempt
//! - `publish`: `push pub`, with its batches in `publish/`
//! - `subscribe`: `push sub`, with one file per method in `subscribe/`; `message`: what comes from a service
//! - `history`, `top`, `doctor`, `token`, `completions`: the commands of these names
//! - `output`: standard output; `notice`: standard error; `signals`: Ctrl-C

mod command_line;
mod completions;
mod connection;
mod doctor;
mod exit;
mod history;
mod message;
mod notice;
mod output;
mod publish;
mod signals;
mod subscribe;
mod token;
mod top;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tokio::runtime::Builder;

use crate::command_line::{Command, CommandLine};
use crate::exit::{Exit, Outcome};
use crate::signals::Signals;

fn main() -> ExitCode {
    let command = CommandLine::parse().command;
    let outcome = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(command));
            // A thread that waits for standard input would be waited for otherwise.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Exit::Failed(format!("the runtime cannot start: {error}"))),
    };
    outcome.map_or_else(Exit::report, |()| ExitCode::SUCCESS)
}

async fn run(command: Command) -> Outcome {
    let signals = Signals::listen()?;
    let working = async {
        match command {
            // These say where they were before they end.
            Command::Pub(command) => command.run(&signals).await,
            Command::Sub(command) => command.run(&signals).await,
            Command::History(command) => command.run().await,
            Command::Token(command) => token::run(&command),
            Command::Top(command) => command.run().await,
            Command::Doctor(command) => command.run().await,
            Command::Completions(command) => command.run(CommandLine::command()),
        }
    };
    signals.or_interrupted(working).await
}
