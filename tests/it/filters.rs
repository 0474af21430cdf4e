//! Which items a request may be told: by what it states, by what its key admits, and by what else it is told.

use foreword::inject::{Budget, Form, Plan, Prepared, load_recipes};
use foreword::keys::{NewKey, entry};
use foreword::retrieval::{Query, SearchSettings, VectorStore, Vectors, search_among};

use crate::support::client::{exchange, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::retrieval::{brand, embedder, example, fact, index_with};
use crate::support::run;
use crate::support::upstream::Upstream;
use foreword::knowledge::{Filter, Item};
use std::path::Path;
use std::sync::Arc;

const QUESTION: &str =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"What discount is there on the anvil price list?\"}]}";

fn site() -> Site {
    let site = Site::new();
    let item = |meta: &str, word: &str| {
        format!(
            "---\n{meta}---\n# Anvil price list discount {word}\n\nThe discount on the anvil price list is {word}.\n"
        )
    };
    site.write("knowledge/acme/everybody.md", &item("tags: [shop]\n", "public"));
    site.write("knowledge/acme/trade.md", &item("tags: [shop, new]\naudience: [trade]\n", "wholesale"));
    site.write("knowledge/acme/staff.md", &item("audience: [staff]\n", "internal"));
    site.write("knowledge/acme/german.md", &item("language: de\n", "deutsch"));
    site
}

const WORDS: [&str; 4] = ["public", "wholesale", "internal", "deutsch"];

/// Which of the items a request with these headers is told.
async fn told(proxy: &Proxy, upstream: &Upstream, headers: &str) -> Vec<&'static str> {
    assert_eq!(
        exchange(proxy.address, &post_with("/v1/chat/completions", headers, QUESTION)).await.status,
        200
    );
    let received = upstream.last();
    assert!(received.header("x-foreword-tags").or_else(|| received.header("x-foreword-audience")).is_none());
    let body = String::from_utf8(received.body).unwrap();
    WORDS.into_iter().filter(|word| body.contains(&format!("list is {word}"))).collect()
}

#[test]
fn items_are_told_to_those_that_they_are_for() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let config = [("knowledge.filter_headers", "true"), ("injection.conversation_tokens", "4000")];
        let proxy = Proxy::of(site(), &upstream.url(), &config).await;
        for (headers, expected) in [
            ("", &["public", "deutsch"][..]),
            ("x-foreword-audience: trade\r\n", &["public", "wholesale", "deutsch"]),
            ("x-foreword-audience: staff, trade\r\nx-foreword-tags: shop\r\n", &["public", "wholesale"]),
            ("x-foreword-tags: new\r\n", &[]),
            ("x-foreword-tags: new,\r\nx-foreword-tags: shop\r\n", &["public"]),
            ("x-foreword-language: de-AT\r\n", &["deutsch"]),
            ("x-foreword-language: fr\r\n", &[]),
            ("x-foreword-tags: no such tag\r\n", &[]),
        ] {
            assert_eq!(told(&proxy, &upstream, headers).await, expected, "{headers}");
        }
    });
}

#[test]
fn headers_say_nothing_where_they_are_not_listened_to() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(site(), &upstream.url(), &[("injection.conversation_tokens", "4000")]).await;
        let headers = "x-foreword-audience: staff\r\nx-foreword-tags: new\r\n";
        assert_eq!(told(&proxy, &upstream, headers).await, ["public", "deutsch"]);
    });
}

#[test]
fn a_key_admits_what_it_says_and_headers_do_not_widen_it() {
    run(async {
        let site = site();
        let key = |name: &str, filter: &str| {
            let key = NewKey::generate().unwrap();
            let entry = entry(&key, name, &[], None) + filter;
            (format!("authorization: Bearer {}\r\n", key.key), entry)
        };
        let (staff, staff_entry) = key("staff", "audience = [\"staff\"]\n");
        let (shop, shop_entry) = key("shop", "audience = [\"trade\"]\ntags = [\"shop\"]\n");
        site.write("keys.toml", &(staff_entry + &shop_entry));
        let keys = site.path("keys.toml").to_string_lossy().into_owned();
        let upstream = Upstream::answering("{}").await;
        let config = [
            ("server.keys", &*keys),
            ("knowledge.filter_headers", "true"),
            ("injection.conversation_tokens", "4000"),
        ];
        let proxy = Proxy::of(site, &upstream.url(), &config).await;
        for (headers, expected) in [
            (staff.clone(), &["public", "internal", "deutsch"][..]),
            (format!("{staff}x-foreword-audience: trade\r\n"), &["public", "deutsch"]),
            (shop.clone(), &["public", "wholesale"]),
            (format!("{shop}x-foreword-tags: new\r\n"), &["wholesale"]),
            (format!("{shop}x-foreword-audience: staff\r\n"), &["public"]),
        ] {
            assert_eq!(told(&proxy, &upstream, &headers).await, expected, "{headers}");
        }
    });
}

#[test]
fn a_filtered_search_finds_what_a_search_of_these_items_finds() {
    let kinds = ["anvil", "hammer", "tongs", "bellows"];
    let item = |number: usize| {
        let kind = kinds[number % 4];
        let item = fact(
            "many",
            &format!("{number:05}"),
            &format!("The {kind} number {number}"),
            &format!("This {kind} is forged in week {}.", number % 53),
        );
        Arc::new(Item { tags: vec![format!("third-{}", number % 3)], ..Item::clone(&item) })
    };
    let items: Vec<Arc<Item>> = (0..300).map(item).collect();
    let mut store = VectorStore::empty(Some(embedder().identity()));
    let (all, _) = index_with(&brand("many", items.clone()), &mut store, Some(embedder()));
    let filter = Filter::new(vec!["third-1".to_owned()], Vec::new(), None);
    let thirds = items.iter().filter(|item| filter.admits(item, "en")).cloned().collect();
    let (thirds, _) = index_with(&brand("many", thirds), &mut store, Some(embedder()));
    let settings = SearchSettings::default();
    for question in
        ["Which hammer was forged in week 12?", "something to blow air into a fire", "anvil number 31"]
    {
        let query = Query::alone(question);
        let vectors = Vectors::alone(embedder().compute(question).unwrap());
        let best = |index, filter: &Filter| -> Vec<String> {
            let hits = search_among(&[index], &query, Some(&vectors), &settings, filter).candidates;
            assert!(hits.iter().all(|hit| hit.item.tags == ["third-1"]));
            // Rarity is that of words among all items, so that what is near to equal may change places.
            let mut best: Vec<String> = hits.iter().take(3).map(|hit| hit.item.id.clone()).collect();
            best.sort();
            best
        };
        assert_eq!(best(&all, &filter), best(&thirds, &Filter::default()), "{question}");
        let by_words = search_among(&[&all], &query, None, &settings, &filter).candidates;
        assert!(by_words.iter().all(|hit| hit.item.tags == ["third-1"]));
        assert!(!by_words.is_empty() || question.contains("blow"));
    }
}

#[test]
fn items_of_other_sources_and_kinds_are_preferred_and_none_is_lost() {
    let (recipes, problems) = load_recipes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts"));
    assert!(problems.is_empty());
    let recipe = &recipes["pairs"];
    let page = |id: &str, page: &str| {
        let item = fact("acme", id, &format!("Title {id}"), "Text.");
        Arc::new(Item { source: Some(format!("https://acme.example/{page}")), ..Item::clone(&item) })
    };
    let told = |offers: &[Arc<Item>]| -> Vec<String> {
        let prepared: Vec<Prepared> = offers
            .iter()
            .map(|item| Prepared::new(recipe, Arc::clone(item), Arc::from("Acme"), |_| 1).unwrap())
            .collect();
        let offers: Vec<&Prepared> = prepared.iter().collect();
        let budget = Budget { conversation_tokens: 4_000, context_tokens: None };
        let plan = Plan::empty().offer(&offers, recipe, Form::Messages, &budget).unwrap();
        // The best is told last.
        let items = plan.placed.iter().flat_map(|placed| placed.items.iter().rev());
        items.map(|item| item.id.rsplit('/').next().unwrap().to_owned()).collect()
    };
    let one_page: Vec<Arc<Item>> = ["a", "b", "c", "d", "e"].map(|id| page(id, "one")).into();
    assert_eq!(told(&one_page), ["a", "b", "c", "d"]);
    let other_page = [&one_page[..], &[page("f", "two")]].concat();
    assert_eq!(told(&other_page), ["a", "b", "c", "d"], "a fact of another source is still a fact");
    let other_kind = [&one_page[..], &[example("acme", "g", "Question?", "Answer.")]].concat();
    assert_eq!(told(&other_kind), ["a", "b", "c", "g"]);
    let mixed = [
        page("a", "one"),
        example("acme", "q", "Question?", "Answer."),
        page("b", "one"),
        page("c", "one"),
        page("d", "one"),
        page("e", "two"),
    ];
    assert_eq!(told(&mixed), ["a", "q", "b", "c"]);
    assert_eq!(told(&mixed[..1]), ["a"]);
}
