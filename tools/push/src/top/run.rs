//! The command.

use std::io::{self, Write};

use futures_util::future::join_all;
use serde::Serialize;
use shared::timestamp::Timestamp;
use shared::wall_clock::{SystemClock, WallClock};
use tokio::time::{MissedTickBehavior, interval};

use super::args::Top;
use super::figures::Figures;
use super::table::table;
use super::target::Target;
use crate::connection::{Method, base_url};
use crate::exit::{Exit, Outcome};
use crate::output::{self, Form, Output, Show};

/// The figures of all services at one moment.
#[derive(Debug, Serialize)]
struct Refresh {
    at: Timestamp,
    services: Vec<Figures>,
}

impl Show for Refresh {
    fn words(&self) -> String {
        table(&self.services)
    }
}

impl Top {
    pub(crate) async fn run(self) -> Outcome {
        tokio::select! {
            outcome = self.refresh() => outcome,
            ended = output::closed() => Err(ended),
        }
    }

    async fn refresh(&self) -> Outcome {
        let mut targets = self.targets()?;
        let mut output = Output::new(self.json);
        // The screen of before comes back when the command ends.
        let screen = (!self.once && output.form() == Form::Words).then(Screen::open);
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let services = join_all(targets.iter_mut().map(Target::look)).await;
            if let Some(screen) = &screen {
                screen.clear();
            }
            let refresh = Refresh { at: SystemClock.now(), services };
            output.write(&refresh)?;
            output.flush()?;
            if self.once {
                return match refresh.services.iter().find_map(|figures| figures.error.as_ref()) {
                    Some(error) => Err(Exit::Failed(error.clone())),
                    None => Ok(()),
                };
            }
        }
    }

    fn targets(&self) -> Outcome<Vec<Target>> {
        let urls = match &self.urls[..] {
            [] => Method::ALL.iter().map(|method| base_url(method.usual_url())).collect::<Result<_, _>>(),
            urls => Ok(urls.to_vec()),
        };
        let urls: Vec<_> = urls.map_err(Exit::Failed)?;
        urls.into_iter().map(|url| Ok(Target::new(self.identity.service(url)?))).collect()
    }
}

/// A screen of its own on the terminal.
struct Screen;

impl Screen {
    fn open() -> Self {
        control(b"\x1b[?1049h\x1b[?25l");
        Self
    }

    fn clear(&self) {
        control(b"\x1b[H\x1b[J");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        control(b"\x1b[?25h\x1b[?1049l");
    }
}

/// Sends a command to the terminal. It is no colour, which somebody may have turned off.
fn control(command: &[u8]) {
    // A later write reports that the output was closed.
    let _ = io::stdout().write_all(command).and_then(|()| io::stdout().flush());
}
