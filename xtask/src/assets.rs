//! Names by content, and what the site's own policy asks of its HTML. Knows the site as files, not how they are made.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::path::Path;

use anyhow::{Context, Result, bail};
use siphasher::sip::SipHasher13;

use crate::workspace::files_below;

/// The folder whose files are cached for a year, so that a name must never change its content.
pub(crate) const FOLDER: &str = "assets";

/// Gives every file in `site/assets` a name that holds the hash of its final bytes, and writes the new names wherever
/// the old ones stand: in style sheets, scripts and HTML. Returns old names and new ones.
///
/// # Errors
/// When a file cannot be read, written or renamed, or when a name is left that no file bears.
pub(crate) fn fingerprint(site: &Path) -> Result<BTreeMap<String, String>> {
    let folder = site.join(FOLDER);
    // Text refers to what is not text, never the other way round, so that comes first.
    let (text, binary): (Vec<_>, Vec<_>) = files_below(&folder)?.into_iter().partition(|name| is_text(name));
    let mut renamed = BTreeMap::new();
    let mut renamed_text = BTreeMap::new();
    for name in &binary {
        let bytes = read(&folder, name)?;
        publish_name(&folder, name, &bytes, &mut renamed)?;
    }
    for name in &text {
        let content = replace_names(&read_text(&folder, name)?, &renamed);
        std::fs::write(folder.join(name), &content).with_context(|| format!("{name} cannot be written"))?;
        publish_name(&folder, name, content.as_bytes(), &mut renamed_text)?;
    }
    renamed.append(&mut renamed_text);
    for page in files_below(site)?.iter().filter(|path| path.ends_with(".html")) {
        let content = replace_names(&read_text(site, page)?, &renamed);
        for reference in references(&content) {
            if !site.join(&reference).is_file() {
                bail!("{page} refers to /{reference}, which the site does not hold");
            }
        }
        std::fs::write(site.join(page), content).with_context(|| format!("{page} cannot be written"))?;
    }
    Ok(renamed)
}

/// What a strict Content-Security-Policy would refuse in `html`: scripts and styles that stand in the page itself.
pub(crate) fn inline_code(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lower = html.to_ascii_lowercase();
    for tag in lower.split('<').skip(1) {
        let (inside, content) = tag.split_once('>').unwrap_or((tag, ""));
        let name = inside.split_whitespace().next().unwrap_or_default();
        if name == "style" || (name == "script" && !(inside.contains("src=") && content.trim().is_empty())) {
            found.push(format!("an inline <{name}>"));
        }
        for attribute in attributes(inside) {
            if attribute == "style" || attribute.starts_with("on") {
                found.push(format!("the attribute {attribute} on <{name}>"));
            }
        }
    }
    found
}

/// Names of the attributes of a tag's inside, values skipped.
fn attributes(inside: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = inside.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim_start();
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if !name.is_empty() {
            names.push(name.to_owned());
        }
        rest = match after.strip_prefix('=') {
            None => after.trim_start(),
            Some(value) => {
                let value = value.trim_start();
                let after_value = match value.chars().next() {
                    Some(quote @ ('"' | '\'')) => value.splitn(3, quote).nth(2),
                    _ => value.split_once(char::is_whitespace).map(|(_, rest)| rest),
                };
                after_value.unwrap_or("").trim_start()
            }
        };
    }
    names
}

/// Paths of this site that `html` names in quotes, without their leading slash; `/` itself is none.
pub(crate) fn references(html: &str) -> Vec<String> {
    let quoted = html.split(['"', '\'']).skip(1).step_by(2);
    let paths = quoted.filter_map(|value| value.strip_prefix('/')).filter(|path| !path.is_empty());
    paths.filter(|path| !path.starts_with('/')).map(str::to_owned).collect()
}

fn is_text(name: &str) -> bool {
    [".css", ".js", ".map"].iter().any(|ending| name.ends_with(ending))
}

fn publish_name(folder: &Path, name: &str, bytes: &[u8], renamed: &mut BTreeMap<String, String>) -> Result<()> {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    let hash = hasher.finish();
    let (stem, kind) = name.rsplit_once('.').with_context(|| format!("{name} has no ending"))?;
    let new = format!("{stem}-{hash:016x}.{kind}");
    std::fs::rename(folder.join(name), folder.join(&new)).with_context(|| format!("{name} cannot be renamed"))?;
    renamed.insert(name.to_owned(), new);
    Ok(())
}

/// `text` with every whole file name of `renamed` replaced.
fn replace_names(text: &str, renamed: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (old, new) in renamed {
        let mut result = String::with_capacity(text.len());
        let mut pieces = text.split(old.as_str());
        if let Some(first) = pieces.next() {
            result.push_str(first);
        }
        for piece in pieces {
            // `main.css` must not be found in `domain.css`, nor in `main.css.map`.
            let within = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
            let before = result.chars().next_back().is_some_and(|c| within(c) || c == '.');
            let mut next = piece.chars();
            let after = match next.next() {
                Some('.') => next.next().is_some_and(within),
                other => other.is_some_and(within),
            };
            result.push_str(if before || after { old } else { new });
            result.push_str(piece);
        }
        text = result;
    }
    text
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    std::fs::read(folder.join(name)).with_context(|| format!("{name} cannot be read"))
}

fn read_text(folder: &Path, name: &str) -> Result<String> {
    String::from_utf8(read(folder, name)?).with_context(|| format!("{name} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
        let site = tempfile::tempdir().unwrap();
        std::fs::create_dir(site.path().join(FOLDER)).unwrap();
        for (path, content) in files {
            std::fs::write(site.path().join(path), content).unwrap();
        }
        site
    }

    #[test]
    fn a_changed_font_changes_the_name_of_the_style_sheet_that_loads_it() {
        let build = |font: &str| {
            let site = site(&[
                ("assets/a.woff2", font),
                ("assets/main.css", "@font-face{src:url(\"./a.woff2\")}"),
                ("index.html", "<link rel=\"stylesheet\" href=\"/assets/main.css\">"),
            ]);
            let renamed = fingerprint(site.path()).unwrap();
            let page = std::fs::read_to_string(site.path().join("index.html")).unwrap();
            assert_eq!(page, format!("<link rel=\"stylesheet\" href=\"/assets/{}\">", renamed["main.css"]));
            let sheet = std::fs::read_to_string(site.path().join(FOLDER).join(&renamed["main.css"])).unwrap();
            assert_eq!(sheet, format!("@font-face{{src:url(\"./{}\")}}", renamed["a.woff2"]));
            renamed["main.css"].clone()
        };
        assert_eq!(build("one"), build("one"));
        assert_ne!(build("one"), build("two"));
    }

    #[test]
    fn a_page_that_refers_to_a_missing_file_is_refused() {
        let site = site(&[("index.html", "<script src=\"/assets/gone.js\"></script>")]);
        let error = fingerprint(site.path()).unwrap_err();
        assert_eq!(error.to_string(), "index.html refers to /assets/gone.js, which the site does not hold");
    }

    #[test]
    fn only_whole_names_are_replaced() {
        let renamed = BTreeMap::from([("main.css".to_owned(), "main-1.css".to_owned())]);
        let text = "main.css domain.css main.css.map \"/main.css\" see main.css.";
        assert_eq!(replace_names(text, &renamed), "main-1.css domain.css main.css.map \"/main-1.css\" see main-1.css.");
    }

    #[test]
    fn code_in_the_page_itself_is_found() {
        assert_eq!(inline_code("<script type=module>start()</script>"), ["an inline <script>"]);
        assert_eq!(inline_code("<script src=\"/a.js\">start()</script>"), ["an inline <script>"]);
        assert_eq!(inline_code("<style>a{}</style>"), ["an inline <style>"]);
        assert_eq!(inline_code("<p class=\"x\" style=\"color:red\">"), ["the attribute style on <p>"]);
        assert_eq!(inline_code("<body ONLOAD='go()'>"), ["the attribute onload on <body>"]);
    }

    #[test]
    fn a_page_without_code_of_its_own_is_accepted() {
        let page = "<!doctype html><script type=\"module\" src=\"/a.js\" data-on=\"style=1\"></script><link rel=stylesheet href=/a.css><p title=\"on style\">style on</p>";
        assert_eq!(inline_code(page), Vec::<String>::new());
    }
}
