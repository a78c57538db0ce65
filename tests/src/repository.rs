//! Git repositories with fixed names, dates and settings, made and asked with the `git` command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The time of the first commit of every repository made here, in seconds since 1970.
const BEGIN: i64 = 1_700_000_000;

/// A repository in a folder of its own that vanishes with it.
pub struct Repository {
    folder: TempDir,
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

impl Repository {
    /// An empty repository with the branch `main`.
    ///
    /// # Panics
    /// When there is no `git`.
    #[must_use]
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().expect("a folder for a repository") };
        repository.git(0, &["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What `git` answers, `minutes` after the beginning.
    ///
    /// # Panics
    /// When `git` refuses.
    pub fn git(&self, minutes: i64, arguments: &[&str]) -> String {
        let date = format!("@{} +0000", BEGIN + minutes * 60);
        let output = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "core.quotePath=false", "-c", "gc.auto=0"])
            .args(arguments)
            .env("GIT_AUTHOR_NAME", "A U Thor")
            .env("GIT_AUTHOR_EMAIL", "author@example.org")
            .env("GIT_COMMITTER_NAME", "C O Mitter")
            .env("GIT_COMMITTER_EMAIL", "committer@example.org")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The lines of what `git` answers that are not empty.
    #[must_use]
    pub fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let answer = self.git(0, arguments);
        answer.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Writes files and commits them; the commit's id.
    pub fn commit(&self, minutes: i64, subject: &str, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            let path: PathBuf = self.path().join(path);
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        self.git(minutes, &["add", "--all"]);
        self.git(minutes, &["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.git(minutes, &["rev-parse", "HEAD"])
    }
}
