//! The commands.

use clap::{Parser, Subcommand};

use crate::exit;
use crate::publish::Publish;
use crate::subscribe::Subscribe;

/// The command line of the push servers ws-echo, sse-server and longpoll-server
#[derive(Debug, Parser)]
#[command(name = "push", version, after_help = exit::HELP, disable_help_subcommand = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(after_help = exit::HELP)]
    Pub(Publish),
    #[command(after_help = exit::HELP)]
    Sub(Subscribe),
}
