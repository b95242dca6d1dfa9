//! `push token`: a token for trying a closed service. `cargo xtask token` is the same.

use token::command::Token;

use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Writes the token, and nothing else.
pub(crate) fn run(token: &Token) -> Outcome {
    let token = token.make().map_err(|error| Exit::Failed(format!("{error:#}")))?;
    let mut output = Output::new(false);
    output.line(&token)?;
    output.flush()
}
