//! `docs/configuration.md` is what the program takes.

use crate::configuration::{KEYS, document};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

const WRITTEN: &str = include_str!("../../../../docs/configuration.md");
const SHIPPED: &str = include_str!("../../../../public/config.json");
const PAGE: &str = include_str!("../../../../src/config.rs");

#[test]
fn the_document_is_what_the_flags_are() {
    let told = "make it anew: cargo run --package monkeytown-stream --example configuration > docs/configuration.md";
    assert!(WRITTEN == document(), "docs/configuration.md is stale; {told}");
    for line in WRITTEN.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn every_variable_that_the_program_reads_is_told() {
    let mut read = BTreeSet::new();
    variables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut read);
    // A test in this process reads it, no program.
    assert!(read.remove("MONKEYTOWN_SEEDS") && read.len() > 20, "{read:?}");
    for variable in read {
        assert!(WRITTEN.contains(&format!("`{variable}`")), "docs/configuration.md does not tell of {variable}");
    }
}

/// The names of variables in all sources under `folder`.
fn variables(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            variables(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for rest in text.split("MONKEYTOWN_").skip(1) {
            let name = rest.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next().unwrap();
            found.insert(format!("MONKEYTOWN_{name}"));
        }
    }
}

#[test]
fn the_keys_of_the_pages_configuration_are_those_that_are_shipped_and_read() {
    let shipped: Value = serde_json::from_str(SHIPPED).unwrap();
    let shipped: BTreeSet<&str> = shipped.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(shipped, KEYS.iter().map(|(key, ..)| *key).collect());
    let (_, read) = PAGE.split_once("from_json!(ConfigFile { ; ").unwrap();
    let read: BTreeSet<&str> = read.split(" }").next().unwrap().split(", ").collect();
    let told = KEYS.iter().filter(|(.., purpose)| !purpose.starts_with("not read yet"));
    assert_eq!(read, told.map(|(key, ..)| *key).collect());
}
