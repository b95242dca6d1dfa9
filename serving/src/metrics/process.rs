//! The usual metrics of a process, as the libraries of Prometheus name them.

use std::fmt;

use procfs::WithCurrentSystemInfo;
use procfs::process::{LimitValue, Process, Stat};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads the figures of this process when they are asked for.
#[derive(Debug)]
pub(super) struct ThisProcess;

impl Collector for ThisProcess {
    /// Figures that the system does not report are left out.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(process) = Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            encode_stat(&mut encoder, &stat)?;
        }
        let mut gauge = |name, help, value: i64| {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        if let Ok(count) = process.fd_count() {
            gauge("process_open_fds", "Files and sockets that are open.", count as i64)?;
        }
        if let Ok(limits) = process.limits()
            && let LimitValue::Value(most) = limits.max_open_files.soft_limit
        {
            gauge("process_max_fds", "Files and sockets that may be open.", i64::try_from(most).unwrap_or(i64::MAX))?;
        }
        Ok(())
    }
}

fn encode_stat(encoder: &mut DescriptorEncoder<'_>, stat: &Stat) -> fmt::Result {
    let cpu_seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    let counter = encoder.encode_descriptor(
        "process_cpu_seconds",
        "Processor time that was used, in seconds.",
        None,
        MetricType::Counter,
    )?;
    ConstCounter::new(cpu_seconds).encode(counter)?;
    let mut gauge = |name, help, value: f64| {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
    };
    gauge("process_resident_memory_bytes", "Memory that is held.", stat.rss_bytes().get() as f64)?;
    gauge("process_virtual_memory_bytes", "Addresses that are in use.", stat.vsize as f64)?;
    gauge("process_threads", "Threads that there are.", stat.num_threads as f64)?;
    if let Ok(boot) = procfs::boot_time_secs() {
        let since_boot = stat.starttime as f64 / procfs::ticks_per_second() as f64;
        let help = "The time at which the process was started, in seconds since 1970.";
        gauge("process_start_time_seconds", help, boot as f64 + since_boot)?;
    }
    Ok(())
}
