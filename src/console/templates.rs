//! The templates of the pages, built into the binary. All text is escaped.

use std::sync::LazyLock;

use http::StatusCode;
use minijinja::{AutoEscape, Environment, Value, context};

use super::form::encode;
use super::reply::{Reply, page};

const PAGES: [(&str, &str); 17] = [
    ("layout.html", include_str!("pages/layout.html")),
    ("problems.html", include_str!("pages/problems.html")),
    ("live.html", include_str!("pages/live.html")),
    ("experiments.html", include_str!("pages/experiments.html")),
    ("requests.html", include_str!("pages/requests.html")),
    ("receipt_rows.html", include_str!("pages/receipt_rows.html")),
    ("rows.html", include_str!("pages/rows.html")),
    ("receipt.html", include_str!("pages/receipt.html")),
    ("overview.html", include_str!("pages/overview.html")),
    ("try.html", include_str!("pages/try.html")),
    ("decision.html", include_str!("pages/decision.html")),
    ("knowledge.html", include_str!("pages/knowledge.html")),
    ("brand.html", include_str!("pages/brand.html")),
    ("measure.html", include_str!("pages/measure.html")),
    ("report.html", include_str!("pages/report.html")),
    ("sign_in.html", include_str!("pages/sign_in.html")),
    ("message.html", include_str!("pages/message.html")),
];

static TEMPLATES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_filter("query", |text: &str| encode(text));
    templates.add_filter("score", |score: f64| format!("{score:.3}"));
    templates.add_filter("thousands", |number: u64| thousands(number));
    templates.add_filter("short", |number: u64| short(number));
    templates.add_filter("plural", |number: u64, one: &str, many: &str| {
        format!("{} {}", thousands(number), if number == 1 { one } else { many })
    });
    for (name, text) in PAGES {
        templates.add_template(name, text)?;
    }
    Ok(templates)
});

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number for a small place: from a hundred thousand on in thousands, then in millions.
fn short(number: u64) -> String {
    match number {
        0..100_000 => thousands(number),
        100_000..1_000_000 => format!("{} k", number / 1_000),
        _ => format!("{:.1} M", number as f64 / 1e6),
    }
}

/// A page made of a template. `here` names its place in the navigation.
pub(super) fn show(status: StatusCode, template: &str, here: &str, values: Value) -> Reply {
    let rendered = TEMPLATES.as_ref().map_err(ToString::to_string).and_then(|templates| {
        let values = context! { here, version => env!("CARGO_PKG_VERSION"), ..values };
        let page = templates.get_template(template).and_then(|template| template.render(values));
        page.map_err(|error| format!("{error:#}"))
    });
    match rendered {
        Ok(html) => page(status, html),
        Err(error) => {
            tracing::error!(error, template, "a page of the console cannot be made");
            let html =
                "<!doctype html><title>foreword</title><p>This page cannot be made; the log says why.</p>";
            page(StatusCode::INTERNAL_SERVER_ERROR, html.to_owned())
        }
    }
}

/// A page that says one thing.
pub(super) fn message(status: StatusCode, title: &str, lines: &[&'static str]) -> Reply {
    show(status, "message.html", "", context! { title, lines => lines.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        for (number, long, brief) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (31_990, "31,990", "31,990"),
            (358_188, "358,188", "358 k"),
            (999_999, "999,999", "999 k"),
            (3_581_885, "3,581,885", "3.6 M"),
        ] {
            assert_eq!((thousands(number), short(number)), (long.to_owned(), brief.to_owned()));
        }
    }
}
