//! The search: candidates from the automaton, each held against the rules, the longest of those that hold, and those
//! for which the rest of the answer vouches.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::choose::{Candidate, What, longest};
use super::citation::{Url, urls};
use super::context::{Place, doubted};
use super::findings::{Citation, Considered, Findings, Mention, Outcome, Rejection, Rule};
use super::fold::{Folded, fold, shape};
use super::heads::{Group, head_at, lead};
use super::inflect::{LONGEST_ENDING, is_ending};
use super::lexicon::{Entry, Lexicon, Pattern};
use super::own::{Foreign, blank, not_its_own};
use super::polarity::{Surroundings, is_coordinated, polarity};
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
    let (taken, _) = search.decide(false);
    Findings { mentions: search.mentions(&taken), citations: search.citations() }
}

/// Every place where a name could be meant, in the order of the answer, and what became of it.
pub fn explain(lexicon: &Lexicon, answer: &Answer<'_>) -> Vec<Considered> {
    let search = Search::new(lexicon, answer);
    let (taken, rejected) = search.decide(true);
    let mut considered: Vec<Considered> = search
        .mentions(&taken)
        .into_iter()
        .map(|mention| Considered {
            range: mention.range.clone(),
            alias: Arc::clone(&mention.alias),
            outcome: Outcome::Mention(mention),
        })
        .collect();
    let foreign = search.in_foreign();
    let rejected = rejected.into_iter().chain(foreign);
    considered.extend(rejected.filter_map(|(entry, range, reason)| search.rejection(entry, range, reason)));
    considered.sort_by(|a, b| a.range.start.cmp(&b.range.start).then(b.range.end.cmp(&a.range.end)));
    considered.dedup();
    considered
}

/// One answer, taken apart.
struct Search<'l> {
    lexicon: &'l Lexicon,
    page: Visible,
    folded: Folded,
    tokens: Tokens,
    /// What is blanked in the folded text.
    foreign: Vec<Foreign>,
    /// In the visible text.
    urls: Vec<Url>,
}

/// What the rules say of a find.
enum Judged {
    Holds(Candidate),
    /// Only the rest of the answer can tell.
    Doubtful(Candidate, Rejection),
    Fails(Rejection),
}

/// A find that is no mention: its entry, where it is in the folded text, and why.
type Rejected = (usize, Range<usize>, Rejection);

impl<'l> Search<'l> {
    fn new(lexicon: &'l Lexicon, answer: &Answer<'_>) -> Search<'l> {
        let page = visible(answer.text);
        let mut folded = fold(&page.text);
        // Where no name stands, none stands in what is not its own.
        let foreign = match lexicon.may_be_named_in(&folded.text) {
            true => not_its_own(&page, &folded, answer.question, answer.disclosure),
            false => Vec::new(),
        };
        blank(&mut folded.text, &foreign);
        let tokens = Tokens::new(&folded.text);
        let urls = urls(&page.text);
        Search { lexicon, page, folded, tokens, foreign, urls }
    }

    /// The names that count, in order, and the finds that do not; of the latter all, where they are explained.
    fn decide(&self, explains: bool) -> (Vec<Candidate>, Vec<Rejected>) {
        let (mut holding, mut doubtful, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
        for found in self.lexicon.automaton.find_overlapping_iter(&self.folded.text) {
            let pattern = self.lexicon.patterns[found.pattern().as_usize()];
            match self.judge(pattern, found.range()) {
                Judged::Holds(candidate) => holding.push(candidate),
                Judged::Doubtful(candidate, reason) => doubtful.push((candidate, reason)),
                // There may be one for each letter and name; they are kept for who asks.
                Judged::Fails(_) if !explains => {}
                Judged::Fails(reason) => {
                    rejected.extend(pattern.entry().map(|entry| (entry, found.range(), reason)));
                }
            }
        }
        let mut chosen = longest(holding);
        let mut beaten = chosen.beaten;
        if !doubtful.is_empty() {
            let (vouched, left) = self.vouched(&chosen.taken, doubtful);
            beaten.extend(left);
            chosen = longest(chosen.taken.into_iter().chain(vouched).collect());
            beaten.extend(chosen.beaten);
        }
        rejected.extend(beaten.into_iter().filter_map(|(candidate, reason)| match candidate.what {
            What::Name(entry, _) => Some((entry, candidate.range, reason)),
            What::Exclude => None,
        }));
        let taken: Vec<Range<usize>> = chosen.taken.iter().map(|candidate| candidate.range.clone()).collect();
        let misspelled = self.lexicon.fuzzy.search(&self.folded.text, &self.tokens, &taken);
        let misspelled = misspelled.into_iter().filter(|(range, _)| !self.is_in_address(range));
        let mut taken = chosen.taken;
        taken.extend(
            misspelled.map(|(range, entry)| Candidate { range, what: What::Name(entry, Rule::Fuzzy) }),
        );
        taken.sort_by_key(|candidate| candidate.range.start);
        (taken, rejected)
    }

    /// Holds a find against boundaries, endings, separators, case and context.
    fn judge(&self, pattern: Pattern, range: Range<usize>) -> Judged {
        let text = &self.folded.text;
        let before = text[..range.start].chars().next_back();
        let first = text[range.clone()].chars().next();
        if before.zip(first).is_some_and(|(before, first)| joined(before, first)) {
            return Judged::Fails(Rejection::InsideWord);
        }
        let entry = pattern.entry().map(|index| (index, &self.lexicon.entries[index]));
        let is_stem = matches!(pattern, Pattern::Stem(_));
        let Some(end) = self.ending(entry.map(|(_, entry)| entry), &range, is_stem) else {
            return Judged::Fails(Rejection::InsideWord);
        };
        let whole = range.start..end;
        let offsets = &self.folded.offsets;
        let (Some(seen), Some(name)) = (offsets.range(whole.clone()), offsets.range(range.clone())) else {
            return Judged::Fails(Rejection::InsideCharacter);
        };
        let Some((index, entry)) = entry else {
            return Judged::Holds(Candidate { range: whole, what: What::Exclude });
        };
        let is_exact = same_separators(&self.page.text[name.clone()], &entry.text);
        if !entry.loose && !is_exact {
            return Judged::Fails(Rejection::Separators);
        }
        if self.address_at(&seen).is_some_and(|url| !covers(&seen, url)) {
            return Judged::Fails(Rejection::Address);
        }
        let place = Place {
            text,
            tokens: &self.tokens,
            first: self.tokens.at(range.start),
            behind: self.tokens.at(end.saturating_sub(1)) + 1,
            shape: &shape(&self.page.text[name]),
            in_heading: self.page.block_at(seen.start).is_some_and(|block| self.page.blocks[block].heading),
        };
        let rule = match (end > range.end, is_exact) {
            (true, _) => Rule::Inflected,
            (false, true) => Rule::Exact,
            (false, false) => Rule::Loose,
        };
        let candidate = |rule| Candidate { range: whole, what: What::Name(index, rule) };
        match doubted(entry, &place) {
            None => Judged::Holds(candidate(rule)),
            Some(reason @ (Rejection::SentenceStart | Rejection::AlwaysCapital)) => {
                Judged::Doubtful(candidate(Rule::Vouched), reason)
            }
            Some(reason) => Judged::Fails(reason),
        }
    }

    /// Where a find ends with its ending; nothing where the word goes on otherwise. A stem needs an ending.
    fn ending(&self, entry: Option<&Entry>, range: &Range<usize>, is_stem: bool) -> Option<usize> {
        let text = &self.folded.text;
        let last = text[range.clone()].chars().next_back()?;
        let rest = &text[range.end..];
        let goes_on = rest.chars().next().is_some_and(|next| joined(last, next));
        if !goes_on && !is_stem {
            return Some(range.end);
        }
        // One letter more than the longest ending is none, however long the word is.
        let mut letters = rest.char_indices().take(LONGEST_ENDING + 1);
        let length = letters.find(|(_, next)| !is_word(*next)).map(|(at, _)| at);
        let length = length.or_else(|| (rest.len() <= 4 * LONGEST_ENDING).then_some(rest.len()))?;
        let languages = entry.map(|entry| entry.inflect.as_slice()).unwrap_or_default();
        languages.iter().any(|&language| is_ending(language, &rest[..length])).then_some(range.end + length)
    }

    /// The address that a range of the visible text touches.
    fn address_at(&self, seen: &Range<usize>) -> Option<&Url> {
        let next = self.urls.partition_point(|url| url.range.end <= seen.start);
        self.urls.get(next).filter(|url| url.range.start < seen.end)
    }

    fn is_in_address(&self, range: &Range<usize>) -> bool {
        self.folded.offsets.cover(range.clone()).is_some_and(|seen| self.address_at(&seen).is_some())
    }

    /// Of names that may as well be words, those that the rest of the answer makes names: the brand is named or
    /// cited elsewhere in it, or the name stands at the head of one of several blocks where another brand does.
    fn vouched(
        &self,
        sure: &[Candidate],
        doubtful: Vec<(Candidate, Rejection)>,
    ) -> (Vec<Candidate>, Vec<(Candidate, Rejection)>) {
        let mut known: BTreeSet<usize> =
            self.links().flat_map(|url| self.lexicon.addresses.brands_of(url)).collect();
        let mut headed: HashMap<Group, BTreeSet<usize>> = HashMap::new();
        for candidate in sure {
            if let Some(brand) = self.brand_of(candidate) {
                known.insert(brand);
                if let Some(group) = self.group_of(candidate) {
                    headed.entry(group).or_default().insert(brand);
                }
            }
        }
        let (vouched, left): (Vec<_>, Vec<_>) = doubtful.into_iter().partition(|(candidate, reason)| {
            let Some(brand) = self.brand_of(candidate) else { return false };
            let among_others = || {
                let brands = self.group_of(candidate).and_then(|group| headed.get(&group));
                brands.is_some_and(|brands| brands.iter().any(|other| *other != brand))
            };
            // "monday.com opens on Monday": another mention says nothing about a word that has a capital anyway.
            *reason == Rejection::SentenceStart && known.contains(&brand) || among_others()
        });
        (vouched.into_iter().map(|(candidate, _)| candidate).collect(), left)
    }

    fn brand_of(&self, candidate: &Candidate) -> Option<usize> {
        match candidate.what {
            What::Name(entry, _) => Some(self.lexicon.entries[entry].brand),
            What::Exclude => None,
        }
    }

    fn group_of(&self, candidate: &Candidate) -> Option<Group> {
        let seen = self.folded.offsets.cover(candidate.range.clone())?;
        head_at(&self.page, seen.start).map(|head| head.group)
    }

    fn mentions(&self, taken: &[Candidate]) -> Vec<Mention> {
        let mut mentions: Vec<Mention> = Vec::new();
        let mut end = 0;
        for candidate in taken {
            let What::Name(entry, rule) = candidate.what else { continue };
            let Some(mut mention) = self.mention(&candidate.range, entry, rule) else { continue };
            // "instead of A and B" speaks of both alike.
            if let Some(last) = mentions.last()
                && is_coordinated(&self.folded.text[end..candidate.range.start])
                && !last.polarity.is_positive()
                && mention.polarity.is_positive()
            {
                mention.polarity = last.polarity;
            }
            end = candidate.range.end;
            mentions.push(mention);
        }
        mentions
    }

    fn mention(&self, range: &Range<usize>, entry: usize, rule: Rule) -> Option<Mention> {
        let entry = &self.lexicon.entries[entry];
        let seen = self.folded.offsets.cover(range.clone())?;
        let head = head_at(&self.page, seen.start);
        let surroundings = Surroundings {
            text: &self.folded.text,
            tokens: &self.tokens,
            first: self.tokens.at(range.start),
            behind: self.tokens.at(range.end.saturating_sub(1)) + 1,
            list: head.filter(|head| head.number.is_some()).map(|head| fold(lead(&self.page, &head)).text),
        };
        Some(Mention {
            brand: Arc::clone(&self.lexicon.brands[entry.brand].id),
            alias: Arc::clone(&entry.text),
            range: self.page.offsets.cover(seen)?,
            rule,
            polarity: polarity(&surroundings),
            item: head.and_then(|head| head.number),
        })
    }

    /// Names in what is not the answer's own saying.
    fn in_foreign(&self) -> Vec<Rejected> {
        let mut rejected = Vec::new();
        for foreign in &self.foreign {
            for found in self.lexicon.automaton.find_overlapping_iter(&foreign.text) {
                let pattern = self.lexicon.patterns[found.pattern().as_usize()];
                let is_part = |at: usize| {
                    let (left, right) = foreign.text.split_at(at);
                    left.chars().next_back().zip(right.chars().next()).is_some_and(|(a, b)| joined(a, b))
                };
                if let (Pattern::Name(entry), false) =
                    (pattern, is_part(found.start()) || is_part(found.end()))
                {
                    let start = foreign.range.start;
                    rejected.push((entry, start + found.start()..start + found.end(), foreign.reason));
                }
            }
        }
        rejected
    }

    fn rejection(&self, entry: usize, range: Range<usize>, reason: Rejection) -> Option<Considered> {
        let raw = self.page.offsets.cover(self.folded.offsets.cover(range)?)?;
        let alias = Arc::clone(&self.lexicon.entries[entry].text);
        Some(Considered { range: raw, alias, outcome: Outcome::Rejected(reason) })
    }

    /// All addresses: targets of links, then those that are written out.
    fn links(&self) -> impl Iterator<Item = &str> {
        let written = self.urls.iter().map(|url| &self.page.text[url.range.clone()]);
        self.page.addresses.iter().map(String::as_str).chain(written)
    }

    /// Addresses whose host is a brand's, or that hold one of its names. A link whose text is its address is one.
    fn citations(&self) -> Vec<Citation> {
        let mut seen: HashSet<&str> = HashSet::new();
        let new = self.links().filter(|url| seen.insert(url));
        new.flat_map(|url| {
            self.lexicon.addresses.brands_of(url).into_iter().map(|brand| Citation {
                brand: Arc::clone(&self.lexicon.brands[brand].id),
                url: url.to_owned(),
            })
        })
        .collect()
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
