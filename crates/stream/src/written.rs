//! Files that people write (TOML): how they are read, and how a refusal names file, line and what was meant.
//!
//! Knows nothing of what any of these files is for.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Why a file is refused: file, line, and what was meant. Its text is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrittenError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's word.
        reason: String,
    },
    /// What it holds is not what it is for.
    #[error("{}:{line}: {message}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong and what was meant.
        message: String,
    },
}

/// Reads `file` as text.
///
/// # Errors
/// When the system does not give it, or it is no UTF-8.
pub(crate) fn read(file: &Path) -> Result<String, WrittenError> {
    std::fs::read_to_string(file)
        .map_err(|error| WrittenError::Unreadable { file: file.to_owned(), reason: error.to_string() })
}

/// A file that is being read: its text, and its name for the refusals.
#[derive(Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) text: &'a str,
    pub(crate) file: &'a Path,
}

impl<'a> Written<'a> {
    /// A refusal at a place of the text.
    pub(crate) fn fault(&self, span: &Range<usize>, message: impl Into<String>) -> WrittenError {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        WrittenError::Invalid { file: self.file.to_owned(), line, message: message.into() }
    }

    /// The whole of it. Where it is no TOML, the refusal shows nothing of the text: that may be a secret.
    pub(crate) fn table(&self) -> Result<Spanned<DeTable<'a>>, WrittenError> {
        DeTable::parse(self.text)
            .map_err(|error| self.fault(&error.span().unwrap_or(0..0), error.message().replace('\n', "; ")))
    }

    pub(crate) fn known_keys(&self, table: &DeTable<'_>, known: &[&str]) -> Result<(), WrittenError> {
        match table.iter().map(|(key, _)| key).find(|key| !known.contains(&key.get_ref().as_ref())) {
            Some(key) => {
                let meant = meant(key.get_ref(), known.iter().copied());
                let message = format!("unknown key `{}`{meant}; known are {}", key.get_ref(), known.join(", "));
                Err(self.fault(&key.span(), message))
            }
            None => Ok(()),
        }
    }

    /// A text that is not empty, without the blanks around it.
    pub(crate) fn text_of(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<String, WrittenError> {
        match value.get_ref().as_str().map(str::trim) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.fault(&value.span(), format!("`{key}` is a text in quotes, and not an empty one"))),
        }
    }

    /// A list of such texts with their places; none where there is no such key.
    pub(crate) fn list(&self, table: &DeTable<'_>, key: &str) -> Result<Vec<(String, Range<usize>)>, WrittenError> {
        let Some(value) = table.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.fault(&value.span(), format!("`{key}` is a list: {key} = [\"…\"]")));
        };
        items.iter().map(|item| Ok((self.text_of(item, key)?, item.span()))).collect()
    }
}

/// `: did you mean …?`, when one of `known` is near enough to `given`.
pub(crate) fn meant<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|known| (distance(given, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.chars().count() / 3)
        .min()
        .map_or_else(String::new, |(_, known)| format!(": did you mean `{known}`?"))
}

/// Levenshtein's distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_for_the_same(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            proptest::prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            proptest::prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
