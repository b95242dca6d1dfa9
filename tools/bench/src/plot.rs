//! plot
use clap::Args;
/// Draw plots
#[derive(Debug, Args)]
pub struct Plot {}
impl Plot {
    /// Run.
    /// # Errors
    /// None.
    pub fn run(self) -> anyhow::Result<bool> {
        Ok(true)
    }
}
