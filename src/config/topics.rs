//! The section `[topics]`.

use super::reader::Reader;
use crate::snapshot::TopicSettings;
use crate::topics::built_in;

/// The topics that nothing is told into.
pub(super) fn topics(reader: &mut Reader) -> TopicSettings {
    let defaults = TopicSettings::default();
    let never = reader.list("topics.never").unwrap_or(defaults.never);
    let names: Vec<&str> = built_in().iter().map(|topic| &*topic.name).collect();
    if let Some(unknown) = never.iter().find(|name| !names.contains(&name.as_str())) {
        reader.problem(
            "topics.never",
            &format!(
                "names `{unknown}`; the topics are {}; those of a brand stand in its brand.toml",
                names.join(", ")
            ),
        );
    }
    let likeness = match reader.text("topics.likeness").as_deref() {
        Some("off") => 2.0,
        _ => reader.fraction("topics.likeness", defaults.likeness),
    };
    let margin = reader.parsed("topics.margin", defaults.margin, "a number");
    if !margin.is_finite() {
        reader.problem("topics.margin", "must be a finite number");
    }
    TopicSettings { never, likeness, margin }
}
