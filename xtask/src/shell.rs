//! The version of a built site, and its files as the service worker keeps them: both are written in when every file
//! has its final bytes. Knows the site as files, not how they are made.

use std::hash::Hasher;
use std::path::Path;

use anyhow::{Context, Result, bail};
use siphasher::sip::SipHasher13;

use crate::budget::NOT_LOADED;
use crate::workspace::files_below;

/// Where a page tells its version, before it has one.
const PLACE: &str = "data-version=\"\"";
/// The service worker's name. It is none of the files that it keeps: the browser keeps it.
pub(crate) const WORKER: &str = "worker.js";

/// A version and the addresses of what belongs to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shell {
    /// A name made of a hash of every file: the same files, the same name.
    pub(crate) version: String,
    /// Addresses of all that a first visit loads.
    pub(crate) addresses: Vec<String>,
}

/// Names the version of `site`, and tells its page.
///
/// # Errors
/// When a file cannot be read or written, or the page has no place for its version.
pub(crate) fn seal(site: &Path) -> Result<Shell> {
    let mut hasher = SipHasher13::new();
    let mut addresses = Vec::new();
    for path in files_below(site)?.into_iter().filter(|path| !NOT_LOADED.contains(&path.as_str()) && path != WORKER) {
        let bytes = std::fs::read(site.join(&path)).with_context(|| format!("{path} cannot be read"))?;
        for part in [path.as_bytes(), &bytes] {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        addresses.push(if path == "index.html" { "/".to_owned() } else { format!("/{path}") });
    }
    let version = format!("monkeytown-{:016x}", hasher.finish());
    let page = site.join("index.html");
    let html = std::fs::read_to_string(&page).with_context(|| format!("{} cannot be read", page.display()))?;
    if html.matches(PLACE).count() != 1 {
        bail!("index.html has not one {PLACE}, where its version belongs");
    }
    let html = html.replace(PLACE, &format!("data-version=\"{version}\""));
    std::fs::write(&page, html).with_context(|| format!("{} cannot be written", page.display()))?;
    Ok(Shell { version, addresses })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(script: &str) -> (tempfile::TempDir, Shell) {
        let site = tempfile::tempdir().unwrap();
        std::fs::create_dir(site.path().join("assets")).unwrap();
        for (path, content) in [
            ("index.html", "<html lang=\"en\" data-version=\"\">"),
            ("404.html", "nothing here"),
            ("robots.txt", "Allow: /"),
            ("config.json", "{}"),
            ("assets/a.js", script),
            (WORKER, "an older one"),
        ] {
            std::fs::write(site.path().join(path), content).unwrap();
        }
        let shell = seal(site.path()).unwrap();
        (site, shell)
    }

    #[test]
    fn what_a_first_visit_loads_is_kept_and_nothing_else() {
        assert_eq!(site("one").1.addresses, ["/assets/a.js", "/config.json", "/"]);
    }

    #[test]
    fn a_changed_file_is_another_version_and_the_page_says_which_it_is() {
        let (folder, shell) = site("one");
        assert_eq!(site("one").1, shell);
        assert_ne!(site("two").1.version, shell.version);
        let page = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
        assert_eq!(page, format!("<html lang=\"en\" data-version=\"{}\">", shell.version));
    }

    #[test]
    fn a_page_without_a_place_for_its_version_is_refused() {
        let (folder, _) = site("one");
        let error = seal(folder.path()).unwrap_err().to_string();
        assert_eq!(error, "index.html has not one data-version=\"\", where its version belongs");
    }
}
