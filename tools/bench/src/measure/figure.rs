//! The kinds of numbers that are measured, with names and units.

/// One kind of number.
#[derive(Debug, PartialEq, Eq)]
pub struct Figure {
    /// Its name in JSON.
    pub key: &'static str,
    /// Its name in tables, with the unit.
    pub label: &'static str,
    /// The number of digits after the point.
    pub digits: usize,
}

/// The numbers of one round.
#[derive(Debug, Default)]
pub struct Sample {
    /// The numbers, in the order in which they are shown.
    pub figures: Vec<(&'static Figure, f64)>,
    /// The faults, in words. A round that has any is no result.
    pub faults: Vec<String>,
}

impl Sample {
    pub(crate) fn add(&mut self, figure: &'static Figure, value: f64) {
        self.figures.push((figure, value));
    }

    /// Returns a number, if it was measured.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|(figure, _)| figure.key == key).map(|(_, value)| *value)
    }
}

macro_rules! figures {
    ($($name:ident $key:literal $label:literal $digits:literal)*) => {
        $(pub(crate) static $name: Figure = Figure { key: $key, label: $label, digits: $digits };)*
    };
}

figures! {
    DELIVERIES "deliveries_per_second" "deliveries/s" 0
    DELAY_P50 "delay_p50_us" "delay p50, us" 0
    DELAY_P99 "delay_p99_us" "delay p99, us" 0
    DELAY_MAX "delay_max_us" "delay max, us" 0
    CPU_DELIVERY "cpu_us_per_delivery" "server CPU us per delivery" 2
    CPU_MILLION "cpu_s_per_million" "server CPU s per million deliveries" 2
    RSS "rss_mib" "server RSS, MiB" 1
    CONNECTION "kib_per_connection" "KiB per connection (RSS)" 2
    CONNECTION_PSS "kib_pss_per_connection" "KiB per connection (Pss)" 2
    USED "kib_per_connection_used" "KiB per connection after use (RSS)" 2
    USED_PSS "kib_pss_per_connection_used" "KiB per connection after use (Pss)" 2
    WIRE "wire_bytes_per_message" "bytes on the wire per message" 1
    REQUESTS "requests_per_message" "requests per message" 3
    BEHIND "publish_behind_ms" "publications late by, ms" 1
    GENERATOR "generator_cpu_percent" "generator's CPU, %" 0
    SERVER_LOAD "server_cpu_percent" "server's CPU, %" 0
    MISSING "missing" "missing messages" 0
    REPEATED "repeated" "repeated messages" 0
    DISORDER "out_of_order" "messages out of order" 0
    MESSAGES "messages_per_second" "messages/s" 0
    CPU_MESSAGE "cpu_us_per_message" "server CPU us per message" 2
    CONNECTS "connections_per_second" "connections/s" 0
    CONNECT_P50 "connect_p50_us" "until answered p50, us" 0
    CONNECT_P99 "connect_p99_us" "until answered p99, us" 0
    CONNECT_MAX "connect_max_us" "until answered max, us" 0
    PUBLICATIONS "publications_per_second" "confirmed publications/s" 0
    CONFIRM_P50 "confirm_p50_us" "until confirmed p50, us" 0
    CONFIRM_P99 "confirm_p99_us" "until confirmed p99, us" 0
    CONFIRM_MAX "confirm_max_us" "until confirmed max, us" 0
    CPU_PUBLICATION "cpu_us_per_publication" "server CPU us per publication" 1
    STORED "stored" "found in the history afterwards" 0
    READY "ready_ms" "until ready, ms" 0
    CPU_CONNECT "cpu_us_per_connection" "server CPU us per connection" 1
    QUIET_P50 "quiet_delay_p50_us" "delay p50 before the attack, us" 0
    QUIET_P99 "quiet_delay_p99_us" "delay p99 before the attack, us" 0
    QUIET_MAX "quiet_delay_max_us" "delay max before the attack, us" 0
    P99_RATIO "delay_p99_ratio" "delay p99 / p99 before" 1
    REFUSED "publications_refused" "publications refused" 0
    QUIET_PROBE_P50 "quiet_probe_p50_us" "/livez p50 before the attack, us" 0
    QUIET_PROBE_P99 "quiet_probe_p99_us" "/livez p99 before the attack, us" 0
    QUIET_PROBE_MAX "quiet_probe_max_us" "/livez max before the attack, us" 0
    PROBE_P50 "probe_p50_us" "/livez p50, us" 0
    PROBE_P99 "probe_p99_us" "/livez p99, us" 0
    PROBE_MAX "probe_max_us" "/livez max, us" 0
    PROBES "probes" "/livez answered" 0
    PROBES_FAILED "probes_failed" "/livez not answered" 0
    RSS_BEFORE "rss_before_mib" "server RSS before, MiB" 1
    RSS_PEAK "rss_peak_mib" "server RSS peak, MiB" 1
    RSS_AFTER "rss_after_mib" "server RSS after, MiB" 1
    DESCRIPTORS_BEFORE "descriptors_before" "descriptors before" 0
    DESCRIPTORS_PEAK "descriptors_peak" "descriptors peak" 0
    DESCRIPTORS_AFTER "descriptors_after" "descriptors after" 0
    SOCKETS_BEFORE "socket_memory_before_mib" "socket memory before, MiB" 1
    SOCKETS_PEAK "socket_memory_peak_mib" "socket memory peak, MiB" 1
    SOCKETS_AFTER "socket_memory_after_mib" "socket memory after, MiB" 1
    REST "rest_s" "rest after the attack, s" 1
    ATTACK_CONNECTIONS "attack_connections" "connections of the attack" 0
    ATTACK_ANSWERS "attack_answers" "requests of the attack that were served" 0
    ATTACK_REFUSALS "attack_refusals" "requests of the attack that were refused" 0
    ATTACK_ENDED "attack_ended" "connections of the attack that the server ended" 0
    DRAIN "drain_s" "--drain, s" 2
    EXIT "exit_s" "SIGTERM to exit, s" 2
}
