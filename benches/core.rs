//! The pure core: finding spans, splicing, decoding events, growing a plan.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use foreword::chat::{Conversation, Cutter, Dialect, SseDecoder};
use foreword::inject::{Budget, Form, Plan, Prepared, estimate_tokens, inserted, load_recipes, splice};
use foreword::knowledge::{Body, Item, Origin, Validity};
use foreword::leaks::{Inserted, Watch};
use foreword::mentions::{Alias, BrandNames, Lexicon};
use foreword::tap::AnswerReader;

/// A conversation of `turns` turns, each with an answer of about 120 bytes.
fn conversation(turns: usize) -> String {
    let answer =
        "An answer of a usual length, which says neither too little nor too much about what the user asked.";
    let turn = |number: usize| {
        format!(
            "{{\"role\":\"user\",\"content\":\"Question number {number}, of a usual length as well?\"}},{{\"role\":\"assistant\",\"content\":\"{answer}\"}},"
        )
    };
    let history: String = (1..turns).map(turn).collect();
    format!(
        "{{\"model\":\"bench\",\"messages\":[{{\"role\":\"system\",\"content\":\"Be brief.\"}},{history}{{\"role\":\"user\",\"content\":\"The last question?\"}}]}}"
    )
}

fn item(number: usize) -> Arc<Item> {
    Arc::new(Item {
        id: format!("brand/item-{number}"),
        body: Body::Fact {
            title: format!("Product {number}"),
            context: Vec::new(),
            text: "The product is made of steel, weighs twelve kilograms and has a warranty of ten years."
                .to_owned(),
        },
        tags: Vec::new(),
        source: None,
        language: None,
        validity: Validity::default(),
        pinned: false,
        audience: Vec::new(),
        origin: Origin { file: PathBuf::new(), line: 1 },
    })
}

fn benches(criterion: &mut Criterion) {
    let (recipes, _) = load_recipes(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("prompts"));
    let recipe = Arc::clone(&recipes["pairs"]);
    let count = |text: &str| estimate_tokens(text.len());
    let items: Vec<Prepared> = (0..8)
        .filter_map(|number| Prepared::new(&recipe, item(number), "Brand".into(), count).ok())
        .collect();
    let offers: Vec<&Prepared> = items.iter().collect();
    let budget = Budget { conversation_tokens: 2_000, context_tokens: None };

    for (name, turns) in [("2 KB", 9), ("100 KB", 400)] {
        let body = conversation(turns);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        let read = || Conversation::read(body.as_bytes(), Dialect::ChatCompletions);
        group.bench_function("find spans and turns", |bencher| {
            bencher.iter(|| black_box(read().map(|conversation| conversation.turns())));
        });
        let turns = read().map(|conversation| conversation.turns()).unwrap_or_default();
        let mut plan = Plan::empty();
        for _ in 0..turns.len() {
            plan = plan.offer(&offers, &recipe, Form::Messages, &budget).unwrap_or(plan);
        }
        group.bench_function("splice", |bencher| {
            bencher.iter(|| black_box(splice(body.as_bytes(), &turns, recipe.placement, &plan.placed)));
        });
        group.finish();
    }

    let event =
        "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n";
    criterion.bench_function("decode one event", |bencher| {
        let mut decoder = SseDecoder::new(1 << 16);
        bencher.iter(|| {
            decoder.feed(black_box(event.as_bytes()), |event| {
                black_box(event);
            });
        });
    });
    let plan =
        Plan::empty().offer(&offers, &recipe, Form::Messages, &budget).unwrap_or_else(|_| Plan::empty());
    let hidden = Arc::new(inserted(&plan.placed, recipe.placement));
    criterion.bench_function("watch one event for leaks", |bencher| {
        let mut watch = Watch::new(Arc::clone(&hidden));
        bencher.iter(|| black_box(watch.push(black_box(" word"))));
    });
    let answer = "An answer of a usual length, which says what the user asked and no more. ".repeat(50);
    criterion.bench_function("watch an answer of 3.6 KB and its end", |bencher| {
        bencher.iter(|| {
            let mut watch = Watch::new(Arc::clone(&hidden));
            for word in answer.split_inclusive(' ') {
                black_box(watch.push(word));
            }
            black_box(watch.finish())
        });
    });
    answers(criterion);
    criterion.bench_function("plan and render one turn", |bencher| {
        bencher.iter(|| black_box(Plan::empty().offer(&offers, &recipe, Form::Messages, &budget)));
    });
}

/// An answer of 300 events with 20 bytes of text each: read along for its text, and searched for 200 names when it has
/// ended.
fn answers(criterion: &mut Criterion) {
    const EVENTS: usize = 300;
    let event = Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" some twenty bytes, \"},\"finish_reason\":null}]}\n\n",
    );
    let names = (0..200).map(|number| BrandNames {
        id: format!("brand-{number}"),
        names: vec![Alias::from(format!("Product{number} Works").as_str())],
        ..BrandNames::default()
    });
    let lexicon = Lexicon::new(&names.collect::<Vec<_>>()).ok();
    let read = || {
        let mut reader = AnswerReader::new(Some("text/event-stream"), None, true);
        for _ in 0..EVENTS {
            reader.data(black_box(&event));
        }
        reader.finish()
    };
    let mut group = criterion.benchmark_group("an answer of 300 events");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("read along, on the request path", |bencher| bencher.iter(|| black_box(read())));
    if let Some(lexicon) = &lexicon {
        let reading = read();
        group.bench_function("searched for 200 names, elsewhere", |bencher| {
            bencher.iter(|| black_box(reading.texts[0].finish(lexicon, Some("A question?"), None)));
        });
    }
    let secrets = Arc::new(Inserted::new().hidden(
        "Here is what the documentation of the product says on this, for you alone: it is light.",
        &["It is light."],
    ));
    group.bench_function("read for leaks before it leaves", |bencher| {
        bencher.iter(|| {
            let mut cutter = Cutter::new(Dialect::ChatCompletions, true);
            let mut watch = Watch::new(Arc::clone(&secrets));
            let mut told = 0;
            for _ in 0..EVENTS {
                told += cutter.feed(black_box(&event), &mut |_, text| watch.push(text).is_some()).len();
            }
            black_box(told)
        });
    });
    group.finish();
}

criterion_group!(core, benches);
criterion_main!(core);
