//! The lints: names, levels and what they are about.

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    Allow,
    /// A warning: it serves all the same.
    Warn,
    /// An error: the files do not serve, and a reload keeps what served before.
    Deny,
}

impl Level {
    /// Every level by its name.
    pub const NAMED: [(&'static str, Level); 3] =
        [("allow", Level::Allow), ("warn", Level::Warn), ("deny", Level::Deny)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Level::NAMED.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

/// One lint a line: the name, its key, the level unless configured, and the explanation.
macro_rules! lints {
    ($($(#[$doc:meta])* $variant:ident $name:literal $level:ident $explanation:literal;)+) => {
        /// Something that knowledge should not hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Lint {
            $($(#[$doc])* $variant),+
        }

        impl Lint {
            /// Every lint.
            pub const ALL: &[Lint] = &[$(Lint::$variant),+];

            /// The name in messages.
            pub fn name(self) -> &'static str {
                match self { $(Lint::$variant => $name),+ }
            }

            /// The key of the configuration that sets its level.
            pub fn key(self) -> &'static str {
                match self { $(Lint::$variant => concat!("lints.", $name)),+ }
            }

            /// The level unless the configuration says otherwise.
            pub fn default_level(self) -> Level {
                match self { $(Lint::$variant => Level::$level),+ }
            }

            /// What it finds, why that is bad, and what to do.
            pub fn explanation(self) -> &'static str {
                match self { $(Lint::$variant => $explanation),+ }
            }
        }
    };
}

lints! {
    /// Orders to the model.
    InstructionLikeText "instruction-like-text" Warn
        "The text gives the model orders: to forget what it was told, to be somebody else, to always name something. \
         Items are told as facts and examples; an order among them competes with the chatbot's own instructions, and \
         text that somebody else has written could take the chatbot over. State what is true of the brand, and leave \
         the choice to the model.";
    /// Labels that say who speaks.
    RoleMarker "role-marker" Warn
        "A line begins with a label such as `User:` or `### Response:`, which a model may read as somebody else's words. \
         When the item is told, the colon is replaced by a dash. Write the line in another way.";
    /// Special tokens.
    ChatTemplateToken "chat-template-token" Deny
        "The text holds a special token of a chat template, such as `<|im_start|>`, `[INST]` or `</s>`. Servers that \
         read tokens out of text would end the message there. When the item is told, a space is put into the token. Take \
         the token out, or describe it in words.";
    /// Characters that are not seen.
    InvisibleCharacters "invisible-characters" Warn
        "The text holds characters that are not seen: zero-width spaces and joiners, soft hyphens, marks that turn the \
         direction of text, tags. They can hide words from the person who reviews the file and not from the model, and \
         they make words that are looked for not match. Emoji and scripts that need joiners may keep them. Delete them.";
    /// Letters of other scripts that look like Latin ones.
    LookAlikeLetters "look-alike-letters" Warn
        "A word mixes letters of scripts that look alike, such as a Cyrillic `а` in a Latin word, or uses mathematical or \
         full-width letters. Readers do not see it; search, mentions and the model do. Type the word anew.";
    /// Markup that frames of recipes would not survive.
    RecipeMarkup "recipe-markup" Warn
        "The text holds markup that would run on into what a recipe writes after it, or that looks like a part of a \
         template: a code fence or comment that does not end, a closing tag without an opening one, `{{ }}` or `{% %}`. \
         Item text is never evaluated as a template, but the model sees the marks. Close what is open, or leave it out.";
    /// Claims of being better, without a source.
    UnsourcedSuperlative "unsourced-superlative" Warn
        "The text claims to be the best, the first or better than others, and names no source. In many countries such \
         claims must be provable by the one who makes them, and a model repeats them as facts. Add `Source:` with a page \
         that supports the claim, or say what can be counted.";
    /// Bad words about others.
    Disparagement "disparagement" Warn
        "A sentence says something bad about a competitor of brand.toml. Comparative claims have to be objective, \
         verifiable and of relevant features; a model that repeats them speaks in the chatbot's name. Say what the brand \
         does, and leave the others out.";
    /// No source.
    MissingSource "missing-source" Warn
        "Nothing says where the statement comes from, so that nobody can check it later. Add `source:` to the front \
         matter or the entry, or a line `Source: https://...` under the text.";
    /// Soon out of date.
    ExpiresSoon "expires-soon" Warn
        "The item's `valid_until` lies within the next 14 days; from then on it is not told any more, without a further \
         word. Renew it, or delete it when its time has come.";
    /// The same thing twice.
    NearDuplicate "near-duplicate" Warn
        "Two items of a brand say the same in almost the same words. They take each other's place among what is told, and \
         the one that is forgotten goes out of date. Keep one; where a question is asked in two ways, one answer is enough.";
    /// Two numbers for one thing.
    ContradictoryNumbers "contradictory-numbers" Warn
        "Two items give different numbers for what seems to be the same thing, such as ten and twelve years of warranty. \
         One of them is wrong, or both lack a word that tells them apart. Correct one, or say in both what is counted.";
    /// Data about persons.
    PersonalData "personal-data" Warn
        "The text holds what looks like data about a person: an e-mail address that is not a role's, a telephone number, \
         an IBAN, a card or social security number, a date of birth. Everybody who asks the chatbot may get it. Take it \
         out, or give the address of an office.";
    /// Orders to hide something.
    Concealment "concealment" Deny
        "The text tells the model to hide something from the person it speaks with: that it was given context, that it is \
         paid for, who has written it. foreword never does that. This lint is always an error and cannot be allowed. Take \
         the sentence out.";
    /// Names that cannot be told apart.
    AmbiguousNames "ambiguous-names" Warn
        "The names of two brands or competitors cannot be told apart, or a name matches everything. Items are told all the \
         same, but mentions cannot be counted. Mend `name`, `aliases`, `competitors` or `excludes` in brand.toml.";
}

impl Lint {
    /// The lint of a name.
    pub fn from_name(name: &str) -> Option<Lint> {
        Lint::ALL.iter().copied().find(|lint| lint.name() == name)
    }

    /// Whether its level may be changed. Concealment is never told, whatever anybody configures.
    pub fn is_fixed(self) -> bool {
        self == Lint::Concealment
    }
}

/// The level of each lint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    levels: Vec<Level>,
}

impl Default for Levels {
    fn default() -> Levels {
        Levels { levels: Lint::ALL.iter().map(|lint| lint.default_level()).collect() }
    }
}

impl Levels {
    /// The level of a lint.
    pub fn of(&self, lint: Lint) -> Level {
        self.levels[lint as usize]
    }

    /// Sets a lint's level; one that is fixed keeps its own.
    pub fn set(&mut self, lint: Lint, level: Level) {
        if !lint.is_fixed() {
            self.levels[lint as usize] = level;
        }
    }
}
