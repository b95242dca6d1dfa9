//! Values of the command line that several commands have.

/// Reads a number above 0.
pub(crate) fn positive(text: &str) -> anyhow::Result<f64> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => anyhow::bail!("write a number above 0"),
    }
}
