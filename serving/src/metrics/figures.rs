//! The figures of the backplane, which it counts by itself.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use shared::backplane::{Backplane, Figure, Reading};

/// Asks a backplane for its figures when they are asked for.
#[derive(Debug)]
pub(super) struct BackplaneFigures(pub(super) Arc<dyn Backplane>);

impl Collector for BackplaneFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.figures().iter().try_for_each(|figure| put(&mut encoder, figure))
    }
}

fn put(encoder: &mut DescriptorEncoder<'_>, Figure { name, help, reading }: &Figure) -> fmt::Result {
    let kind = match reading {
        Reading::Gauge(_) => MetricType::Gauge,
        Reading::Counter(_) | Reading::Counters { .. } => MetricType::Counter,
        Reading::Histogram { .. } => MetricType::Histogram,
    };
    let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
    match reading {
        Reading::Gauge(value) => ConstGauge::new(i64::try_from(*value).unwrap_or(i64::MAX)).encode(metric),
        Reading::Counter(value) => ConstCounter::new(*value).encode(metric),
        Reading::Counters { label, counts } => counts.iter().try_for_each(|(value, count)| {
            let labels = [(*label, *value)];
            ConstCounter::new(*count).encode(metric.encode_family(&labels)?)
        }),
        Reading::Histogram { sum, buckets } => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            metric.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}
