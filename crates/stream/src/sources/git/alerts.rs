//! What the source says of itself: that it cannot read or fetch, that a branch was rewritten.
//!
//! Knows no repository and no sink; makes events.

use super::translate::Translator;
use monkeytown_protocol::{Alert, Event, Payload, Severity, Text, Timestamp};

/// The alert that is open while the repository cannot be read or fetched.
const SOURCE_ALERT: &str = "git-source";

/// What is wrong at the moment, as it was last said.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    said: Option<String>,
}

impl Trouble {
    /// Says what is wrong now, when that is not what was said last.
    pub(super) fn now(&mut self, wrong: Option<String>, translator: &Translator, time: Timestamp) -> Option<Event> {
        if self.said == wrong {
            return None;
        }
        let before = std::mem::replace(&mut self.said, wrong);
        let (message, resolved) = match (&self.said, before) {
            (Some(wrong), _) => {
                tracing::warn!(wrong, "the repository cannot be followed, trying again");
                (without_places(wrong), false)
            }
            (None, before) => {
                tracing::info!("the repository is followed again");
                (without_places(&before.unwrap_or_default()), true)
            }
        };
        Some(alert(translator, SOURCE_ALERT, Severity::Warning, &message, resolved, time))
    }
}

/// `text` for everybody: where things lie on this machine is for the log alone, so of a path the name is left.
fn without_places(text: &str) -> String {
    let word = |word: &str| match word.rsplit_once('/') {
        Some((_, name))
            if word.contains("file://") || word.trim_start_matches(['\'', '"', '`', '(']).starts_with('/') =>
        {
            name.to_owned()
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Says that the branch was rewritten: said and over at once, since nothing is to be done.
pub(super) fn rewritten(branch: &str, translator: &Translator, time: Timestamp) -> Vec<Event> {
    let message = format!("the branch `{branch}` was rewritten: what it held stays told, what is new follows");
    tracing::info!(branch, "the branch was rewritten");
    let say = |resolved| alert(translator, "git-source/force-push", Severity::Info, &message, resolved, time);
    vec![say(false), say(true)]
}

/// Says that `count` commits could not be read whole.
pub(super) fn incomplete(count: usize, translator: &Translator, time: Timestamp) -> Event {
    let message = format!("{count} commits cannot be read whole: told as far as they can be; `git fsck` says more");
    tracing::warn!(count, "commits cannot be read whole");
    alert(translator, "git-source/unreadable", Severity::Warning, &message, false, time)
}

fn alert(
    translator: &Translator,
    id: &str,
    severity: Severity,
    message: &str,
    resolved: bool,
    time: Timestamp,
) -> Event {
    let event_id = format!("alert/{}/{id}{}", time.millis(), if resolved { "/resolved" } else { "" });
    let alert = Alert { id: Text::fitted(id), severity, message: Text::fitted(message), resolved };
    translator.event(&event_id, time, Payload::SystemAlert(alert))
}

#[cfg(test)]
mod tests {
    use super::without_places;

    #[test]
    fn what_everybody_reads_names_no_place_of_this_machine() {
        assert_eq!(without_places("/srv/git/town: the branch `main` is gone"), "town: the branch `main` is gone");
        assert_eq!(without_places("git fetch file:///srv/git/town failed"), "git fetch town failed");
        assert_eq!(
            without_places("git fetch https://example.org/town failed"),
            "git fetch https://example.org/town failed"
        );
    }
}
