//! Claims of being better, and bad words about others.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::text::{pattern, sentences};

static SUPERLATIVE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"\b(?:best(?:-in-class)?|leading|world[\ -]?class|unrivall?ed|unmatched|unbeatable|unparalleled|number\ one|no\.\ ?1
            |second\ to\ none|industry[\ -]leading|market\ leader|state[\ -]of[\ -]the[\ -]art|revolutionary|one\ and\ only
            |most\ (?:popular|advanced|powerful|reliable|trusted|secure|efficient|accurate|complete|affordable|innovative)
            |fastest|cheapest|strongest|safest|smartest|largest|biggest|lightest|easiest|simplest)\b",
        r"\x231\b",
        r"\b(?:better|faster|cheaper|safer|easier|stronger|lighter|simpler|smaller|quicker|smarter|more\ \w+|superior)\s+(?:than|to)\s+
            (?:any|all|other|the\ competition|competitors?|every|most|its|[A-Z]\w+)",
        r"\b(?:outperforms?|beats|surpasses|leaves\s+\w+\s+behind)\b",
        // German
        r"\b(?:beste[nrsm]?|führend\w*|weltweit\ einzig\w*|einzigartig\w*|unschlagbar\w*|unübertroffen\w*|marktführer\w*
            |nummer\ eins|schnellste[nrsm]?|günstigste[nrsm]?|sicherste[nrsm]?|leichteste[nrsm]?|größte[nrsm]?|modernste[nrsm]?)\b",
        r"\b(?:besser|schneller|günstiger|sicherer|leichter|einfacher|billiger|stärker)\s+als\b|\bübertrifft\b",
        // French, Spanish
        r"\ble\ meilleur\b|\bla\ meilleure\b|\bplus\ \w+\ que\b|\bleader\ (?:mondial|du\ marché)\b",
        r"\b(?:el|la|los|las)\ mejor(?:es)?\b|\bmás\ \w+\ que\b|\blíder\ (?:mundial|del\ mercado)\b",
    ]
    .into_iter()
    .map(pattern)
    .collect()
});

/// `at best`, `the best way to`, `best practice`: no claims.
static NO_CLAIM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:at\ best|best\ (?:practices?|regards|match(?:es)?|fit|before|when|used|way|scores?|effort|item|hit|result|for\ (?:you|your))
        |leading\ (?:zeros?|spaces?|whitespace|to|up|edge|dimension)|more\ \w+\ than\ (?:one|two|\d+)|largest\ (?:file|possible|value))\b",
    )
});

static BAD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:bad|worse|worst|poor(?:ly)?|slow(?:er|est)?|unreliable|insecure|unsafe|outdated|obsolete|broken|buggy|bloated|clumsy
        |overpriced|expensive|fails?|failed|failing|crash(?:es|ed)?|lacks?|lacking|cannot|can't|can\ not|unable|inferior|useless
        |worthless|terrible|awful|garbage|scam|ripoff|rip-off|dangerous|disappoint\w*|limited|complicated|struggles?|avoid
        |schlecht\w*|langsam\w*|unzuverlässig\w*|unsicher\w*|veraltet\w*|teuer|überteuert\w*|scheiter\w*|versag\w*|mangelhaft\w*
        |fehlt|kann\ nicht|minderwertig\w*|umständlich\w*|lent[es]?|dépassée?|cher|mauvais\w*|lento|caro|obsolet[oa]|malo)\b",
    )
});

/// The first claim of being better than others.
pub(super) fn superlative(text: &str) -> Option<Range<usize>> {
    let plain: Vec<Range<usize>> = NO_CLAIM.find_iter(text).map(|found| found.range()).collect();
    let found = SUPERLATIVE.iter().flat_map(|pattern| pattern.find_iter(text)).map(|found| found.range());
    found
        .filter(|found| !plain.iter().any(|plain| plain.start <= found.start && found.start < plain.end))
        .min_by_key(|found| found.start)
}

/// The names of competitors, as one pattern.
pub(super) fn rivals(names: &[String]) -> Option<Regex> {
    let names: Vec<String> = names
        .iter()
        .filter(|name| !name.trim().is_empty())
        .map(|name| {
            let words: Vec<String> = name.split_whitespace().map(regex::escape).collect();
            words.join(r"\s+")
        })
        .collect();
    // A pattern too long to compile is a brand with more competitors than sentences can be read for.
    (!names.is_empty()).then(|| Regex::new(&format!(r"(?i)\b(?:{})\b", names.join("|"))).ok()).flatten()
}

/// The first sentence that names a competitor and says something bad, with that name.
pub(super) fn disparagement<'t>(text: &'t str, rivals: &Regex) -> Option<(&'t str, &'t str)> {
    sentences(text).into_iter().find_map(|sentence| {
        let sentence = text[sentence].trim();
        let name = rivals.find(sentence)?;
        // A word that belongs to the name itself is none against it.
        BAD.find_iter(sentence)
            .any(|bad| bad.end() <= name.start() || bad.start() >= name.end())
            .then(|| (sentence, name.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::{disparagement, rivals, superlative};

    #[test]
    fn claims_are_found() {
        for (text, found) in [
            ("Acme is the best anvil.", true),
            ("Acme is faster than any other tool.", true),
            ("The leading maker of anvils.", true),
            ("Acme outperforms Initech.", true),
            ("Der führende Hersteller.", true),
            ("Schneller als alle anderen.", true),
            ("La mejor herramienta.", true),
            ("At best, it takes an hour.", false),
            ("The best practice is to cool it.", false),
            ("Leading zeros are kept.", false),
            ("The anvil weighs twelve kilograms.", false),
        ] {
            assert_eq!(superlative(text).is_some(), found, "{text}");
        }
    }

    #[test]
    fn bad_words_count_in_the_sentence_of_the_name() {
        let rivals = rivals(&["Slow Forge".to_owned(), "Initech".to_owned()]).unwrap();
        for (text, found) in [
            ("Unlike Initech, which is slow, Acme is not.", true),
            ("Initech kann nicht schmieden.", true),
            ("Initech makes anvils. Rust is bad for iron.", false),
            ("Acme works with Slow Forge.", false),
            ("Avoid heat.", false),
        ] {
            assert_eq!(disparagement(text, &rivals).is_some(), found, "{text}");
        }
    }
}
