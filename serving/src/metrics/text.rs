//! The text format of Prometheus before OpenMetrics, version 0.0.4.

use std::fmt::Write;

/// Turns a text of OpenMetrics into one of the older format: there, the names of counters end in `_total` in their descriptions too, and
/// neither units nor the end of the text are marked.
pub(super) fn of_prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut lines = openmetrics.lines().peekable();
    while let Some(line) = lines.next() {
        // The help of a metric comes before its type, which decides on its name.
        let (help, kind) = match line.strip_prefix("# HELP ") {
            Some(help) => (Some(help), lines.next_if(|next| next.starts_with("# TYPE "))),
            None => (None, Some(line)),
        };
        let described = kind.and_then(|kind| kind.strip_prefix("# TYPE ")?.split_once(' '));
        let (ending, kind) = match described {
            Some((_, "counter")) => ("_total", "counter"),
            Some((_, "info")) => ("_info", "gauge"),
            Some((_, kind)) => ("", kind),
            None if line == "# EOF" || line.starts_with("# UNIT ") => continue,
            None => {
                text.push_str(line);
                text.push('\n');
                continue;
            }
        };
        let name = described.map_or("", |(name, _)| name);
        // An error would mean that memory takes no more.
        if let Some((_, help)) = help.and_then(|help| help.split_once(' ')) {
            let _ = writeln!(text, "# HELP {name}{ending} {help}");
        }
        let _ = writeln!(text, "# TYPE {name}{ending} {kind}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_counters_end_as_their_samples_do() {
        let openmetrics = "# HELP a_seconds Help of a.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n\
            # HELP b Help.\n# TYPE b gauge\nb{c=\"d\"} 2\n# HELP e Help.\n# TYPE e info\ne_info{v=\"1\"} 1\n\
            # HELP h Help.\n# TYPE h histogram\nh_sum 0.0\nh_bucket{le=\"+Inf\"} 0\n# EOF\n";
        let expected = "# HELP a_seconds_total Help of a.\n# TYPE a_seconds_total counter\na_seconds_total 1\n\
            # HELP b Help.\n# TYPE b gauge\nb{c=\"d\"} 2\n# HELP e_info Help.\n# TYPE e_info gauge\ne_info{v=\"1\"} 1\n\
            # HELP h Help.\n# TYPE h histogram\nh_sum 0.0\nh_bucket{le=\"+Inf\"} 0\n";
        assert_eq!(of_prometheus(openmetrics), expected);
    }
}
