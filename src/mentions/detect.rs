//! The search: candidates from the automaton, each held against the rules, the longest of those that hold.

use std::ops::Range;
use std::sync::Arc;

use super::citation::{Url, host, parts, urls};
use super::context::{Place, doubted};
use super::findings::{Citation, Considered, Findings, Mention, Outcome, Rejection, Rule};
use super::fold::{Folded, fold, shape};
use super::inflect::is_ending;
use super::lexicon::{Entry, Lexicon, Pattern};
use super::own::{blank, not_its_own};
use super::polarity::polarity;
use super::script::{is_word, joined};
use super::tokens::Tokens;
use super::visible::{Visible, visible};

/// An answer to be searched.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// As it came: Markdown, HTML or plain.
    pub text: &'a str,
    /// The question, whose quotations are not the answer's own saying.
    pub question: Option<&'a str>,
    /// The disclosure footer, which is ours.
    pub disclosure: Option<&'a str>,
}

/// Finds mentions and citations.
pub fn find(lexicon: &Lexicon, answer: &Answer<'_>) -> Findings {
    let search = Search::new(lexicon, answer);
    let mentions = search.considered().into_iter().filter_map(|considered| match considered.outcome {
        Outcome::Mention(mention) => Some(mention),
        Outcome::Rejected(_) => None,
    });
    Findings { mentions: mentions.collect(), citations: search.citations() }
}

/// Every place where a name could be meant, in the order of the answer, and what became of it.
pub fn explain(lexicon: &Lexicon, answer: &Answer<'_>) -> Vec<Considered> {
    Search::new(lexicon, answer).considered()
}

/// One answer, taken apart.
struct Search<'l> {
    lexicon: &'l Lexicon,
    page: Visible,
    folded: Folded,
    tokens: Tokens,
    /// In the visible text.
    urls: Vec<Url>,
}

/// Something that the automaton has found.
struct Candidate {
    /// In the folded text, with its ending.
    range: Range<usize>,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Name(usize, Rule),
    Exclude,
}

impl<'l> Search<'l> {
    fn new(lexicon: &'l Lexicon, answer: &Answer<'_>) -> Search<'l> {
        let page = visible(answer.text);
        let mut folded = fold(&page.text);
        let foreign = not_its_own(&page, &folded, answer.question, answer.disclosure);
        blank(&mut folded.text, &foreign);
        let tokens = Tokens::new(&folded.text);
        let urls = urls(&page.text);
        Search { lexicon, page, folded, tokens, urls }
    }

    fn considered(&self) -> Vec<Considered> {
        let mut holding: Vec<Candidate> = Vec::new();
        let mut considered = Vec::new();
        for found in self.lexicon.automaton.find_overlapping_iter(&self.folded.text) {
            let pattern = self.lexicon.patterns[found.pattern().as_usize()];
            match self.candidate(pattern, found.range()) {
                Ok(candidate) => holding.push(candidate),
                Err(reason) => considered.extend(self.rejected(pattern, found.range(), reason)),
            }
        }
        holding.sort_by(|a, b| a.range.start.cmp(&b.range.start).then(b.range.end.cmp(&a.range.end)));
        let mut taken: Vec<&Candidate> = Vec::new();
        for candidate in &holding {
            match taken.last().filter(|last| candidate.range.start < last.range.end) {
                Some(last) => {
                    let same = candidate.range == last.range && candidate.what == last.what;
                    let reason =
                        if last.what == What::Exclude { Rejection::Excluded } else { Rejection::LongerName };
                    if let (What::Name(entry, _), false) = (candidate.what, same) {
                        considered.extend(self.rejected(
                            Pattern::Name(entry),
                            candidate.range.clone(),
                            reason,
                        ));
                    }
                }
                None => taken.push(candidate),
            }
        }
        let mut taken: Vec<(Range<usize>, usize, Rule)> = taken
            .into_iter()
            .filter_map(|candidate| match candidate.what {
                What::Name(entry, rule) => Some((candidate.range.clone(), entry, rule)),
                What::Exclude => None,
            })
            .collect();
        self.add_misspelled(&holding, &mut taken);
        considered
            .extend(taken.into_iter().filter_map(|(range, entry, rule)| self.accepted(range, entry, rule)));
        considered.sort_by(|a, b| a.range.start.cmp(&b.range.start).then(b.range.end.cmp(&a.range.end)));
        considered
    }

    /// Holds a find against boundaries, endings, separators, case and context.
    fn candidate(&self, pattern: Pattern, range: Range<usize>) -> Result<Candidate, Rejection> {
        let text = &self.folded.text;
        let before = text[..range.start].chars().next_back();
        let first = text[range.clone()].chars().next();
        if before.zip(first).is_some_and(|(before, first)| joined(before, first)) {
            return Err(Rejection::InsideWord);
        }
        let (entry, stem) = match pattern {
            Pattern::Name(entry) => (Some(entry), false),
            Pattern::Stem(entry) => (Some(entry), true),
            Pattern::Exclude(_) => (None, false),
        };
        let entry = entry.map(|index| (index, &self.lexicon.entries[index]));
        let end = self.ending(entry.map(|(_, entry)| entry), &range, stem).ok_or(Rejection::InsideWord)?;
        let whole = range.start..end;
        let seen = self.folded.offsets.range(whole.clone()).ok_or(Rejection::InsideCharacter)?;
        let Some((index, entry)) = entry else {
            return Ok(Candidate { range: whole, what: What::Exclude });
        };
        let name = self.folded.offsets.range(range.clone()).ok_or(Rejection::InsideCharacter)?;
        let written = shape(&self.page.text[name.clone()]);
        if !entry.loose && !same_separators(&self.page.text[name], &entry.text) {
            return Err(Rejection::Separators);
        }
        if self
            .urls
            .iter()
            .any(|url| seen.start < url.range.end && url.range.start < seen.end && !covers(&seen, url))
        {
            return Err(Rejection::Address);
        }
        let place = Place {
            text,
            tokens: &self.tokens,
            first: self.tokens.at(range.start),
            behind: self.tokens.at(end.saturating_sub(1)) + 1,
            shape: &written,
            in_heading: self.page.block_at(seen.start).is_some_and(|block| self.page.blocks[block].heading),
        };
        if let Some(reason) = doubted(entry, &place) {
            return Err(reason);
        }
        let rule = if end > range.end { Rule::Inflected } else { Rule::Exact };
        Ok(Candidate { range: whole, what: What::Name(index, rule) })
    }

    /// Where a find ends with its ending; nothing where the word goes on otherwise. A stem needs an ending.
    fn ending(&self, entry: Option<&Entry>, range: &Range<usize>, stem: bool) -> Option<usize> {
        let text = &self.folded.text;
        let last = text[range.clone()].chars().next_back()?;
        let rest = &text[range.end..];
        let goes_on = rest.chars().next().is_some_and(|next| joined(last, next));
        if !goes_on && !stem {
            return Some(range.end);
        }
        let length = rest.char_indices().find(|(_, next)| !is_word(*next)).map_or(rest.len(), |(at, _)| at);
        let languages = entry.map(|entry| entry.inflect.as_slice()).unwrap_or_default();
        languages.iter().any(|&language| is_ending(language, &rest[..length])).then_some(range.end + length)
    }

    /// Names with a wrong letter, in words that hold no other find.
    fn add_misspelled(&self, holding: &[Candidate], taken: &mut Vec<(Range<usize>, usize, Rule)>) {
        for &count in self.lexicon.fuzzy.word_counts() {
            for words in self.tokens.list.windows(count) {
                let range = words[0].range.start..words[count - 1].range.end;
                if holding.iter().any(|held| held.range.start < range.end && range.start < held.range.end) {
                    continue;
                }
                if let Some(entry) = self.lexicon.fuzzy.find(&self.folded.text[range.clone()]) {
                    taken.push((range, entry, Rule::Fuzzy));
                }
            }
        }
        taken.sort_by_key(|(range, ..)| range.start);
    }

    fn accepted(&self, range: Range<usize>, entry: usize, rule: Rule) -> Option<Considered> {
        let entry = &self.lexicon.entries[entry];
        let first = self.tokens.at(range.start);
        let behind = self.tokens.at(range.end.saturating_sub(1)) + 1;
        let seen = self.folded.offsets.cover(range)?;
        let item = self.headed_item(seen.start);
        let raw = self.page.offsets.cover(seen)?;
        let mention = Mention {
            brand: Arc::clone(&self.lexicon.brands[entry.brand].id),
            alias: Arc::clone(&entry.text),
            range: raw.clone(),
            rule,
            polarity: polarity(&self.folded.text, &self.tokens, first, behind, item.is_some()),
            item,
        };
        Some(Considered { range: raw, alias: Arc::clone(&entry.text), outcome: Outcome::Mention(mention) })
    }

    fn rejected(&self, pattern: Pattern, range: Range<usize>, reason: Rejection) -> Option<Considered> {
        let (Pattern::Name(entry) | Pattern::Stem(entry)) = pattern else { return None };
        let raw = self.page.offsets.cover(self.folded.offsets.cover(range)?)?;
        let alias = Arc::clone(&self.lexicon.entries[entry].text);
        Some(Considered { range: raw, alias, outcome: Outcome::Rejected(reason) })
    }

    /// The number of the list item that begins with what stands at an offset of the visible text.
    fn headed_item(&self, at: usize) -> Option<u32> {
        let block = &self.page.blocks[self.page.block_at(at)?];
        let item = block.item?;
        let before = self.page.text[block.start..at].trim();
        (!before.contains(char::is_alphanumeric)).then_some(item.number)
    }

    /// Addresses whose host is a brand's, or holds one of its names.
    fn citations(&self) -> Vec<Citation> {
        let links = self.page.addresses.iter().map(|address| address.url.as_str());
        let bare = self.urls.iter().map(|url| &self.page.text[url.range.clone()]);
        let mut citations: Vec<Citation> = Vec::new();
        for url in links.chain(bare) {
            for brand in &self.lexicon.brands {
                let of_host = host(url).is_some_and(|host| {
                    brand.domains.iter().any(|domain| {
                        host.strip_suffix(domain.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    })
                });
                if of_host || parts(url).any(|part| brand.compact.contains(&part)) {
                    let citation = Citation { brand: Arc::clone(&brand.id), url: url.to_owned() };
                    // A link whose text is its address is one citation.
                    if !citations.contains(&citation) {
                        citations.push(citation);
                    }
                }
            }
        }
        citations
    }
}

/// A name such as "Booking.com" may be all of an address.
fn covers(seen: &Range<usize>, url: &Url) -> bool {
    url.bare && seen.start <= url.range.start && url.range.end <= seen.end
}

/// Whether two spellings have the same separators, case apart.
fn same_separators(written: &str, listed: &str) -> bool {
    written.to_lowercase() == listed.to_lowercase()
}
