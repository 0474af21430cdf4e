//! Text without what tells who wrote it, as far as patterns can know. Too much is taken out rather than too little;
//! a name that stands for itself stays.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Letters, digits and signs from which a word of many kinds is a secret rather than a word.
const SECRET_LETTERS: usize = 12;

/// What is replaced by what, in this order. A group `kept` stays in front.
static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"(?i)\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.)\S+", "[link]"),
        (r"(?i)[\p{L}\p{N}._%+'-]+\s?(?:@|\(at\)|\[at\])\s?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*", "[e-mail]"),
        (r"(?P<kept>^|[^\p{L}\p{N}])@[\p{L}\p{N}_.]{2,}", "[name]"),
        (r"(?i)(?:/home/|/users/|[a-z]:[\\/])\S+", "[path]"),
        // A secret that is called one: up to two words of joining, or a sign, then the secret.
        (
            r"(?ix)(?P<kept>\b(?:password|passwort|passphrase|passcode|pwd|pin|token|secret|kennwort|credentials?|login
            |api[\ _-]?key|access[\ _-]?key|mot\ de\ passe|contraseña|senha|пароль)\b\s*
            (?:\s(?:is|was|ist|war|lautet|est|es|é)\b|[:=→])\s*)[^\s]+",
            "[secret]",
        ),
        (r"\b(?:sk|pk|rk|ghp|gho|ghs|ghu|github_pat|glpat|xox[abprs]|AKIA|ASIA|AIza|eyJ)[-_A-Za-z0-9.]{8,}", "[secret]"),
        // Who says what they are called.
        (
            r"(?x)(?P<kept>(?i:\b(?:my\ name\ is|my\ name's|i\ am\ called|i'm\ called|call\ me|mein\ name\ ist|ich\ heiße|ich\ heisse
            |je\ m'appelle|mon\ nom\ est|me\ llamo|mi\ nombre\ es|mi\ chiamo|meu\ nome\ é|ik\ heet|jag\ heter|меня\ зовут)\s+))
            [\p{L}'’-]+(?:\s+\p{Lu}[\p{L}'’-]*){0,3}",
            "[name]",
        ),
        (
            r"(?x)(?P<kept>\b(?i:mr|mrs|ms|miss|dr|prof|sir|madam|herrn?|frau|fräulein|monsieur|madame|mme|señora?|signora?)\b\.?\s+)
            \p{Lu}[\p{L}'’-]*(?:\s+\p{Lu}[\p{L}'’-]*){0,2}",
            "[name]",
        ),
    ]
    .into_iter()
    .map(|(rule, mark)| (pattern(rule), mark))
    .collect()
});

/// Words between white space, and runs of digits with what stands between them.
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"\S+"));
static DIGITS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[+(]{0,2}\d(?:[\s().,/:+–-]{0,3}\d)*"));

#[expect(clippy::expect_used, reason = "constants, each compiled by the tests")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern is sound")
}

/// The text without addresses, links, paths, secrets, names that are introduced as such, and numbers of three digits or
/// more; in one line.
pub(super) fn redacted(text: &str) -> String {
    let mut text = text
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .collect::<Vec<_>>()
        .join(" ");
    for (rule, mark) in RULES.iter() {
        let replaced = rule.replace_all(&text, |found: &Captures<'_>| {
            format!("{}{mark}", found.name("kept").map_or("", |kept| kept.as_str()))
        });
        if let Cow::Owned(replaced) = replaced {
            text = replaced;
        }
    }
    let text = WORD.replace_all(&text, |found: &Captures<'_>| {
        if is_secret(&found[0]) { "[secret]".to_owned() } else { found[0].to_owned() }
    });
    let text = DIGITS.replace_all(&text, |found: &Captures<'_>| {
        let digits = found[0].chars().filter(|letter| letter.is_numeric()).count();
        if digits < 3 { found[0].to_owned() } else { "[number]".to_owned() }
    });
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A long word of letters and digits, or one that changes its case again and again, is no word.
fn is_secret(word: &str) -> bool {
    if word.starts_with('[') || word.chars().count() < SECRET_LETTERS {
        return false;
    }
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let letters = word.chars().filter(|letter| letter.is_alphabetic()).count();
    let pairs = || word.chars().zip(word.chars().skip(1));
    let rises = pairs().filter(|(one, next)| one.is_lowercase() && next.is_uppercase()).count();
    (digits >= 2 && letters >= 2) || rises >= 3
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn what_tells_who_wrote_it_is_taken_out() {
        for (text, expected) in [
            ("Mail jane.doe@acme.com or jane (at) acme.com", "Mail [e-mail] or [e-mail]"),
            ("see https://a.example/?user=jane and www.b.example/x now", "see [link] and [link] now"),
            ("call +49 (0)30 123-45 67, please", "call [number], please"),
            ("Tel. 030/1234567 or 555-1234", "Tel. [number] or [number]"),
            ("my card is 4111 1111 1111 1111", "my card is [number]"),
            ("IBAN DE89 3704 0044 0532 0130 00", "IBAN DE[number]"),
            ("geboren am 12.5.1980", "geboren am [number]"),
            ("my password is hunter2, help", "my password is [secret] help"),
            ("Mein Passwort lautet geheim!", "Mein Passwort lautet [secret]"),
            ("API key: abc", "API key: [secret]"),
            ("use sk-proj-abcdefghij please", "use [secret] please"),
            ("what is AbCdEfGhIjKlMnOp", "what is [secret]"),
            ("decode 9f86d081884c7d65", "decode [secret]"),
            ("Hello, my name is jane Doe and I forge", "Hello, my name is [name] and I forge"),
            ("ich heiße Jörg Müller, hallo", "ich heiße [name], hallo"),
            ("Ask Dr. Jane Doe about it", "Ask Dr. [name] about it"),
            ("@janedoe wrote it", "[name] wrote it"),
            ("open /home/jane/letter.txt", "open [path]"),
            ("one\n two\u{0}\tthree", "one two three"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn what_a_question_is_about_stays() {
        for text in [
            "How do I reset my password?",
            "Which anvil is the lightest to carry?",
            "Do you ship 2 anvils to Spain?",
            "Wie lange dauert die Donaudampfschifffahrtsgesellschaft?",
            "Is PostgreSQL or SQLite better for FeatherAnvil?",
            "鉄床の保証はありますか？",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
