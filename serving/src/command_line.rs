//! Reading the command line and the environment.

use std::env;

use clap::{Command, Parser};

/// Reads the flags from the command line and from the environment. An environment variable that is empty counts as one that is
/// not set: Docker Compose and shell scripts set variables to nothing where no value was given.
///
/// Ends the process after `--help`, `--version` and errors, as clap does.
pub fn parse<C: Parser>() -> C {
    let mut command = without_empty_variables(C::command());
    let matches = command.get_matches_mut();
    C::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Takes the environment variable away from each flag whose variable is empty.
fn without_empty_variables(command: Command) -> Command {
    command.mut_args(|arg| {
        let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { arg.env(None::<&str>) } else { arg }
    })
}
