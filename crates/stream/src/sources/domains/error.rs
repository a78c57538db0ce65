//! Why a domain map is refused, as one line that says what to do. Owns the words, and nothing else.

use std::path::PathBuf;

/// Why a domain map (`--domains`) is refused: file, line, and what was meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainMapError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's word.
        reason: String,
    },
    /// What it holds is no domain map.
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
