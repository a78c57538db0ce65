//! Rust source with what is not code blanked out, and its identifiers. A rule must not trip over a comment that says
//! what a module knows nothing of, nor over a sentence for the witness.

/// `source` with comments and the insides of string and character literals turned into spaces; lines stay lines.
pub(super) fn code_only(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut code = String::with_capacity(source.len());
    let blank = |code: &mut String, from: usize, to: usize| {
        code.extend((from..to.min(characters.len())).map(|index| if at(index) == '\n' { '\n' } else { ' ' }));
    };
    let mut index = 0;
    while index < characters.len() {
        let end = match (at(index), at(index + 1)) {
            ('/', '/') => line_end(&characters, index),
            ('/', '*') => comment_end(&characters, index),
            ('"', _) => string_end(&characters, index + 1),
            ('r', '"' | '#') if !within_word(&code) => raw_string_end(&characters, index + 1).unwrap_or(index),
            ('\'', '\\') => (index + 3..characters.len()).find(|&end| at(end) == '\'').map_or(index, |end| end + 1),
            ('\'', _) if at(index + 2) == '\'' => index + 3,
            _ => index,
        };
        if end > index {
            blank(&mut code, index, end);
            index = end;
        } else {
            code.push(at(index));
            index += 1;
        }
    }
    code
}

/// Whether the code so far ends inside a word, so that an `r` is no raw string's. `b` and `c` may stand before it.
fn within_word(code: &str) -> bool {
    let before = code.trim_end_matches(['b', 'c']);
    before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn line_end(characters: &[char], from: usize) -> usize {
    characters.iter().skip(from).position(|&c| c == '\n').map_or(characters.len(), |length| from + length)
}

/// The end of a block comment; they nest.
fn comment_end(characters: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = from;
    while let (Some(one), next) = (characters.get(index), characters.get(index + 1)) {
        match (one, next) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                index += 1;
                continue;
            }
        }
        index += 2;
        if depth == 0 {
            return index;
        }
    }
    characters.len()
}

fn string_end(characters: &[char], from: usize) -> usize {
    let mut index = from;
    while let Some(&character) = characters.get(index) {
        match character {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    characters.len()
}

/// The end of a raw string whose marks begin at `from`; `None` when there is none, as in `r#type`.
fn raw_string_end(characters: &[char], from: usize) -> Option<usize> {
    let marks = characters.iter().skip(from).take_while(|&&c| c == '#').count();
    let opened = from + marks;
    if characters.get(opened) != Some(&'"') {
        return None;
    }
    let closes = |&end: &usize| {
        characters.get(end) == Some(&'"')
            && characters.iter().skip(end + 1).take(marks).filter(|&&c| c == '#').count() == marks
    };
    Some((opened + 1..characters.len()).find(closes).map_or(characters.len(), |end| end + 1 + marks))
}

/// An identifier in code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// Counted from 1.
    pub(super) line: usize,
    /// Whether it names a part of a path: `::` stands beside it, or it stands in a `use`.
    pub(super) in_path: bool,
}

/// Every identifier of `code`, which holds code only.
pub(super) fn words(code: &str) -> Vec<Word<'_>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut line = 1;
    // A `use` lasts to its semicolon, over lines and braces.
    let mut in_use = false;
    let mut rest = code;
    while let Some(start) = rest.find(is_part) {
        let (gap, from_word) = rest.split_at(start);
        let end = from_word.find(|c: char| !is_part(c)).unwrap_or(from_word.len());
        let (text, after) = from_word.split_at(end);
        line += gap.matches('\n').count();
        in_use &= !gap.contains(';');
        in_use |= text == "use";
        let in_path = in_use || gap.ends_with("::") || after.starts_with("::");
        // A raw identifier's mark is no word.
        if !(text == "r" && after.starts_with('#')) {
            found.push(Word { text, line, in_path });
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        words(&code_only(source)).into_iter().map(|word| word.text.to_owned()).collect()
    }

    #[test]
    fn comments_and_sentences_are_no_code() {
        let source = "//! knows no WebSocket\nlet a = \"a WebSocket \\\" Date\"; /* Date /* nested */ Date */ let b = 'D'; // Date";
        assert_eq!(texts(source), ["let", "a", "let", "b"]);
    }

    #[test]
    fn raw_strings_end_where_their_marks_do() {
        assert_eq!(texts("f(r#\"Date \" Date\"#, br\"Date\"); r#type.x"), ["f", "b", "type", "x"]);
    }

    #[test]
    fn a_lifetime_does_not_open_a_character() {
        assert_eq!(
            texts("fn f<'a>(x: &'a Date, y: char) { y == '\\'' ; Date }").iter().filter(|word| *word == "Date").count(),
            2
        );
    }

    #[test]
    fn a_path_is_told_from_a_variable() {
        let code = code_only("use crate::{\n    storage,\n};\nlet storage = 1;\nstorage::open();");
        let storages: Vec<_> = words(&code).into_iter().filter(|word| word.text == "storage").collect();
        let found: Vec<_> = storages.iter().map(|word| (word.line, word.in_path)).collect();
        assert_eq!(found, [(2, true), (4, false), (5, true)]);
    }
}
