//! Counts of bundles on the field: buttons, for a canvas cannot be pressed. One that is pointed at or focused stays
//! where it is and what it is, however its flows change.

use crate::{
    dom::Rows,
    signals::{BundleRow, FlowsView},
};
use monkeytown_protocol::EntityId;
use monkeytown_terrain::Point;
use std::cell::{Cell, RefCell};

/// The counts.
pub struct BundleCounts {
    rows: RefCell<Rows>,
    /// Whether one stayed as it was, because it was held.
    held: Cell<bool>,
}

impl BundleCounts {
    /// Those of the page.
    pub fn of_page() -> Self {
        Self { rows: RefCell::new(Rows::of("bundles")), held: Cell::default() }
    }

    /// Whether one may have to be written anew once it is let go.
    pub fn is_held(&self) -> bool {
        self.held.get()
    }

    /// Writes a count at each of `places`, which stand in the order of the bundles; one without a place is hidden.
    pub fn fill(&self, flows: &FlowsView, places: &[Option<Point>]) {
        let mut rows = self.rows.borrow_mut();
        let held = rows.key_of(":hover,:focus-within");
        self.held.set(held.is_some());
        let mut keys: Vec<String> = flows.bundles.iter().map(key).collect();
        if let Some(held) = held.iter().find(|held| !keys.contains(held)) {
            keys.push(held.clone());
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        rows.keep(&keys, |_| "t-bundle", &|_, _| {});
        for (((piece, key), bundle), at) in rows.pieces().zip(keys).zip(&flows.bundles).zip(places) {
            piece.set("", "data-kind", bundle.kind.as_str());
            piece.mark("", "data-dim", if bundle.dim == bundle.count { "yes" } else { "" });
            piece.set("", "data-source", bundle.source.as_ref().map_or("", |id| id.as_str()));
            piece.set("", "data-target", bundle.target.as_ref().map_or("", |id| id.as_str()));
            if held.as_deref() != Some(key) {
                piece.show("", at.is_some());
                let at = at.unwrap_or_default();
                piece.stand(at.x, at.y);
            }
            piece.say("count", &format!("×{}", bundle.count));
            let words = format!("{} flows {}", bundle.count, bundle.between);
            piece.set("count", "aria-label", &words);
            piece.set("count", "title", &words);
            let is_open = flows.open.as_ref().is_some_and(|open| open.0 == bundle.source && open.1 == bundle.target);
            piece.set("count", "aria-expanded", if is_open { "true" } else { "false" });
        }
    }
}

fn key(bundle: &BundleRow) -> String {
    let name = |id: &Option<EntityId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    // A line feed is in no id.
    [name(&bundle.source), name(&bundle.target)].join("\n")
}
