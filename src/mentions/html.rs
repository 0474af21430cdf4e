//! HTML inside of an answer: which tags are tags, what they leave to be seen, and the entities of raw HTML.
//! It does not check that tags are closed.

use std::ops::Range;

/// A piece of HTML source.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes that are seen as they are.
    Text(Range<usize>),
    /// An entity, and what it stands for.
    Entity(Range<usize>, char),
    /// A tag that ends a line.
    Break,
    /// An address in a tag.
    Address(Range<usize>),
}

/// Tags that begin or end a line.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Tags within a line.
const INLINE: &[&str] = &[
    "a", "abbr", "audio", "b", "big", "button", "cite", "code", "del", "dfn", "em", "font", "i", "iframe",
    "img", "input", "ins", "kbd", "label", "mark", "q", "s", "samp", "script", "small", "source", "span",
    "strike", "strong", "style", "sub", "sup", "svg", "template", "time", "tt", "u", "var", "video", "wbr",
];

/// Tags whose content is not seen.
const HIDDEN: &[&str] = &["script", "style", "template"];

/// Entities that answers use; others stay as they are written.
const ENTITIES: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("shy", '\u{ad}'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("copy", '©'),
    ("reg", '®'),
    ("trade", '™'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("aring", 'å'),
    ("Aring", 'Å'),
    ("oslash", 'ø'),
    ("Oslash", 'Ø'),
    ("aelig", 'æ'),
    ("AElig", 'Æ'),
    ("eacute", 'é'),
    ("Eacute", 'É'),
    ("egrave", 'è'),
    ("ecirc", 'ê'),
    ("euml", 'ë'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("iacute", 'í'),
    ("uacute", 'ú'),
];

/// Cuts raw HTML into pieces; ranges are offsets into `html`.
pub(super) fn pieces(html: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut text_from = 0;
    while let Some(found) = html[at..].find(['<', '&']) {
        let start = at + found;
        let rest = &html[start..];
        let len =
            if rest.starts_with('<') { tag_length(html, start) } else { entity(rest).map(|(len, _)| len) };
        let Some(len) = len else {
            at = start + 1;
            continue;
        };
        if text_from < start {
            out.push(Piece::Text(text_from..start));
        }
        at = start + len;
        text_from = at;
        match entity(rest) {
            Some((_, character)) => out.push(Piece::Entity(start..at, character)),
            None => tag_pieces(html, start..at, &mut out),
        }
    }
    if text_from < html.len() {
        out.push(Piece::Text(text_from..html.len()));
    }
    out
}

/// The length of a comment or of a tag of HTML at `start`; for a hidden tag up to the end of its content.
fn tag_length(html: &str, start: usize) -> Option<usize> {
    let rest = &html[start..];
    if rest.starts_with("<!--") {
        return Some(rest.find("-->").map_or(rest.len(), |end| end + 3));
    }
    let name = tag_name(rest)?;
    let end = rest.find('>').map_or(rest.len(), |end| end + 1);
    if rest.starts_with("</") || !HIDDEN.contains(&name.as_str()) {
        return Some(end);
    }
    let closes = |at: &usize| {
        rest.as_bytes()[at + 2..]
            .get(..name.len())
            .is_some_and(|tag| tag.eq_ignore_ascii_case(name.as_bytes()))
    };
    let Some(close_at) = rest.match_indices("</").map(|(at, _)| at).find(closes) else {
        return Some(rest.len());
    };
    Some(rest[close_at..].find('>').map_or(rest.len(), |tail| close_at + tail + 1))
}

/// The name of a tag that HTML knows, in lower case. Others, such as `<T>` of a type, are text.
pub(super) fn tag_name(tag: &str) -> Option<String> {
    let inner = tag.strip_prefix("</").or_else(|| tag.strip_prefix('<'))?;
    let len = inner.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(inner.len());
    let after = inner[len..].chars().next();
    let name = inner[..len].to_ascii_lowercase();
    let ends = after.is_some_and(|character| character.is_whitespace() || matches!(character, '>' | '/'));
    (ends && (is_block(&name) || INLINE.contains(&name.as_str()))).then_some(name)
}

fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name)
}

fn tag_pieces(html: &str, tag: Range<usize>, out: &mut Vec<Piece>) {
    let source = &html[tag.clone()];
    let Some(name) = tag_name(source) else { return };
    if is_block(&name) {
        out.push(Piece::Break);
    }
    for key in ["href=", "src="] {
        if let Some(found) = source.to_ascii_lowercase().find(key) {
            let from = found + key.len();
            let quote = source[from..].chars().next().filter(|character| matches!(character, '"' | '\''));
            let from = from + usize::from(quote.is_some());
            let len = source[from..]
                .find(|character: char| match quote {
                    Some(quote) => character == quote,
                    None => character.is_whitespace() || character == '>',
                })
                .unwrap_or(source.len() - from);
            out.push(Piece::Address(tag.start + from..tag.start + from + len));
        }
    }
}

/// The entity at the start of `text`: its length and what it stands for.
fn entity(text: &str) -> Option<(usize, char)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(10).position(|byte| byte == b';')?;
    let name = &body[..end];
    let character = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|character| *character != '\0')?
        }
        None => ENTITIES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((end + 2, character))
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    fn seen(html: &str) -> String {
        pieces(html)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(range) => html[range].to_owned(),
                Piece::Entity(_, character) => character.to_string(),
                Piece::Break => "|".to_owned(),
                Piece::Address(range) => format!("[{}]", &html[range]),
            })
            .collect()
    }

    #[test]
    fn tags_go_and_text_stays() {
        for (html, expected) in [
            ("<p>Doc<b>Array</b></p>", "|DocArray|"),
            ("Vec<DocArray> a<b", "Vec<DocArray> a<b"),
            ("AT&amp;T &#65;&#x42; &x; & &#0;", "AT&T AB &x; & &#0;"),
            ("<!-- Acme -->x<script>Acme</script>y<style>Acme", "xy"),
            ("<a href='https://acme.io'>A</a><img src=b.png>", "[https://acme.io]A[b.png]"),
            ("<a href=", "[]"),
            ("<", "<"),
            ("&", "&"),
        ] {
            assert_eq!(seen(html), expected, "{html}");
        }
    }
}
