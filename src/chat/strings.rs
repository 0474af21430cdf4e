//! Where the strings under a path of keys stand in a JSON text.

use std::ops::Range;

use super::json::{Cursor, Kind, Malformed};
use super::text::decode_string;

/// The strings at a path of keys, where lists on the way are gone through; each with its place in the first of them.
pub(super) fn strings_at(text: &str, path: &[&str]) -> Result<Vec<(usize, Range<usize>)>, Malformed> {
    let mut found = Vec::new();
    walk(&mut Cursor::new(text), path, None, &mut found)?;
    Ok(found)
}

fn walk(
    cursor: &mut Cursor<'_>,
    path: &[&str],
    index: Option<usize>,
    found: &mut Vec<(usize, Range<usize>)>,
) -> Result<(), Malformed> {
    match (cursor.kind()?, path) {
        (Kind::Array, _) => {
            let mut more = cursor.enter(b'[')?;
            let mut number = 0;
            while more {
                walk(cursor, path, index.or(Some(number)), found)?;
                number += 1;
                more = cursor.another(b'[')?;
            }
        }
        (Kind::Object, [key, rest @ ..]) => {
            let mut more = cursor.enter(b'{')?;
            while more {
                if decode_string(cursor.key()?) == **key {
                    walk(cursor, rest, index, found)?;
                } else {
                    cursor.skip_value()?;
                }
                more = cursor.another(b'{')?;
            }
        }
        (Kind::String, []) => found.push((index.unwrap_or(0), cursor.string()?)),
        _ => {
            cursor.skip_value()?;
        }
    }
    Ok(())
}
