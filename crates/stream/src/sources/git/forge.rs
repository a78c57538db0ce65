//! Where a repository's commits and pull requests are to be seen by people: its forge's pages.
//!
//! Knows `origin` URLs and nothing else of a repository.

use gix::ObjectId;
use monkeytown_protocol::HttpsUrl;

/// The page of a repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forge {
    kind: ForgeKind,
    /// `https://HOST/OWNER/NAME`.
    base: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ForgeKind {
    GitHub,
    GitLab,
}

impl Forge {
    /// Reads an `origin` URL: `https://`, `ssh://`, `git://` or `user@host:path`, on github.com or a GitLab.
    pub(super) fn of_remote(url: &str) -> Option<Self> {
        let (authority, path) = match url.split_once("://") {
            Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
            Some(_) => return None,
            None => url.split_once(':').filter(|(host, _)| host.contains('@'))?,
        };
        let host = authority.rsplit('@').next()?.split(':').next()?.to_lowercase();
        let kind = match host.as_str() {
            "github.com" => ForgeKind::GitHub,
            "gitlab.com" => ForgeKind::GitLab,
            other if other.starts_with("gitlab.") => ForgeKind::GitLab,
            _ => return None,
        };
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let sound = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let parts = path.split('/').count();
        let deep = parts == 2 || (parts > 2 && kind == ForgeKind::GitLab);
        (deep && path.split('/').all(sound)).then(|| Self { kind, base: format!("https://{host}/{path}") })
    }

    /// The repository's page.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The page of a commit.
    pub(super) fn commit(&self, id: ObjectId) -> Option<HttpsUrl> {
        let between = match self.kind {
            ForgeKind::GitHub => "",
            ForgeKind::GitLab => "/-",
        };
        HttpsUrl::new(&format!("{}{between}/commit/{id}", self.base)).ok()
    }

    /// The page of a pull request, or merge request.
    pub(super) fn pull(&self, number: u64) -> Option<HttpsUrl> {
        let between = match self.kind {
            ForgeKind::GitHub => "pull",
            ForgeKind::GitLab => "-/merge_requests",
        };
        HttpsUrl::new(&format!("{}/{between}/{number}", self.base)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_leads_to_its_forges_pages() {
        for url in [
            "https://github.com/owner/name",
            "https://github.com/owner/name.git",
            "https://user:secret@GitHub.com/owner/name.git/",
            "ssh://git@github.com:22/owner/name.git",
            "git@github.com:owner/name.git",
        ] {
            let forge = Forge::of_remote(url).expect(url);
            assert_eq!(forge.base(), "https://github.com/owner/name", "{url}");
            assert_eq!(forge.pull(7).expect("sound").as_str(), "https://github.com/owner/name/pull/7");
        }
        let forge = Forge::of_remote("git@gitlab.example.org:group/sub/name.git").expect("a GitLab");
        assert_eq!(
            forge.pull(7).expect("sound").as_str(),
            "https://gitlab.example.org/group/sub/name/-/merge_requests/7"
        );
    }

    #[test]
    fn other_remotes_have_no_pages() {
        for url in [
            "",
            "/srv/git/name.git",
            "../name",
            "C:\\name",
            "file:///srv/github.com/owner/name",
            "https://example.org/owner/name",
            "https://github.com.evil.example/owner/name",
            "https://github.com/owner",
            "https://github.com/owner/na me",
            "https://github.com/owner/name?x",
        ] {
            assert_eq!(Forge::of_remote(url), None, "{url}");
        }
    }
}
