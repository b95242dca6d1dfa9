//! Standard input, line by line.

use std::io::{self, BufRead};

use tokio::sync::mpsc::{Receiver, channel};

/// The lines that are read ahead.
const AHEAD: usize = 4096;

/// Reads lines in a thread of its own. An error is the last thing that comes.
pub(super) fn read() -> Receiver<Result<String, String>> {
    let (sender, receiver) = channel(AHEAD);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let line = match input.read_until(b'\n', &mut bytes) {
                Ok(0) => return,
                Ok(_) => text(&bytes),
                Err(error) => Err(format!("standard input cannot be read: {error}")),
            };
            let is_last = line.is_err();
            // Nobody receives once the command has ended.
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// Returns a line without its end.
fn text(line: &[u8]) -> Result<String, String> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("it is not UTF-8 ({error}); convert it, with iconv for instance"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_loses_its_end_alone() {
        for (line, expected) in
            [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), ("\n", ""), (" a \n", " a "), ("a\rb\n", "a\rb")]
        {
            assert_eq!(text(line.as_bytes()).as_deref(), Ok(expected), "{line:?}");
        }
        assert!(text(b"\xff\n").is_err());
    }
}
