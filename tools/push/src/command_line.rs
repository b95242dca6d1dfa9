//! The commands.

use clap::{Parser, Subcommand};
use token::command::Token as MakeToken;

use crate::completions::Completions;
use crate::doctor::Doctor;
use crate::exit;
use crate::history::History;
use crate::publish::Publish;
use crate::subscribe::Subscribe;
use crate::top::Top;

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
    #[command(after_help = exit::HELP)]
    History(History),
    Token(MakeToken),
    #[command(after_help = exit::HELP)]
    Top(Top),
    #[command(after_help = exit::HELP)]
    Doctor(Doctor),
    Completions(Completions),
}
