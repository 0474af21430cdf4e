//! The counts of a process read back, for a page that shows them.

use super::registry::Metrics;

/// One value with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name without `foreword_`.
    pub name: String,
    /// The labels in their order. None of ours holds a quote or a comma.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

/// Everything that is counted, at one instant.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Sample>);

impl Metrics {
    /// Reads all values. Costs as much as one scrape.
    pub fn samples(&self) -> Samples {
        let text = self.render().unwrap_or_default();
        Samples(text.lines().filter(|line| !line.starts_with('#')).filter_map(read).collect())
    }
}

fn read(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let label = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((key.to_owned(), value.trim_matches('"').to_owned()))
    };
    Some(Sample {
        name: name.strip_prefix("foreword_")?.to_owned(),
        labels: labels.trim_end_matches('}').split(',').filter_map(label).collect(),
        value: value.parse().ok()?,
    })
}

impl Samples {
    /// The value without labels; 0 where there is none.
    pub fn value(&self, name: &str) -> f64 {
        self.of(name).map(|sample| sample.value).sum()
    }

    /// The values of a name by one label, most first.
    pub fn by(&self, name: &str, label: &str) -> Vec<(String, f64)> {
        let mut values: Vec<(String, f64)> = Vec::new();
        for sample in self.of(name) {
            let Some((_, key)) = sample.labels.iter().find(|(key, _)| key == label) else { continue };
            match values.iter_mut().find(|(known, _)| known == key) {
                Some((_, sum)) => *sum += sample.value,
                None => values.push((key.clone(), sample.value)),
            }
        }
        values.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values
    }

    /// The upper bound of the bucket below which this share of a histogram lies; `None` where it is empty or the
    /// share lies above all bounds.
    pub fn quantile(&self, name: &str, share: f64) -> Option<f64> {
        let all = self.value(&format!("{name}_count"));
        let buckets = self.by(&format!("{name}_bucket"), "le");
        let mut bounds: Vec<(f64, f64)> =
            buckets.iter().filter_map(|(bound, count)| Some((bound.parse().ok()?, *count))).collect();
        bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let reached = bounds.into_iter().find(|(_, count)| all > 0.0 && *count >= share * all);
        reached.map(|(bound, _)| bound).filter(|bound| bound.is_finite())
    }

    fn of<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Ending, Route};

    #[test]
    fn what_is_counted_can_be_read_back() {
        let metrics = Metrics::new();
        for milliseconds in [1, 1, 1, 300] {
            metrics.decided("injected", 2, 100, Duration::from_millis(milliseconds));
        }
        metrics.decided("below_threshold", 0, 0, Duration::from_micros(1));
        metrics.request_ended(Route::Chat, 200, Ending::Complete);
        let samples = metrics.samples();
        assert_eq!(samples.value("injected_tokens_total"), 400.0);
        let by_reason = samples.by("decisions_total", "decision");
        assert_eq!(by_reason, [("injected".to_owned(), 4.0), ("below_threshold".to_owned(), 1.0)]);
        assert_eq!(samples.quantile("plan_duration_seconds", 0.5), Some(0.001));
        assert_eq!(samples.quantile("plan_duration_seconds", 0.95), Some(1.0));
        assert_eq!(samples.quantile("upstream_first_byte_duration_seconds", 0.5), None);
        assert_eq!(samples.by("requests_total", "status"), [("2xx".to_owned(), 1.0)]);
    }
}
