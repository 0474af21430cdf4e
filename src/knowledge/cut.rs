//! Long text is cut at paragraph bounds, then at sentence bounds, without overlap.

/// Cuts `text` into parts of at most `limit` bytes, where sentences allow it. Nothing is lost but the
/// white space at the cuts.
pub(super) fn cut(text: &str, limit: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        if paragraph.len() <= limit {
            append(&mut parts, paragraph, "\n\n", limit);
        } else {
            let mut first = true;
            for sentence in sentences(paragraph) {
                // A paragraph that is cut begins a part of its own.
                if std::mem::take(&mut first) {
                    parts.push(sentence.to_owned());
                } else {
                    append(&mut parts, sentence, " ", limit);
                }
            }
        }
    }
    parts
}

fn append(parts: &mut Vec<String>, piece: &str, between: &str, limit: usize) {
    match parts.last_mut() {
        Some(last) if last.len() + between.len() + piece.len() <= limit => {
            last.push_str(between);
            last.push_str(piece);
        }
        _ => parts.push(piece.to_owned()),
    }
}

/// Sentences end at `.`, `!` or `?` before white space, at their full-width forms, and at line breaks.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut characters = paragraph.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let end = at + character.len_utf8();
        let before_space = characters.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = match character {
            '.' | '!' | '?' => before_space,
            '。' | '！' | '？' | '\n' => true,
            _ => false,
        };
        if ends {
            sentences.push(paragraph[start..end].trim());
            start = end;
        }
    }
    sentences.push(paragraph[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn text_is_cut_at_paragraphs_then_at_sentences() {
        for (text, limit, expected) in [
            ("one\n\ntwo", 20, vec!["one\n\ntwo"]),
            ("one\n\ntwo", 4, vec!["one", "two"]),
            ("A b c. D e f. G.", 9, vec!["A b c.", "D e f. G."]),
            ("v1.2 is out. Yes.", 12, vec!["v1.2 is out.", "Yes."]),
            ("一つ。二つ。", 10, vec!["一つ。", "二つ。"]),
            ("averylongwordwithoutend", 5, vec!["averylongwordwithoutend"]),
            ("\n\n \n\n", 5, vec![]),
        ] {
            assert_eq!(cut(text, limit), expected, "{text:?}");
        }
    }
}
