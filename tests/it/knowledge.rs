//! Knowledge folders: what becomes an item, and what is said of what does not.

use std::fs;
use std::path::Path;

use foreword::document::{Problem, Severity, parse_yaml};
use foreword::knowledge::{Body, Item, Limits, Loaded, load};
use jiff::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

/// A knowledge folder with one brand and these files besides.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "acme/brand.toml", b"name = \"Acme\"");
    for (name, bytes) in files {
        write(root.path(), name, bytes);
    }
    root
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn load_files(files: &[(&str, &[u8])]) -> Loaded {
    load(folder(files).path(), &Limits::default(), now())
}

fn items(files: &[(&str, &[u8])]) -> Vec<Item> {
    let loaded = load_files(files);
    let errors: Vec<&Problem> =
        loaded.problems.iter().filter(|problem| problem.severity > Severity::Note).collect();
    assert!(errors.is_empty(), "{errors:?}");
    loaded.knowledge.brands[0].items.iter().map(|item| Item::clone(item)).collect()
}

/// `id | title or question | text or answer`, a line an item.
fn shown(text: &str) -> String {
    let lines = items(&[("acme/a.md", text.as_bytes())]);
    lines.iter().map(|item| format!("{} | {} | {}\n", item.id, item.title(), item.text())).collect()
}

#[test]
fn markdown_becomes_facts_and_examples() {
    insta::assert_snapshot!(shown("\
Before any heading.

# Anvils

Made of **steel**, see [the shop](https://example.com).

## Feather {#feather}

Light.
Source: https://example.com/feather
Tags: light, new

Q: Which anvil
is light?
A: The *Feather*.

It weighs little.

```
# no heading
Q: no question
```

# Forge
A setext heading
----------------
- one
- two
"), @"
    acme/a#a | a | Before any heading.
    acme/a#a-setext-heading | A setext heading | - one
    - two
    acme/a#anvils | Anvils | Made of steel, see the shop.
    acme/a#q-which-anvil-is-light | Which anvil is light? | The Feather.

    It weighs little.

    # no heading
    Q: no question
    acme/feather | Feather | Light.
    ");
}

#[test]
fn sources_tags_and_context_belong_to_their_item() {
    let text = b"---\ntags: [all]\nsource: https://example.com\nlanguage: en\npinned: true\naudience: staff\nvalid_from: 2026-01-01\n---\n# A\n\nText.\n\n## B\n\nText.\nSource: own\nTags: x, y\n";
    let items = items(&[("acme/a.md", text)]);
    let [a, b] = &items[..] else { panic!("{items:?}") };
    assert_eq!((a.source.as_deref(), &a.tags[..]), (Some("https://example.com"), &["all".to_owned()][..]));
    assert_eq!((b.source.as_deref(), b.tags.join(",").as_str()), (Some("own"), "all,x,y"));
    let Body::Fact { context, .. } = &b.body else { panic!("{b:?}") };
    assert_eq!(context, &["A"]);
    assert!(a.pinned && a.language.as_deref() == Some("en") && a.audience == ["staff"]);
    assert_eq!(a.validity.from.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!((a.origin.line, b.origin.line), (9, 13));
}

#[test]
fn bulk_files_hold_the_same_items() {
    let fact = ("acme/a.", "Anvil", "It is heavy.");
    for (extension, text) in [
        ("yaml", "- title: Anvil\n  text: It is heavy.\n"),
        ("yml", "items:\n  - id: x\n    title: Anvil\n    text: |\n      It is heavy.\n"),
        ("jsonl", "{\"title\":\"Anvil\",\"text\":\"It is heavy.\"}\n\n"),
        ("csv", "title,text,tags\nAnvil,It is heavy.,a;b\n"),
        ("csv", "title,text\n\"Anvil\",\"It is heavy.\"\n"),
    ] {
        let items = items(&[(&format!("{}{extension}", fact.0), text.as_bytes())]);
        assert_eq!((items[0].title(), items[0].text()), (fact.1, fact.2), "{extension}");
    }
    let examples =
        items(&[("acme/deep/er/faq.csv", b"question,answer\nHow heavy?,\"Very, very\nheavy.\"\n")]);
    assert_eq!(examples[0].id, "acme/deep/er/faq#q-how-heavy");
    assert_eq!(examples[0].text(), "Very, very\nheavy.");
}

/// Each file is wrong in one way; what is said of it begins with this severity and holds this text.
const WRONG: &[(&str, &[u8], Severity, &str)] = &[
    (
        "acme/a.md",
        b"# T\n\nx\n\n# T\n\ny\n",
        Severity::Error,
        "a.md:5:1: error: the id `acme/a#t` is taken by the item at",
    ),
    (
        "acme/a.md",
        b"# Empty\n",
        Severity::Warning,
        "a.md:1:1: warning: there is nothing under the heading `Empty`",
    ),
    (
        "acme/a.md",
        b"# T\n\nfine \xff\n",
        Severity::Error,
        "a.md:3:6: error: the file is not UTF-8 from byte 10 on",
    ),
    ("acme/a.md", "\u{feff}# T\n\nx\n".as_bytes(), Severity::Note, "byte order mark"),
    ("acme/a.md", b"# T\r\n\r\nx\r\n", Severity::Note, "CRLF"),
    (
        "acme/a.md",
        b"---\nsorce: x\n---\n# T\n\nx\n",
        Severity::Warning,
        "a.md:2:1: warning: there is no key `sorce`; did you mean `source`?",
    ),
    (
        "acme/a.md",
        "---\nlanguage: é\nvalid_until: soon\n---\n# T\n\nx\n".as_bytes(),
        Severity::Error,
        "a.md:3:14: error: `valid_until` must be a date",
    ),
    (
        "acme/a.md",
        b"---\nvalid_until: 2026-01-01\n---\n# T\n\nx\n",
        Severity::Note,
        "a.md:4:1: note: the item has expired at 2026-01-01",
    ),
    (
        "acme/a.md",
        b"---\nvalid_from: 2027-01-01\n---\n# T\n\nx\n",
        Severity::Note,
        "the item is not valid before 2027-01-01",
    ),
    (
        "acme/a.md",
        b"---\nvalid_from: 2027-01-01\nvalid_until: 2026-01-01\n---\n# T\n\nx\n",
        Severity::Error,
        "a.md:3:14: error: the item ends before it begins",
    ),
    ("acme/a.md", b"---\ntags: [a\n---\n# T\n\nx\n", Severity::Error, "error: not YAML"),
    ("acme/a.md", b"---\n# T\n\nx\n", Severity::Error, "a.md:1:1: error: the front matter does not end"),
    (
        "acme/a.md",
        b"---\n- a\n---\n# T\n\nx\n",
        Severity::Error,
        "this is a list, and must be keys with values",
    ),
    ("acme/a.md", b"# T\n\nQ: why?\n", Severity::Error, "a.md:3:1: error: a question without an answer"),
    ("acme/a.md", b"# T\n\nA: so.\n", Severity::Error, "a.md:3:1: error: an answer without a question"),
    (
        "acme/a.yaml",
        b"- title: T\n",
        Severity::Error,
        "a.yaml:1:3: error: the item is neither a fact nor an example",
    ),
    ("acme/a.yaml", b"name: x\n", Severity::Error, "the file is no list of items"),
    ("acme/a.yaml", b"- title: T\n  title: U\n  text: x\n", Severity::Error, "error: not YAML"),
    (
        "acme/a.yaml",
        b"- id: e\n  title: ''\n  text: x\n",
        Severity::Warning,
        "the item is empty and is left out",
    ),
    (
        "acme/a.jsonl",
        b"{\"title\":\"T\",\"text\":\"x\"}\n{\"title\":}\n",
        Severity::Error,
        "a.jsonl:2:10: error: not JSON",
    ),
    (
        "acme/a.jsonl",
        b"{\"title\":\"T\",\"text\":\"x\",\"tittle\":1}\n",
        Severity::Warning,
        "did you mean `title`?",
    ),
    (
        "acme/a.csv",
        b"title,text\na,b\nc\n",
        Severity::Error,
        "a.csv:3:1: error: the row has 1 fields, the first row 2",
    ),
    ("acme/a.txt", b"x", Severity::Note, "its extension is not known"),
    ("acme/brand.toml", b"name = \"\"\n", Severity::Error, "brand.toml:1:8: error: the brand has no name"),
    (
        "acme/brand.toml",
        b"name = \"x\"\naliases = [\"\"]\n",
        Severity::Error,
        "`aliases` holds an empty text",
    ),
    (
        "acme/brand.toml",
        b"name = \"x\"\nalias = \"y\"\n",
        Severity::Warning,
        "brand.toml:2:1: warning: there is no key `alias`; did you mean `aliases`?",
    ),
    ("acme/brand.toml", b"name = \"x\nname = 1\n", Severity::Error, "error: not TOML"),
    ("other/a.md", b"# T\n\nx\n", Severity::Error, "the brand's folder has no brand.toml"),
    ("Not A Name/brand.toml", b"name = \"x\"", Severity::Error, "is no name for a brand's folder"),
];

#[test]
fn each_mistake_has_its_message_and_place() {
    for (name, bytes, severity, said) in WRONG {
        let found = load_files(&[(name, bytes)]).problems;
        let holds = |problem: &Problem| problem.severity == *severity && problem.to_string().contains(said);
        assert!(
            found.iter().any(holds),
            "`{said}` is not in {:?}",
            found.iter().map(Problem::to_string).collect::<Vec<_>>()
        );
        for problem in &found {
            assert!(problem.hint.is_some(), "no remedy: {problem}");
            assert!(problem.render(false).contains(&problem.message[..10.min(problem.message.len())]));
        }
    }
}

#[test]
fn all_mistakes_are_reported_at_once_and_the_sound_rest_is_loaded() {
    let files: Vec<(String, &[u8])> = WRONG[..20]
        .iter()
        .enumerate()
        .map(|(number, (name, bytes, ..))| (name.replace("/a.", &format!("/f{number}.")), *bytes))
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let loaded = load_files(&files);
    assert!(loaded.problems.len() >= 20, "{:?}", loaded.problems);
    assert!(
        loaded.knowledge.brands[0].items.iter().any(|item| item.id == "acme/f19#t"),
        "a bad line hides no other"
    );
}

#[test]
fn sizes_have_limits() {
    let root = folder(&[("acme/a.yaml", format!("- title: T\n  text: {}\n", "x".repeat(200)).as_bytes())]);
    let limits = Limits { max_item_bytes: 100, ..Limits::default() };
    let said = load(root.path(), &limits, now()).problems[0].to_string();
    assert!(said.contains("the item has 201 bytes, more than 100"), "{said}");
    let limits = Limits { max_file_bytes: 100, ..Limits::default() };
    let said = load(root.path(), &limits, now()).problems[0].to_string();
    assert!(said.contains("bytes, more than 100") && said.contains("max_file_bytes"), "{said}");
}

#[test]
fn nothing_outside_of_the_folder_is_read() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.md", b"# Secret\n\nx\n");
    let root = folder(&[("acme/real.md", b"# Real\n\nx\n"), ("acme/sub/more.md", b"# More\n\nx\n")]);
    let link =
        |target: &Path, name: &str| std::os::unix::fs::symlink(target, root.path().join(name)).unwrap();
    link(&outside.path().join("secret.md"), "acme/out.md");
    link(&root.path().join("acme"), "acme/sub/up");
    link(&root.path().join("nowhere.md"), "acme/dangling.md");
    let made = std::process::Command::new("mkfifo").arg(root.path().join("acme/pipe.md")).status().unwrap();
    assert!(made.success());
    let loaded = load(root.path(), &Limits::default(), now());
    let said: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
    for expected in [
        "out.md: error: the link leads out",
        "dangling.md: error: the file cannot be read",
        "pipe.md: error: this is not a regular file",
    ] {
        assert!(said.iter().any(|said| said.contains(expected)), "`{expected}` is not in {said:?}");
    }
    let ids: Vec<&str> = loaded.knowledge.brands[0].items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["acme/real#real", "acme/sub/more#more"]);
}

#[test]
fn folders_that_are_missing_or_empty_are_told() {
    let root = tempfile::tempdir().unwrap();
    let missing = load(&root.path().join("absent"), &Limits::default(), now()).problems;
    assert!(missing[0].is_error() && missing[0].to_string().contains("cannot be read"));
    let empty = load(root.path(), &Limits::default(), now()).problems;
    assert_eq!((empty.len(), empty[0].severity), (1, Severity::Warning));
}

#[test]
fn scratch_files_and_notes_for_editors_are_no_knowledge() {
    let bad: &[u8] = b"Q: not an item\n";
    let names =
        ["acme/.hidden.md", "acme/a.md~", "acme/.a.md.swp", "acme/#a.md#", "acme/README.md", "acme/a.md.bak"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, bad)).collect();
    let loaded = load_files(&files);
    // That is all that is said of them.
    let said: Vec<String> = loaded.problems.iter().map(Problem::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("the brand `acme` has no item"), "{said:?}");
    assert!(loaded.knowledge.brands[0].items.is_empty());
}

#[test]
fn ids_do_not_depend_on_other_items() {
    let ids = |text: &str| -> Vec<String> {
        items(&[("acme/a.md", text.as_bytes())]).into_iter().map(|item| item.id).collect()
    };
    let before = ids("# One\n\nx\n\n# Two\n\ny\n");
    let after = ids("# Zero\n\nw\n\n# One\n\nx\n\n# Two\n\nchanged\n");
    assert!(before.iter().all(|id| after.contains(id)));
}

#[test]
fn brands_are_kept_apart() {
    let root = folder(&[
        ("acme/a.md", b"# T\n\nx\n"),
        ("zeta/brand.toml", b"name = \"Zeta\""),
        ("zeta/a.md", b"# T\n\ny\n"),
    ]);
    let loaded = load(root.path(), &Limits::default(), now());
    let seen: Vec<(&str, &str)> =
        loaded.knowledge.brands.iter().map(|brand| (brand.id.as_str(), brand.items[0].text())).collect();
    assert_eq!(seen, [("acme", "x"), ("zeta", "y")]);
}

#[test]
fn the_repositorys_own_knowledge_is_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge");
    let loaded = load(&root, &Limits::default(), Timestamp::now());
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let all: Vec<_> = loaded.knowledge.brands.iter().flat_map(|brand| &brand.items).collect();
    let facts = all.iter().filter(|item| matches!(item.body, Body::Fact { .. })).count();
    assert!(facts >= 30 && all.len() - facts >= 12, "{facts} facts of {}", all.len());
    for item in all {
        assert!(item.source.is_some(), "{} has no source", item.id);
    }
}

/// The paragraphs and sentences of a section.
fn prose() -> impl Strategy<Value = Vec<Vec<String>>> {
    let sentence = "[a-zé]{1,12}( [a-zé]{1,12}){0,30}[.!?]";
    prop::collection::vec(prop::collection::vec(sentence, 1..6), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn cutting_loses_and_repeats_nothing(prose in prose()) {
        let paragraphs: Vec<String> = prose.iter().map(|sentences| sentences.join(" ")).collect();
        let text = format!("# T\n\n{}\n", paragraphs.join("\n\n"));
        let mut items = items(&[("acme/a.md", text.as_bytes())]);
        items.sort_by_key(|item| item.id.rsplit('/').next().and_then(|part| part.parse::<usize>().ok()).unwrap_or(1));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let parts: Vec<String> = items.iter().flat_map(|item| words(item.text())).collect();
        prop_assert_eq!(parts, words(&paragraphs.join(" ")));
        for item in &items {
            prop_assert!(item.text().len() <= Limits::default().max_section_bytes);
        }
    }

    #[test]
    fn no_bytes_make_loading_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "(---\n|# |Q: |A: |- |\\{|\\}|\\[|title: |text: |[a-z\"é\u{1f600}:,#\r\n\t ]){0,40}",
        name in prop::sample::select(vec!["acme/a.md", "acme/a.yaml", "acme/a.jsonl", "acme/a.csv", "acme/brand.toml"]),
    ) {
        for content in [&bytes[..], text.as_bytes()] {
            let loaded = load_files(&[(name, content)]);
            for problem in &loaded.problems {
                prop_assert!(!problem.render(true).is_empty());
                prop_assert!(!problem.to_string().is_empty());
            }
        }
    }
}

#[test]
fn brackets_in_texts_are_no_nesting_and_nesting_has_a_bound() {
    let many = "[".repeat(500);
    let text = format!("- title: Brackets\n  text: \"Write {many} for a list.\"\n");
    let items = items(&[("acme/brackets.yaml", text.as_bytes())]);
    assert!(items.iter().any(|item| item.text().contains(&many)), "{items:?}");
    for deep in [
        format!("- title: {}a{}\n", "[".repeat(33), "]".repeat(33)),
        format!("- {}a: b\n", "- ".repeat(40)),
        format!("- title: {many}\n"),
        format!("{}a\n", "- ".repeat(100_000)),
    ] {
        assert!(parse_yaml(&deep, 0).is_err(), "{deep:.80}");
    }
}
