//! Who depends on whom, and where versions stand. Knows the packages by name.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Complaint;

/// Packages of the product: whoever builds it must not depend on it.
const PRODUCT: [&str; 6] = [
    "monkeytown-protocol",
    "monkeytown-civilization",
    "monkeytown-terrain",
    "monkeytown-keepsakes",
    "monkeytown-stream",
    "monkeytown-witness",
];

/// What a package may depend on, development aside.
enum Rule {
    Only(&'static [&'static str]),
    Never(&'static [&'static str]),
}

const RULES: [(&str, Rule); 7] = [
    ("monkeytown-protocol", Rule::Only(&["serde"])),
    ("monkeytown-civilization", Rule::Only(&["monkeytown-protocol", "serde"])),
    ("monkeytown-terrain", Rule::Only(&[])),
    ("monkeytown-keepsakes", Rule::Only(&["monkeytown-civilization", "monkeytown-protocol"])),
    ("monkeytown-stream", Rule::Never(&["monkeytown-witness"])),
    ("monkeytown-witness", Rule::Never(&["monkeytown-stream"])),
    ("xtask", Rule::Never(&PRODUCT)),
];

/// Holds a `Cargo.toml` against the directions between packages.
///
/// # Errors
/// When it does not parse.
pub(super) fn check(path: &str, text: &str) -> Result<Vec<Complaint>> {
    let manifest: Table = text.parse().with_context(|| format!("{path} does not parse"))?;
    let mut complaints = Vec::new();
    for (section, dependencies) in dependency_tables(&manifest) {
        for (name, dependency) in dependencies {
            let inherited = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
            if !inherited {
                let rule = format!("[{section}] {name}: versions stand in [workspace.dependencies] of the root alone");
                complaints.push(Complaint::new(path, 0, rule));
            }
        }
    }
    let package = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let rule = RULES.iter().find(|(name, _)| Some(*name) == package);
    if let Some((package, rule)) = rule {
        let tables =
            dependency_tables(&manifest).into_iter().filter(|(section, _)| !section.ends_with("dev-dependencies"));
        for name in tables.flat_map(|(_, dependencies)| dependencies.keys()) {
            let (allowed, said) = match rule {
                Rule::Only(names) => (names.contains(&name.as_str()), format!("only on {}", names.join(" and "))),
                Rule::Never(names) => (!names.contains(&name.as_str()), "never on that".to_owned()),
            };
            if !allowed {
                complaints.push(Complaint::new(path, 0, format!("{package} depends on {name}; {said}")));
            }
        }
    }
    Ok(complaints)
}

/// Every table of dependencies, with its name: of the package and of its targets.
fn dependency_tables(manifest: &Table) -> Vec<(String, &Table)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut tables = Vec::new();
    for kind in KINDS {
        if let Some(table) = manifest.get(kind).and_then(Value::as_table) {
            tables.push((kind.to_owned(), table));
        }
    }
    let targets = manifest.get("target").and_then(Value::as_table);
    for (target, parent) in targets.into_iter().flatten() {
        for kind in KINDS {
            if let Some(table) = parent.get(kind).and_then(Value::as_table) {
                tables.push((format!("target.{target}.{kind}"), table));
            }
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<String> {
        check("Cargo.toml", text).unwrap().into_iter().map(|complaint| complaint.rule).collect()
    }

    fn package(name: &str, rest: &str) -> Vec<String> {
        rules(&format!("[package]\nname = \"{name}\"\n{rest}"))
    }

    #[test]
    fn the_wire_knows_serde_alone() {
        assert_eq!(
            package("monkeytown-protocol", "[dependencies]\nserde_json.workspace = true\n"),
            ["monkeytown-protocol depends on serde_json; only on serde"]
        );
        let tests = "[dependencies]\nserde.workspace = true\n[dev-dependencies]\nserde_json.workspace = true\n";
        assert_eq!(package("monkeytown-protocol", tests), Vec::<String>::new());
    }

    #[test]
    fn the_fold_knows_the_wire_and_no_browser() {
        let text =
            "[dependencies]\nserde.workspace = true\nmonkeytown-protocol.workspace = true\njs-sys.workspace = true\n";
        let expected = "monkeytown-civilization depends on js-sys; only on monkeytown-protocol and serde";
        assert_eq!(package("monkeytown-civilization", text), [expected]);
    }

    #[test]
    fn a_dependency_of_one_target_counts_too() {
        let text = "[target.'cfg(target_arch = \"wasm32\")'.dependencies]\njs-sys.workspace = true\n";
        assert_eq!(package("monkeytown-civilization", text).len(), 1);
        let text = "[target.'cfg(target_arch = \"wasm32\")'.dev-dependencies]\nwasm-bindgen-test.workspace = true\n";
        assert_eq!(package("monkeytown-civilization", text), Vec::<String>::new());
    }

    #[test]
    fn stream_and_page_do_not_know_each_other() {
        assert_eq!(package("monkeytown-stream", "[dependencies]\nmonkeytown-witness.workspace = true\n").len(), 1);
        assert_eq!(package("monkeytown-witness", "[dependencies]\nmonkeytown-stream.workspace = true\n").len(), 1);
    }

    #[test]
    fn xtask_depends_on_no_part_of_the_product() {
        assert_eq!(package("xtask", "[dependencies]\nmonkeytown-protocol.workspace = true\n").len(), 1);
        assert_eq!(package("xtask", "[dependencies]\nclap.workspace = true\n"), Vec::<String>::new());
    }

    #[test]
    fn a_version_outside_the_root_table_is_refused() {
        for dependency in ["serde = \"1\"", "serde = { version = \"1\" }", "serde = { path = \"../serde\" }"] {
            assert_eq!(
                package("anything", &format!("[dev-dependencies]\n{dependency}\n")),
                ["[dev-dependencies] serde: versions stand in [workspace.dependencies] of the root alone"]
            );
        }
        assert_eq!(rules("[workspace.dependencies]\nserde = \"1\"\n"), Vec::<String>::new());
    }
}
