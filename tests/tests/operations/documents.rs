//! The documents for operators: what they link to is there, and what they have people type is read by who would read it.

use crate::{
    readers::{compose, output},
    tools::text,
};
use std::{collections::BTreeSet, path::Path};

const DOCUMENTS: [&str; 5] = ["README.md", "docs/runbook.md", "docs/deployment.md", "docs/recovery.md", "docs/cost.md"];

/// A heading as a link names it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings.map(anchor).collect()
}

#[test]
fn what_a_document_links_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut count = 0;
    for document in DOCUMENTS {
        let whole = text(document);
        let folder = Path::new(document).parent().expect("a folder");
        for (link, _) in whole.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            if link.contains("://") {
                continue;
            }
            let (file, place) = link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place)));
            let path = if file.is_empty() { document.into() } else { folder.join(file) };
            assert!(root.join(&path).exists(), "{document}: {link}");
            if let Some(place) = place.filter(|_| path.extension().is_some_and(|kind| kind == "md")) {
                let there = anchors(&text(path.to_str().expect("text")));
                assert!(there.contains(place), "{document}: {link} is none of {there:?}");
            }
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn each_compose_command_names_an_environment_that_compose_reads() {
    let mut commands = 0;
    for document in ["docs/deployment.md", "docs/recovery.md", "docs/cost.md"] {
        for rest in text(document).split("docker compose --env-file ").skip(1) {
            let env_file = rest.split_whitespace().next().expect("a file");
            output(compose(env_file, &["config", "--quiet"]));
            commands += 1;
        }
    }
    assert!(commands >= 5, "{commands}");
}
