//! What a commit's message tells of the pull request that it settles.
//!
//! Knows messages only; whether two commits settle the same one is for who counts.

use super::record::Record;

/// A pull request, or a merge without one, as a commit settles it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    /// The forge's number, when the message tells it.
    pub(super) number: Option<u64>,
    /// What it was called.
    pub(super) title: String,
}

/// What `record` settles: every merge does, and a single commit whose subject is a squashed or merged pull
/// request's.
pub(super) fn settled(record: &Record) -> Option<Settled> {
    let body = record.body.as_deref().filter(|line| !line.is_empty());
    if let Some(number) = merged(&record.subject) {
        return Some(Settled { number: Some(number), title: body.unwrap_or(&record.subject).to_owned() });
    }
    if let Some((title, number)) = squashed(&record.subject) {
        return Some(Settled { number: Some(number), title: title.to_owned() });
    }
    (record.parents.len() >= 2).then(|| {
        let request = record.merge_request;
        let title = body.filter(|_| request.is_some()).unwrap_or(&record.subject);
        Settled { number: request, title: title.to_owned() }
    })
}

/// The number in `Merge pull request #123 from owner/branch`.
fn merged(subject: &str) -> Option<u64> {
    let rest = subject.strip_prefix("Merge pull request #")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Title and number of `title (#123)`.
fn squashed(subject: &str) -> Option<(&str, u64)> {
    let (title, number) = subject.strip_suffix(')')?.rsplit_once(" (#")?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let title = title.trim();
    if digits && !title.is_empty() { Some((title, number.parse().ok()?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_tell_the_pull_request() {
        assert_eq!(merged("Merge pull request #123 from a/b"), Some(123));
        assert_eq!(merged("Merge pull request #x"), None);
        assert_eq!(merged("Merge branch 'x'"), None);
        assert_eq!(squashed("add a thing (#7)"), Some(("add a thing", 7)));
        assert_eq!(squashed("Revert \"add (#7)\" (#9)"), Some(("Revert \"add (#7)\"", 9)));
        for none in
            ["add (#7) thing", "add (#)", "add(#7)", "(#7)", " (#7)", "add (#+7)", "add (#99999999999999999999)"]
        {
            assert_eq!(squashed(none), None, "{none}");
        }
    }
}
