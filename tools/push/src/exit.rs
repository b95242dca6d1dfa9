//! The ends of a command that are no success, and their exit codes.

use std::process::ExitCode;

use crate::notice;

/// The outcome of a command.
pub(crate) type Outcome<T = ()> = Result<T, Exit>;

/// The exit codes, as `--help` has them.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done; also when standard output was closed by the program that read it
  1    failed: a service cannot be reached, or did not do it in time
  2    the command line is wrong
  3    refused: asking again would not help (a status of 300 or above but 408, 425, 429, 500, 502, 503, 504)
  4    sub, history: messages are missing, with --fail-on-gap
  5    doctor: something does not get through
  130  ended by Ctrl-C; 143 by SIGTERM";

/// The reason why a command ends without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command failed; another attempt may succeed.
    Failed(String),
    /// The service refused what it was asked for.
    Refused(String),
    /// Messages are missing.
    Gap(String),
    /// Something between here and the service is in the way.
    InTheWay(String),
    /// A signal came, with this number.
    Signal(u8),
    /// The program that read standard output has closed it, as `head` does when it has enough.
    OutputClosed,
}

impl Exit {
    /// Says the reason on standard error, and returns the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let (code, message) = match &self {
            Self::Failed(message) => (1, message.as_str()),
            Self::Refused(message) => (3, message.as_str()),
            Self::Gap(message) => (4, message.as_str()),
            Self::InTheWay(message) => (5, message.as_str()),
            Self::Signal(number) => (128 + number, ""),
            Self::OutputClosed => (0, ""),
        };
        if !message.is_empty() {
            notice::error(message);
        }
        ExitCode::from(code)
    }
}
