//! Items are counted in the tokens of the model that reads them.

use foreword::config::{self, Overrides};
use foreword::document::Problem;
use foreword::inject::{TokenCounter, Tokenizer, estimate_tokens};

use crate::support::proxy::Site;
use crate::support::retrieval::model_folder;

#[test]
fn a_models_own_tokenizer_counts_its_tokens() {
    let file = model_folder().join("tokenizer.json");
    let tokenizer = Tokenizer::of_file(&file).unwrap();
    let mut counter = TokenCounter::new(tokenizer.clone());
    // Word pieces, without the marks that an embedding begins and ends with.
    for (text, tokens) in [("", 0), ("hello world", 2), ("Hello, world!", 4), ("embedding", 3)] {
        assert_eq!(counter.count(text), tokens, "{text}");
    }
    // Counts of one vocabulary are never taken for those of another.
    let names =
        [&tokenizer, &Tokenizer::O200k, &Tokenizer::Cl100k, &Tokenizer::Estimate].map(Tokenizer::name);
    for (place, name) in names.iter().enumerate() {
        assert!(!names[..place].contains(name), "{names:?}");
    }
}

#[test]
fn no_estimate_is_below_what_vocabularies_count() {
    let text = "Wie viele Token hat ein Satz, in dem von Vektordatenbanken und Einbettungen die Rede ist?";
    for tokenizer in [Tokenizer::O200k, Tokenizer::Cl100k] {
        let counted = TokenCounter::new(tokenizer).count(text);
        assert!(counted > 5 && counted <= estimate_tokens(text.len()), "{counted}");
    }
}

#[test]
fn a_file_that_is_no_tokenizer_is_an_error_that_names_it() {
    let site = Site::new();
    site.write("foreword.toml", "[injection]\ntokenizer = \"own.json\"\n");
    let load = || config::load(&site.path("foreword.toml"), false, &Overrides::default());
    for (content, expected) in [(None, "cannot be read"), (Some("{}"), "is no tokenizer")] {
        if let Some(content) = content {
            site.write("own.json", content);
        }
        let (_, problems) = load();
        let problem = problems.iter().find(|problem| problem.is_error()).unwrap().to_string();
        assert!(problem.contains("own.json") && problem.contains(expected), "{problem}");
    }
    std::fs::copy(model_folder().join("tokenizer.json"), site.path("own.json")).unwrap();
    let (settings, problems) = load();
    assert!(!problems.iter().any(Problem::is_error), "{problems:?}");
    assert!(matches!(settings.unwrap().snapshot.tokenizer, Tokenizer::File { .. }));
}
