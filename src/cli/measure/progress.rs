//! How far a run has come: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::print::err;
use crate::measure::experiment::Event;

/// Between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    /// Answers that were there before.
    before: Option<usize>,
    told: Option<Instant>,
    has_prices: bool,
}

impl Progress {
    pub(super) fn new(has_prices: bool) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Progress { bar, begun: Instant::now(), before: None, told: None, has_prices }
    }

    pub(super) fn tell(&mut self, event: &Event) {
        let before = *self.before.get_or_insert(event.done);
        let words = self.words(event, before);
        if let Some(bar) = &self.bar {
            bar.set_length(event.all as u64);
            bar.set_position(event.done as u64);
            bar.set_message(words);
        } else if self.told.is_none_or(|told| told.elapsed() >= BETWEEN_LINES) || event.done == event.all {
            self.told = Some(Instant::now());
            err(&format!("{} of {} answers, {words}\n", event.done, event.all));
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn words(&self, event: &Event, before: usize) -> String {
        let mut words =
            format!("{} on their way, {} missing, {} tokens", event.in_flight, event.missing, event.tokens);
        if self.has_prices {
            words.push_str(&format!(", cost {:.4}", event.cost));
        }
        let done = event.done - before;
        if done > 0 && event.done < event.all {
            let left = self.begun.elapsed().mul_f64((event.all - event.done) as f64 / done as f64);
            words.push_str(&format!(", about {} left", time(left)));
        }
        if event.paused {
            words.push_str(", the endpoint asks to wait");
        }
        if let Some((reason, failed)) = &event.trouble {
            let attempts = if *failed == 1 { "attempt" } else { "attempts" };
            words.push_str(&format!("; {failed} {attempts} failed, the last: {}", reason.explain()));
        }
        words
    }
}

fn time(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..=90 => format!("{seconds} s"),
        seconds @ 91..=5_400 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{:.1} h", seconds as f64 / 3_600.0),
    }
}
