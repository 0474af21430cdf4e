//! Recipes: files in `prompts/` that say how items become messages and where these go.
//!
//! Front matter (`placement`, `max_items`, `max_tokens`, `max_per_source`, `max_per_kind`, `order`) over sections that
//! begin with a line `## name`; each section is a minijinja template.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::chat::{without_markers, without_tokens};
use crate::document::{Place, Problem, Table, parse_yaml, split_front_matter};
use crate::knowledge::{Body, Item, Origin, Validity};

/// What one template may cost: far more than any sensible recipe needs.
const TEMPLATE_FUEL: u64 = 100_000;
const DEFAULT_MAX_ITEMS: i64 = 4;
const DEFAULT_MAX_TOKENS: i64 = 500;
/// Items of one source, or of one kind, from which others that pass are preferred.
const DEFAULT_MAX_ALIKE: i64 = 3;

/// Orders to hide or deny that context was given. No recipe may hold one.
const CONCEALMENT: &[&str] = &[
    "do not reveal",
    "don't reveal",
    "never reveal",
    "do not mention that",
    "don't mention that",
    "never mention that",
    "do not disclose",
    "don't disclose",
    "never disclose",
    "keep this secret",
    "pretend",
    "deny that",
    "conceal",
];

/// Where a turn's items go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// User and assistant messages right before the turn: legal for every provider.
    Pairs,
    /// One system message right before the turn: for lenient providers only.
    Message,
    /// Text in front of the turn's own text.
    Inline,
    /// Pairs of the pinned items before the first turn.
    Lead,
}

impl Placement {
    /// Every placement, by the name that recipes give it.
    const NAMED: [(&'static str, Placement); 4] = [
        ("pairs", Placement::Pairs),
        ("message", Placement::Message),
        ("inline", Placement::Inline),
        ("lead", Placement::Lead),
    ];

    /// The placement of a name.
    pub fn from_name(name: &str) -> Option<Placement> {
        Placement::NAMED.iter().find(|(known, _)| *known == name).map(|(_, placement)| *placement)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Placement::NAMED.iter().find(|(_, placement)| *placement == self).map_or("", |(name, _)| name)
    }

    /// The templates that a recipe of this placement must have.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Placement::Pairs | Placement::Lead => {
                &["fact.user", "fact.assistant", "example.user", "example.assistant"]
            }
            Placement::Message => &["message"],
            Placement::Inline => &["text"],
        }
    }
}

/// The order in which chosen items are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The best item stands right before the question.
    RelevantLast,
    /// The best item stands first.
    RelevantFirst,
    /// One of the orders of so many items, numbered from the best first (0) to the best last, modulo their number.
    Permutation(usize),
}

impl Order {
    /// Puts items, best first, into this order.
    pub fn arrange<T>(self, best_first: Vec<T>) -> Vec<T> {
        match self {
            Order::RelevantFirst => best_first,
            Order::RelevantLast => best_first.into_iter().rev().collect(),
            Order::Permutation(number) => permutation(best_first, number),
        }
    }
}

/// The permutation of this number in lexicographic order (Lehmer code).
fn permutation<T>(mut left: Vec<T>, number: usize) -> Vec<T> {
    let mut choices: Vec<usize> = Vec::with_capacity(left.len());
    let mut rest = number;
    for remaining in 1..=left.len() {
        choices.push(rest % remaining);
        rest /= remaining;
    }
    choices.into_iter().rev().map(|choice| left.remove(choice)).collect()
}

/// How items become messages.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The file's stem.
    pub name: String,
    /// Where the items go.
    pub placement: Placement,
    /// Most items a turn.
    pub max_items: usize,
    /// Most tokens a turn.
    pub max_tokens: u32,
    /// Items of one source from which others are preferred.
    pub max_per_source: usize,
    /// Facts, or examples, from which the other kind is preferred.
    pub max_per_kind: usize,
    /// Order of the items.
    pub order: Order,
    /// Hash of the file.
    pub hash: blake3::Hash,
    templates: Arc<Environment<'static>>,
}

/// A template failed on an item.
#[derive(Debug, thiserror::Error)]
#[error("recipe `{recipe}` cannot tell item `{item}`")]
pub struct RenderError {
    recipe: String,
    item: String,
    source: minijinja::Error,
}

/// What a template sees of an item of a brand, which it knows by its canonical spelling. None of it can speak for
/// somebody else: labels that say who speaks and special tokens of chat templates are taken apart.
fn view(item: &Item, brand: &str) -> Value {
    let list = |texts: &[String]| texts.iter().map(|text| without_markers(text)).collect::<Value>();
    let (kind, context) = match &item.body {
        Body::Fact { context, .. } => ("fact", list(context)),
        Body::Example { .. } => ("example", list(&[])),
    };
    // Both pairs of names mean the same two texts, so that a template may be written for either kind.
    context! {
        kind,
        brand => without_markers(brand),
        context,
        title => without_markers(item.title()),
        text => without_markers(item.text()),
        question => without_markers(item.title()),
        answer => without_markers(item.text()),
        language => item.language.as_deref().map_or("", |tag| tag.split(['-', '_']).next().unwrap_or_default()),
        source => without_markers(item.source.as_deref().unwrap_or_default()),
        tags => list(&item.tags),
    }
}

impl Recipe {
    /// The user's and the assistant's text of an item under `pairs` and `lead`.
    pub(super) fn pair(&self, item: &Item, brand: &str) -> Result<(String, String), RenderError> {
        let kind = match item.body {
            Body::Fact { .. } => "fact",
            Body::Example { .. } => "example",
        };
        let view = view(item, brand);
        let render = |part: &str| {
            self.template(&format!("{kind}.{part}"), context! { item => view.clone() })
                .map_err(|source| self.error(item, source))
        };
        Ok((render("user")?, render("assistant")?))
    }

    /// The text of several items under `message` and `inline`.
    pub(super) fn block(&self, items: &[(&Item, &str)]) -> Result<String, RenderError> {
        let part = self.placement.parts()[0];
        let views: Value = items.iter().map(|(item, brand)| view(item, brand)).collect();
        self.template(part, context! { items => views }).map_err(|source| RenderError {
            recipe: self.name.clone(),
            item: items.iter().map(|(item, _)| &*item.id).collect::<Vec<_>>().join(", "),
            source,
        })
    }

    fn template(&self, part: &str, values: Value) -> Result<String, minijinja::Error> {
        let rendered = self.templates.get_template(part)?.render(values)?;
        // Once more over the whole: two texts that a template puts side by side can make a token together.
        let text = without_tokens(rendered.trim()).into_owned();
        if text.is_empty() {
            // Some providers refuse a message without text.
            let reason = format!("the section `{part}` says nothing");
            return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, reason));
        }
        Ok(text)
    }

    fn error(&self, item: &Item, source: minijinja::Error) -> RenderError {
        RenderError { recipe: self.name.clone(), item: item.id.clone(), source }
    }
}

/// Reads every recipe of a folder. What is wrong with one does not hide the others.
pub fn load_recipes(folder: &Path) -> (BTreeMap<String, Arc<Recipe>>, Vec<Problem>) {
    let mut recipes = BTreeMap::new();
    let mut problems = Vec::new();
    for file in recipe_files(folder, &mut problems) {
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                if let Some(recipe) = parse(&file, &text, &mut problems) {
                    recipes.insert(recipe.name.clone(), Arc::new(recipe));
                }
            }
            Err(error) => problems.push(
                Problem::error(&file, format!("the recipe cannot be read: {error}"))
                    .hint("make it a readable UTF-8 file"),
            ),
        }
    }
    (recipes, problems)
}

fn recipe_files(folder: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(
                Problem::error(folder, format!("the folder of recipes cannot be read: {error}"))
                    .hint("`foreword init DIR` writes the standard recipes"),
            );
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| {
            path.file_stem().is_some_and(|stem| stem != "README" && !stem.to_string_lossy().starts_with('.'))
        })
        .collect();
    files.sort();
    if files.is_empty() {
        problems.push(
            Problem::error(folder, "the folder holds no recipe")
                .hint("`foreword init DIR` writes the standard recipes"),
        );
    }
    files
}

/// One section of a recipe file.
struct Section<'a> {
    name: &'a str,
    /// Byte range of the name in the file.
    span: std::ops::Range<usize>,
    body: &'a str,
    offset: usize,
}

fn parse(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Option<Recipe> {
    let before = problems.iter().filter(|problem| problem.is_error()).count();
    let source: Arc<str> = text.into();
    let place = |span| Place { text: Arc::clone(&source), span };
    let (front, body) = match split_front_matter(text) {
        Ok(Some(parts)) => parts,
        Ok(None) | Err(_) => {
            problems.push(
                Problem::error(file, "the recipe does not begin with front matter")
                    .at(place(0..text.lines().next().map_or(0, str::len)))
                    .hint("begin the file with `---`, `placement: pairs`, `---`"),
            );
            return None;
        }
    };
    let node = match parse_yaml(&text[front.clone()], front.start) {
        Ok(node) => node,
        Err(fault) => {
            problems.push(fault.into_problem(file, &source));
            return None;
        }
    };
    let mut table = Table::new(&node, file, &source, problems);
    let placement = table.choice("placement", &Placement::NAMED).unwrap_or(Placement::Pairs);
    let order = table
        .choice("order", &[("relevant-last", Order::RelevantLast), ("relevant-first", Order::RelevantFirst)])
        .unwrap_or(Order::RelevantLast);
    let max_items = table.integer_within("max_items", 1..=32).unwrap_or(DEFAULT_MAX_ITEMS);
    let max_tokens = table.integer_within("max_tokens", 1..=100_000).unwrap_or(DEFAULT_MAX_TOKENS);
    let mut at_most = |key| table.integer_within(key, 1..=32).unwrap_or(DEFAULT_MAX_ALIKE);
    let (max_per_source, max_per_kind) = (at_most("max_per_source"), at_most("max_per_kind"));
    table.finish();

    let templates = compile(file, &place, sections(text, body), placement, problems);
    let recipe = Recipe {
        name: file.file_stem()?.to_string_lossy().into_owned(),
        placement,
        max_items: usize::try_from(max_items).ok()?,
        max_tokens: u32::try_from(max_tokens).ok()?,
        max_per_source: usize::try_from(max_per_source).ok()?,
        max_per_kind: usize::try_from(max_per_kind).ok()?,
        order,
        hash: blake3::hash(text.as_bytes()),
        templates: Arc::new(templates),
    };
    let after = problems.iter().filter(|problem| problem.is_error()).count();
    if before != after {
        return None;
    }
    // A template may be well-formed and still fail on an item: both kinds are tried now, so that no
    // request is the first to find out.
    match try_out(&recipe) {
        Ok(()) => Some(recipe),
        Err(error) => {
            let reason = error.source;
            problems.push(Problem::error(file, format!("the recipe fails on a sample item: {reason}")).hint(
                "templates see `item` (kind, brand, title, context, text, question, answer, source, tags)",
            ));
            None
        }
    }
}

fn sections(text: &str, body: std::ops::Range<usize>) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut offset = body.start;
    for line in text[body].split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("## ") {
            let name = name.trim();
            let start = offset + 3;
            sections.push(Section {
                name,
                span: start..start + name.len(),
                body: "",
                offset: offset + line.len(),
            });
        } else if let Some(section) = sections.last_mut() {
            section.body = &text[section.offset..offset + line.len()];
        }
        offset += line.len();
    }
    sections
}

fn compile(
    file: &Path,
    place: &dyn Fn(std::ops::Range<usize>) -> Place,
    sections: Vec<Section<'_>>,
    placement: Placement,
    problems: &mut Vec<Problem>,
) -> Environment<'static> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_fuel(Some(TEMPLATE_FUEL));
    let wanted = placement.parts();
    let mut seen: Vec<&str> = Vec::new();
    for section in sections {
        if !wanted.contains(&section.name) || seen.contains(&section.name) {
            let what =
                if seen.contains(&section.name) { "stands twice" } else { "is not part of this placement" };
            problems.push(
                Problem::error(file, format!("the section `{}` {what}", section.name))
                    .at(place(section.span))
                    .hint(format!("this placement has the sections {}", wanted.join(", "))),
            );
            continue;
        }
        if let Some(at) = concealment(section.body) {
            problems.push(
                Problem::error(file, "the recipe tells the model to hide what it was given")
                    .at(place(section.offset + at.start..section.offset + at.end))
                    .hint("take the sentence out: whoever asks is to be told the truth"),
            );
        }
        if let Err(error) = templates.add_template_owned(section.name.to_owned(), section.body.to_owned()) {
            let inner = error.range().unwrap_or(0..section.body.trim_end().len());
            problems.push(
                Problem::error(file, format!("the template does not parse: {error}"))
                    .at(place(section.offset + inner.start..section.offset + inner.end))
                    .hint("see the template syntax of Jinja: {{ item.text }}, {% for item in items %} ... {% endfor %}"),
            );
        }
        seen.push(section.name);
    }
    for missing in wanted.iter().filter(|part| !seen.contains(part)) {
        problems.push(
            Problem::error(file, format!("the section `{missing}` is missing"))
                .hint(format!("add a line `## {missing}` with the template under it")),
        );
    }
    templates
}

/// The first order to conceal something in a template.
fn concealment(template: &str) -> Option<std::ops::Range<usize>> {
    let lower = template.to_ascii_lowercase();
    CONCEALMENT.iter().find_map(|phrase| lower.find(phrase).map(|at| at..at + phrase.len()))
}

fn try_out(recipe: &Recipe) -> Result<(), RenderError> {
    let sample = |body| Item {
        id: "sample".to_owned(),
        body,
        tags: vec!["tag".to_owned()],
        source: Some("https://example.com".to_owned()),
        language: None,
        validity: Validity::default(),
        pinned: false,
        audience: Vec::new(),
        origin: Origin { file: PathBuf::new(), line: 1 },
    };
    let text = || "text".to_owned();
    let fact = sample(Body::Fact { title: text(), context: vec![text()], text: text() });
    let example = sample(Body::Example { question: text(), answer: text() });
    match recipe.placement {
        Placement::Pairs | Placement::Lead => {
            recipe.pair(&fact, "Brand")?;
            recipe.pair(&example, "Brand")?;
        }
        Placement::Message | Placement::Inline => {
            recipe.block(&[(&fact, "Brand"), (&example, "Brand")])?;
        }
    }
    Ok(())
}
