//! Figures with intervals over days, as paths of an SVG that is stretched to its place. Texts stand beside it, so that
//! they keep their size.

use jiff::civil::Date;
use minijinja::{Value, context};

use crate::live::Bounded;

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Shares, from 0 to a round number of percent.
    Percent,
    /// Differences of shares.
    Points,
}

/// One line of a plot.
pub(super) struct Series {
    /// Its name.
    pub(super) name: String,
    /// Which colour it has, from 0: the same in every plot of a page.
    pub(super) place: usize,
    /// Day and figure, in the order of days.
    pub(super) days: Vec<(String, Bounded)>,
}

/// A plot for `plot.html`; `None` where there is no day.
pub(super) fn plot(series: &[Series], scale: Scale) -> Option<Value> {
    let mut days: Vec<Date> =
        series.iter().flat_map(|series| series.days.iter().filter_map(|(day, _)| day.parse().ok())).collect();
    days.sort_unstable();
    let (first, last) = (*days.first()?, *days.last()?);
    let figures = || series.iter().flat_map(|series| series.days.iter().map(|(_, figure)| figure));
    let top = round_up(figures().map(|figure| figure.upper).fold(0.0, f64::max));
    let lowest = figures().map(|figure| figure.lower).fold(0.0, f64::min);
    let bottom = if lowest < 0.0 { -round_up(-lowest) } else { 0.0 };
    let frame = Frame { first, days: between(first, last), bottom, top };
    let mut ticks = vec![top, f64::midpoint(top, 0.0), 0.0];
    // Two numbers need room between them.
    ticks.extend((-bottom > 0.1 * (top - bottom)).then_some(bottom));
    Some(context! {
        lines => series.iter().map(|series| frame.line(series, scale)).collect::<Vec<_>>(),
        ticks => ticks.into_iter().map(|value| context! { text => tick(value, scale), y => frame.y(value) }).collect::<Vec<_>>(),
        zero => frame.y(0.0),
        first => first.to_string(),
        last => (first != last).then(|| last.to_string()),
    })
}

/// The place of days and values in a square of 100 by 100.
struct Frame {
    first: Date,
    days: f64,
    bottom: f64,
    top: f64,
}

impl Frame {
    fn x(&self, day: Date) -> f64 {
        // A single day stands in the middle; others keep a little room for their dots.
        if self.days == 0.0 { 50.0 } else { 2.0 + 96.0 * between(self.first, day) / self.days }
    }

    fn y(&self, value: f64) -> f64 {
        100.0 * (self.top - value.clamp(self.bottom, self.top)) / (self.top - self.bottom)
    }

    fn line(&self, series: &Series, scale: Scale) -> Value {
        let figures =
            series.days.iter().filter_map(|(day, figure)| Some((day.parse::<Date>().ok()?, figure)));
        let mut points: Vec<(f64, &Bounded)> = figures.map(|(day, figure)| (self.x(day), figure)).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
            let steps = points.enumerate().map(|(number, (x, y))| {
                format!("{}{x:.2} {:.2}", if number == 0 { "M" } else { "L" }, self.y(y))
            });
            steps.collect::<Vec<_>>().join(" ")
        };
        let upper = points.iter().map(|(x, figure)| (*x, figure.upper));
        let lower = points.iter().rev().map(|(x, figure)| (*x, figure.lower));
        // One day alone has no width: its interval is a bar.
        let wide: Vec<(f64, f64)> = match points[..] {
            [(x, figure)] => {
                vec![
                    (x - 1.5, figure.upper),
                    (x + 1.5, figure.upper),
                    (x + 1.5, figure.lower),
                    (x - 1.5, figure.lower),
                ]
            }
            _ => upper.chain(lower).collect(),
        };
        let dots = points.iter().map(|(x, figure)| format!("M{x:.2} {:.2}h0", self.y(figure.point)));
        context! {
            name => series.name.clone(),
            class => format!("arm-{}", series.place % 5),
            band => format!("{} Z", path(&mut wide.into_iter())),
            line => path(&mut points.iter().map(|(x, figure)| (*x, figure.point))),
            dots => dots.collect::<Vec<_>>().join(" "),
            rows => series.days.iter().map(|(day, figure)| context! { day, figure => range(figure, scale) }).collect::<Vec<_>>(),
        }
    }
}

fn between(first: Date, day: Date) -> f64 {
    first.until(day).map_or(0.0, |span| f64::from(span.get_days()))
}

/// The next of 5, 10, 20, 50 and 100 percent.
fn round_up(most: f64) -> f64 {
    [0.05, 0.1, 0.2, 0.5].into_iter().find(|round| most <= *round).unwrap_or(1.0)
}

fn tick(value: f64, scale: Scale) -> String {
    // Half of five is two and a half; all others are whole.
    let digits = usize::from((100.0 * value).fract().abs() > 0.01);
    match scale {
        Scale::Percent => format!("{:.digits$} %", 100.0 * value),
        Scale::Points if value == 0.0 => "0".to_owned(),
        Scale::Points => format!("{:+.digits$}", 100.0 * value),
    }
}

/// A figure with its bounds, in words.
pub(super) fn range(figure: &Bounded, scale: Scale) -> String {
    let Bounded { point, lower, upper } = figure;
    match scale {
        Scale::Percent => format!("{} ({:.0} to {:.0})", percent(*point), 100.0 * lower, 100.0 * upper),
        Scale::Points => {
            format!("{:+.0} points ({:+.0} to {:+.0})", 100.0 * point, 100.0 * lower, 100.0 * upper)
        }
    }
}

/// A share as a percentage; what is little and not nothing is said to be.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.005 { "<1 %".to_owned() } else { format!("{:.0} %", 100.0 * share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(days: &[(&str, f64)]) -> Series {
        let figure = |point: f64| Bounded { point, lower: point - 0.1, upper: point + 0.1 };
        Series {
            name: "injected".to_owned(),
            place: 6,
            days: days.iter().map(|(day, point)| ((*day).to_owned(), figure(*point))).collect(),
        }
    }

    #[test]
    fn a_plot_has_its_days_and_bounds_at_their_places() {
        let plotted = plot(&[series(&[("2026-01-01", 0.4), ("2026-01-05", 0.2)])], Scale::Percent).unwrap();
        let ticks: Vec<String> = plotted
            .get_attr("ticks")
            .unwrap()
            .try_iter()
            .unwrap()
            .map(|tick| format!("{} at {}", tick.get_attr("text").unwrap(), tick.get_attr("y").unwrap()))
            .collect();
        assert_eq!(ticks, ["50 % at 0.0", "25 % at 50.0", "0 % at 100.0"]);
        let line = plotted.get_attr("lines").unwrap().get_item_by_index(0).unwrap();
        assert_eq!(line.get_attr("line").unwrap().to_string(), "M2.00 20.00 L98.00 60.00");
        assert_eq!(
            line.get_attr("band").unwrap().to_string(),
            "M2.00 0.00 L98.00 40.00 L98.00 80.00 L2.00 40.00 Z"
        );
    }

    #[test]
    fn one_day_is_a_bar_and_no_day_no_plot() {
        let plotted = plot(&[series(&[("2026-01-31", -0.3)])], Scale::Points).unwrap();
        let line = plotted.get_attr("lines").unwrap().get_item_by_index(0).unwrap();
        assert!(line.get_attr("band").unwrap().to_string().starts_with("M48.50"));
        assert_eq!(line.get_attr("class").unwrap().to_string(), "arm-1");
        let lowest = plotted.get_attr("ticks").unwrap().get_item_by_index(3).unwrap();
        assert_eq!(lowest.get_attr("text").unwrap().to_string(), "-50");
        assert!(plot(&[series(&[])], Scale::Percent).is_none());
        let shown = [percent(0.0), percent(0.004), percent(0.006), percent(1.0)];
        assert_eq!(shown, ["0 %", "<1 %", "1 %", "100 %"]);
        let ticks =
            [0.05, 0.025, 0.1].map(|value| (tick(value, Scale::Percent), tick(-value, Scale::Points)));
        assert_eq!(ticks.map(|(share, points)| share + " " + &points), ["5 % -5", "2.5 % -2.5", "10 % -10"]);
        assert_eq!(
            range(&Bounded { point: 0.5, lower: 0.25, upper: 0.75 }, Scale::Points),
            "+50 points (+25 to +75)"
        );
    }
}
