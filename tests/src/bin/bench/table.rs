//! A table of figures: for people as text, for programs as JSON.

use serde_json::{Map, Value, json};
use std::fmt;

/// Figures of several subjects.
pub(crate) struct Table {
    /// What was measured, and how.
    pub(crate) title: String,
    /// Names of the figures, with units; or of the subjects, when these are across.
    pub(crate) columns: Vec<String>,
    /// Subjects with their figures, or figures with their subjects.
    pub(crate) rows: Vec<(String, Vec<f64>)>,
    /// What a reader must know to compare.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// One object: a row's figures by the names of the columns.
    pub(crate) fn json(&self) -> Value {
        let figures = |figures: &[f64]| -> Map<String, Value> {
            self.columns.iter().zip(figures).map(|(name, figure)| (name.clone(), json!(figure))).collect()
        };
        let rows: Map<String, Value> =
            self.rows.iter().map(|(name, row)| (name.clone(), figures(row).into())).collect();
        json!({"title": self.title, "figures": rows, "notes": self.notes})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        write!(f, "{:<22}", "")?;
        for column in &self.columns {
            write!(f, "{column:>18}")?;
        }
        writeln!(f)?;
        for (name, figures) in &self.rows {
            write!(f, "{name:<22}")?;
            for figure in figures {
                // A ratio or a few milliseconds say something in their second place.
                let places = if figure.abs() < 10.0 && figure.fract() != 0.0 { 2 } else { 1 };
                write!(f, "{figure:>18.places$}")?;
            }
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

/// The value under which `share` of the sorted values lie (nearest rank).
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).or(sorted.last()).copied().unwrap_or(f64::NAN)
}
