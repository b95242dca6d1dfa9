//! The text of metrics (Prometheus, text format 0.0.4).

use std::collections::HashMap;

/// The samples, by their names with the labels, as in `push_gaps_total{transport="web_sockets",reason="lagged"}`.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples(HashMap<String, f64>);

impl Samples {
    /// Reads a text. Lines that are no samples count for nothing.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.trim().to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// Returns the sum of the samples of a name, over all labels. `None` where there is none.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        let mut values = self.of(name).map(|(_, value)| value).peekable();
        values.peek()?;
        // An empty sum of floats is -0.
        Some(values.fold(0.0, |sum, value| sum + value))
    }

    /// Returns the value of a label of the first sample of a name.
    pub(super) fn label(&self, name: &str, label: &str) -> Option<String> {
        let (sample, _) = self.of(name).next()?;
        let (_, rest) = sample.split_once(&format!("{label}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    }

    /// Returns the smallest upper bound of a histogram that holds a share of what was counted since `before`.
    pub(super) fn quantile(&self, name: &str, share: f64, before: &Self) -> Option<f64> {
        let bucket = format!("{name}_bucket");
        let mut buckets = HashMap::<&str, f64>::new();
        for (sample, value) in self.of(&bucket) {
            let (_, bound) = sample.split_once("le=\"")?;
            let since = value - before.0.get(sample).copied().unwrap_or(0.0);
            *buckets.entry(bound.split_once('"')?.0).or_default() += since;
        }
        let mut bounds: Vec<(f64, f64)> =
            buckets.into_iter().filter_map(|(bound, count)| Some((bound.parse().ok()?, count))).collect();
        bounds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let total = bounds.last().map(|(_, count)| *count).filter(|total| *total > 0.0)?;
        let (bound, _) = bounds.into_iter().find(|(_, count)| *count >= total * share)?;
        Some(bound).filter(|bound| bound.is_finite())
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let all = self.0.iter().map(|(sample, value)| (sample.as_str(), *value));
        all.filter(move |(sample, _)| sample.split('{').next() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# HELP push_gaps_total Gaps.
# TYPE push_gaps_total counter
push_gaps_total{transport=\"web_sockets\",reason=\"lagged\"} 2
push_gaps_total{transport=\"web_sockets\",reason=\"expired\"} 3
push_topics 7
push_delay_bucket{le=\"0.001\"} 90
push_delay_bucket{le=\"0.01\"} 99
push_delay_bucket{le=\"+Inf\"} 100
push_build_info{version=\"0.1.0\",transport=\"web_sockets\"} 1
nonsense
";

    #[test]
    fn samples_are_summed_over_their_labels() {
        let samples = Samples::parse(TEXT);
        assert_eq!((samples.sum("push_gaps_total"), samples.sum("push_topics")), (Some(5.0), Some(7.0)));
        assert_eq!(samples.sum("push_gaps"), None);
        assert_eq!(samples.label("push_build_info", "version").as_deref(), Some("0.1.0"));
    }

    #[test]
    fn a_quantile_is_that_of_what_came_since() {
        let (samples, nothing) = (Samples::parse(TEXT), Samples::default());
        for (share, bound) in [(0.5, Some(0.001)), (0.9, Some(0.001)), (0.99, Some(0.01)), (1.0, None)] {
            assert_eq!(samples.quantile("push_delay", share, &nothing), bound, "{share}");
        }
        let before = Samples::parse(
            "push_delay_bucket{le=\"0.001\"} 90\npush_delay_bucket{le=\"0.01\"} 90\npush_delay_bucket{le=\"+Inf\"} 90\n",
        );
        assert_eq!(samples.quantile("push_delay", 0.9, &before), Some(0.01));
        assert_eq!(samples.quantile("push_delay", 0.9, &samples), None);
    }
}
