//! Every input that was kept, run again; and that every target has some.

use monkeytown_fuzzing::{TARGETS, inputs};
use std::{collections::BTreeSet, path::Path};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn no_input_that_was_kept_breaks_its_target() {
    for target in TARGETS {
        let inputs = inputs(root(), target).expect("the inputs can be read");
        assert!(inputs.len() >= 3, "{} has {} inputs in fuzz/corpus/{}", target.name, inputs.len(), target.name);
        for (place, bytes) in inputs {
            let run = std::panic::catch_unwind(|| (target.run)(&bytes));
            assert!(run.is_ok(), "{place} breaks {}", target.name);
            // What is cut off must not break it either.
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            assert!(std::panic::catch_unwind(|| (target.run)(half)).is_ok(), "half of {place} breaks {}", target.name);
        }
    }
}

#[test]
fn every_folder_of_inputs_is_that_of_a_target() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len(), "a name is there twice");
    let corpus = std::fs::read_dir(root().join("fuzz/corpus")).expect("the corpora can be read");
    let folders: BTreeSet<String> =
        corpus.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(folders, names);
}
