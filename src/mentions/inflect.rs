//! Endings that a name takes in a sentence, language by language. Lists instead of stemming, which is too blunt
//! for names. Possessives of English are always allowed and are not listed here.

use std::fmt;

/// A language whose endings are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// Czech.
    Cs,
    /// Danish.
    Da,
    /// German.
    De,
    /// English: plurals.
    En,
    /// Spanish: plurals.
    Es,
    /// Estonian.
    Et,
    /// Finnish.
    Fi,
    /// French: plurals.
    Fr,
    /// Hungarian.
    Hu,
    /// Italian has none for names; listed so that a brand may name it.
    It,
    /// Korean particles.
    Ko,
    /// Dutch.
    Nl,
    /// Norwegian.
    No,
    /// Polish.
    Pl,
    /// Portuguese: plurals.
    Pt,
    /// Russian.
    Ru,
    /// Swedish.
    Sv,
    /// Turkish.
    Tr,
    /// Ukrainian.
    Uk,
}

const TAGS: &[(&str, Language)] = &[
    ("cs", Language::Cs),
    ("da", Language::Da),
    ("de", Language::De),
    ("en", Language::En),
    ("es", Language::Es),
    ("et", Language::Et),
    ("fi", Language::Fi),
    ("fr", Language::Fr),
    ("hu", Language::Hu),
    ("it", Language::It),
    ("ko", Language::Ko),
    ("nl", Language::Nl),
    ("no", Language::No),
    ("nb", Language::No),
    ("nn", Language::No),
    ("pl", Language::Pl),
    ("pt", Language::Pt),
    ("ru", Language::Ru),
    ("sv", Language::Sv),
    ("tr", Language::Tr),
    ("uk", Language::Uk),
];

impl Language {
    /// The language of a BCP 47 tag such as `de` or `de-AT`; nothing for those without a list.
    pub fn from_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next().unwrap_or(tag).to_ascii_lowercase();
        TAGS.iter().find(|(known, _)| *known == primary).map(|(_, language)| *language)
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        TAGS.iter().find(|(_, language)| *language == self).map_or("", |(tag, _)| tag)
    }

    /// Endings as they are folded, parted by spaces. They are written directly behind the name, or after an
    /// apostrophe or a colon.
    fn endings(self) -> &'static str {
        match self {
            Language::En => "s es",
            Language::De => "s es e en n er ern",
            Language::Nl => "s en je jes tje tjes",
            Language::Sv | Language::Da | Language::No => {
                "s en ens et ets n ns er erne ernes erna ernas ar arna arnas or orna"
            }
            Language::Fr | Language::Es | Language::Pt => "s es",
            Language::It => "",
            Language::Fi => FINNISH,
            Language::Et => ESTONIAN,
            Language::Hu => HUNGARIAN,
            Language::Tr => TURKISH,
            Language::Pl => "a u em ie y i ę ą owi ów om ami ach e o owie ą iem owie ze cie",
            Language::Cs => "a u e em ě y ů ům i ovi ou o ech ích ami",
            Language::Ru => "а у ом ем е ы и ов ам ами ах ой ою ю я ей ью ям ями ях",
            Language::Uk => "а у ом ем і и ів ам ами ах ою ові єм ю я ей ям ями ях",
            Language::Ko => KOREAN,
        }
    }

    /// Letters that come between a name and an ending, or are doubled before it.
    fn links(self) -> &'static [&'static str] {
        match self {
            Language::Fi => &["", "i", "e"],
            Language::Sv | Language::Da | Language::No => &["", "e"],
            _ => &[""],
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.tag())
    }
}

/// Letters of the longest ending, with what links it to the name.
pub(super) const LONGEST_ENDING: usize = 8;

/// Cases in the singular and plural, with possessives and the common clitics.
const FINNISH: &str = "n a ä ta tä tta ttä ssa ssä sta stä an en in on un yn än ön han hen hin hon hun hyn hän hön \
    seen lla llä lta ltä lle na nä ksi tta ttä t den iden ien jen ten ja jä ita itä ia iä issa issä ista istä ihin \
    illa illä ilta iltä ille ina inä iksi oita öitä oiden öiden oja öjä ni si nsa nsä mme nne kin kaan kään ko kö \
    nkin lla llakin lläkin ssakin ssäkin stakin stäkin lleen nsakin han hän pa pä";

const ESTONIAN: &str = "i e a u t d s st sse l lt le ks ni na ta ga de te id del delt dele des dest desse ga \
    il ilt ile is ist isse iks iga ina ita ini el elt ele es est esse eks ega al alt ale as ast asse aks aga";

const HUNGARIAN: &str = "t ot et öt at nak nek val vel ban ben ba be ból ből ról ről ra re on en ön n nál nél tól től \
    hoz hez höz ért ként ig ok ek ök k ja je a e os es ös";

const TURKISH: &str = "in un ün nin nun nün i u ü yi yu yü e a ye ya de da te ta den dan ten tan le la yle yla ler lar \
    lerin ların leri ları si su sü ki deki daki teki taki dir dur dür tir tur tür ca ce li lu lü siz suz süz nda nde \
    ndan nden";

const KOREAN: &str = "은 는 이 가 을 를 의 에 에서 에게 와 과 도 로 으로 만 까지 부터 이나 나 보다 처럼 라는 이라는 \
    라고 이라고 입니다 이다 예요 이에요 에는 에서는 로는 으로는 의경우 랑 이랑 하고 에도 인 들 들은 들이 들의 사 측 측은";

/// Whether `rest`, what a word goes on with behind a name, is an ending. Both are folded.
pub(super) fn is_ending(language: Language, rest: &str) -> bool {
    language.links().iter().any(|link| {
        rest.strip_prefix(link).is_some_and(|rest| {
            !rest.is_empty()
                && language.endings().split_ascii_whitespace().any(|ending| equal_folded(ending, rest))
        })
    })
}

/// Turkish ı is folded to i, so its endings are listed with i alone.
fn equal_folded(ending: &str, rest: &str) -> bool {
    ending == rest || ending.contains('ı') && ending.replace('ı', "i") == rest
}

/// Stems that a name has before endings: "Reponen" is "Repose-" in Finnish.
pub(super) fn stems(name: &str, languages: &[Language]) -> Vec<String> {
    let mut out = Vec::new();
    if languages.contains(&Language::Fi) {
        if let Some(stem) = name.strip_suffix("nen") {
            out.push(format!("{stem}se"));
            out.push(format!("{stem}s"));
        }
        // Gradation of doubled stops: "Artekki" is "Arteki-".
        for (strong, weak) in
            [("kki", "ki"), ("kka", "ka"), ("kko", "ko"), ("ppi", "pi"), ("tti", "ti"), ("tto", "to")]
        {
            if let Some(stem) = name.strip_suffix(strong) {
                out.push(format!("{stem}{weak}"));
            }
        }
    }
    let slavic_feminine = [Language::Pl, Language::Cs, Language::Ru, Language::Uk];
    if languages.iter().any(|language| slavic_feminine.contains(language)) {
        for ending in ["a", "а", "я"] {
            if let Some(stem) = name.strip_suffix(ending).filter(|stem| stem.chars().count() >= 3) {
                out.push(stem.to_owned());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Language, is_ending};

    #[test]
    fn endings_are_those_of_the_language() {
        for (tag, rest, expected) in [
            ("fi", "lla", true),
            ("fi", "illa", true),
            ("fi", "in", true),
            ("fi", "house", false),
            ("de", "s", true),
            ("de", "konzern", false),
            ("tr", "in", true),
            ("ko", "는", true),
            ("ru", "ом", true),
            ("it", "s", false),
            ("en", "", false),
        ] {
            assert_eq!(is_ending(Language::from_tag(tag).unwrap(), rest), expected, "{tag} {rest}");
        }
        for (_, language) in super::TAGS {
            for ending in language.endings().split_ascii_whitespace() {
                let link = language.links().iter().map(|link| link.len()).max().unwrap();
                assert!(ending.chars().count() + link <= super::LONGEST_ENDING, "{language} {ending}");
            }
        }
        assert_eq!(Language::from_tag("de-AT"), Some(Language::De));
        assert_eq!(Language::from_tag("xx"), None);
    }
}
