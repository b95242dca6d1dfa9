//! `push completions`: the completions of a shell.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit::Outcome;
use crate::output;

/// Writes the completions for a shell to standard output
///
/// bash: push completions bash > ~/.local/share/bash-completion/completions/push
///
/// zsh: push completions zsh > a file `_push` in a folder of $fpath
///
/// fish: push completions fish > ~/.config/fish/completions/push.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, mut command: Command) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "push", &mut script);
        let mut stdout = io::stdout();
        stdout.write_all(&script).and_then(|()| stdout.flush()).map_err(output::failed)
    }
}
