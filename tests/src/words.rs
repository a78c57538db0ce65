//! How the programs of this package are asked: words, some of which want a value, and how they end.

use anyhow::{Context, Result, ensure};
use std::{env::Args, fmt::Display, iter::Skip, process::ExitCode, str::FromStr};

/// The words after the program's name, in their order.
pub struct Words(Skip<Args>);

impl Words {
    /// What this program was asked.
    #[must_use]
    pub fn given() -> Self {
        Self(std::env::args().skip(1))
    }

    /// The value that follows `word`.
    ///
    /// # Errors
    /// When none does.
    pub fn value(&mut self, word: &str) -> Result<String> {
        self.0.next().with_context(|| format!("{word} wants a value"))
    }

    /// The whole number over 0 that follows `word`.
    ///
    /// # Errors
    /// When none does.
    pub fn number<T: FromStr + Default + PartialOrd>(&mut self, word: &str) -> Result<T> {
        let number = self.value(word)?.parse().ok();
        let number: T = number.with_context(|| format!("{word} wants a whole number over 0"))?;
        ensure!(number > T::default(), "{word} wants a whole number over 0");
        Ok(number)
    }
}

impl Iterator for Words {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0.next()
    }
}

/// How `program` ends: when it could not do what it was asked it says why, on stderr.
#[must_use]
pub fn end<E: Display>(program: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
