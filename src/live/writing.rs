//! How a receipt is written: itself, and what it adds to each count.

use rusqlite::{OptionalExtension, Transaction, params};

use super::parts::Kind;
use super::receipt::Receipt;
use super::store::DAY;

/// Keeps a receipt and counts it, once.
pub(super) fn insert(transaction: &Transaction<'_>, receipt: &Receipt) -> rusqlite::Result<()> {
    let day = receipt.time.div_euclid(DAY);
    let json = serde_json::to_string(receipt).unwrap_or_default();
    let mentioned = receipt.mentioned.as_ref();
    let named = mentioned.map(|mentioned| mentioned.brand);
    let kept = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO receipts (id, time, brand, arm, decision, mentioned, receipt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![receipt.id, receipt.time, receipt.brand, receipt.arm, receipt.decision, named, json])?;
    if kept == 0 {
        // It was counted when it was kept.
        return Ok(());
    }
    let scored = i64::from(mentioned.is_some());
    let mentions = i64::from(named == Some(true));
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
             ON CONFLICT DO UPDATE SET requests = requests + 1, scored = scored + excluded.scored, \
             mentions = mentions + excluded.mentions, positive = positive + excluded.positive, \
             tokens_added = tokens_added + excluded.tokens_added, prompt_tokens = prompt_tokens + excluded.prompt_tokens, \
             cached_tokens = cached_tokens + excluded.cached_tokens, \
             completion_tokens = completion_tokens + excluded.completion_tokens, \
             planning_us = planning_us + excluded.planning_us, total_us = total_us + excluded.total_us",
        )?
        .execute(params![
            day,
            receipt.brand,
            receipt.arm,
            receipt.language,
            receipt.topic,
            receipt.eligible,
            receipt.decision,
            scored,
            mentions,
            mentioned.is_some_and(|mentioned| mentioned.positive),
            receipt.tokens,
            number(receipt.prompt_tokens.unwrap_or(0)),
            number(receipt.cached_tokens.unwrap_or(0)),
            number(receipt.completion_tokens.unwrap_or(0)),
            number(receipt.planning_us),
            number(receipt.total_us),
        ])?;
    if receipt.decision == "injected" {
        let mut told = transaction.prepare_cached(
            "INSERT INTO items VALUES (?1, ?2, 1, ?3, ?4) ON CONFLICT DO UPDATE SET told = told + 1, \
             scored = scored + excluded.scored, mentions = mentions + excluded.mentions",
        )?;
        for item in &receipt.items {
            told.execute(params![day, item.id, scored, mentions])?;
        }
    }
    match receipt.conversation {
        Some(conversation) if receipt.eligible && !receipt.arm.is_empty() => {
            insert_eligible(transaction, receipt, day, number(conversation), scored, mentions)
        }
        _ => Ok(()),
    }
}

/// What the experiment compares: answers of conversations from their first eligible turn on.
fn insert_eligible(
    transaction: &Transaction<'_>,
    receipt: &Receipt,
    day: i64,
    conversation: i64,
    scored: i64,
    mentions: i64,
) -> rusqlite::Result<()> {
    let (brand, arm) = (&receipt.brand, &receipt.arm);
    let known = transaction
        .prepare_cached(
            "SELECT day, answers, mentions FROM conversations WHERE brand = ?1 AND arm = ?2 AND conversation = ?3",
        )?
        .query_row(params![brand, arm, conversation], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (began, answered, named) = known.unwrap_or((day, 0, 0));
    transaction
        .prepare_cached(
            "INSERT INTO conversations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
             answers = answers + excluded.answers, mentions = mentions + excluded.mentions, \
             missing = missing + excluded.missing",
        )?
        .execute(params![brand, arm, conversation, began, scored, mentions, 1 - scored])?;
    let [clusters, answers_squared, mentions_squared, products] = moved(answered, named, scored, mentions);
    transaction
        .prepare_cached(
            "INSERT INTO sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET \
             clusters = clusters + excluded.clusters, answers = answers + excluded.answers, \
             mentions = mentions + excluded.mentions, answers_squared = answers_squared + excluded.answers_squared, \
             mentions_squared = mentions_squared + excluded.mentions_squared, products = products + excluded.products, \
             missing = missing + excluded.missing",
        )?
        .execute(params![
            brand,
            began,
            arm,
            conversation & 1,
            clusters,
            scored,
            mentions,
            answers_squared,
            mentions_squared,
            products,
            1 - scored,
        ])?;
    if scored == 1 {
        for (kind, value) in [(Kind::Topic, &receipt.topic), (Kind::Language, &receipt.language)] {
            insert_part(transaction, receipt, kind, value, (day, conversation, mentions))?;
        }
    }
    let mut name = transaction.prepare_cached(
        "INSERT INTO names VALUES (?1, ?2, ?3, ?4, 1) ON CONFLICT DO UPDATE SET answers = answers + 1",
    )?;
    for named in receipt.mentioned.iter().flat_map(|mentioned| &mentioned.names) {
        name.execute(params![day, receipt.brand, receipt.arm, named])?;
    }
    Ok(())
}

/// By how much the sums over conversations move when one that had answers and mentions gets more of them: the number of
/// conversations with answers, squares of answers, squares of mentions, products.
fn moved(answers: i64, mentions: i64, more: i64, named: i64) -> [i64; 4] {
    let (all, all_named) = (answers + more, mentions + named);
    [
        i64::from(answers == 0 && all > 0),
        all * all - answers * answers,
        all_named * all_named - mentions * mentions,
        all * all_named - answers * mentions,
    ]
}

/// One more answer of a conversation about a topic, or in a language: `(day, conversation, whether it names the brand)`.
fn insert_part(
    transaction: &Transaction<'_>,
    receipt: &Receipt,
    kind: Kind,
    value: &str,
    (day, conversation, mention): (i64, i64, i64),
) -> rusqlite::Result<()> {
    let (brand, arm, kind) = (&receipt.brand, &receipt.arm, kind.as_str());
    let known = transaction
        .prepare_cached(
            "SELECT day, answers, mentions FROM parts WHERE brand = ?1 AND kind = ?2 AND value = ?3 AND arm = ?4 AND conversation = ?5",
        )?
        .query_row(params![brand, kind, value, arm, conversation], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let (began, answers, mentions) = known.unwrap_or((day, 0, 0));
    let [clusters, answers_squared, mentions_squared, products] = moved(answers, mentions, 1, mention);
    transaction
        .prepare_cached("INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![brand, kind, value, arm, conversation, began, answers + 1, mentions + mention])?;
    transaction
        .prepare_cached(
            "INSERT INTO part_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE SET \
             clusters = clusters + excluded.clusters, answers = answers + 1, mentions = mentions + excluded.mentions, \
             answers_squared = answers_squared + excluded.answers_squared, \
             mentions_squared = mentions_squared + excluded.mentions_squared, products = products + excluded.products",
        )?
        .execute(params![
            brand,
            kind,
            began,
            value,
            arm,
            clusters,
            mention,
            answers_squared,
            mentions_squared,
            products,
        ])?;
    Ok(())
}
