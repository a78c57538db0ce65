//! Everything that a witness can do, in one table: what it is called, by which key it is done, when it can be. The palette, the
//! keys and the list of them are made from it, so that none says what another does not do.
//!
//! Pure. Knows neither the browser nor what becomes of a command.

use crate::signals::Tab;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Opens the palette.
    Palette,
    /// Lists all keys.
    Keys,
    /// Goes somewhere.
    Go(Place),
    /// From agent to agent.
    Arrows,
    /// Time stands still, or runs on.
    Pause,
    /// Back to the present.
    Present,
    /// The axis as far back as comes next.
    Depth,
    /// To the oldest moment that the stream holds.
    Oldest,
    /// Pins whom is looked at, or no longer.
    Pin,
    /// Mutes whom is looked at, or no longer.
    Mute,
    /// To the note on whom is looked at.
    Note,
    /// Puts aside that whom is looked at broke.
    Ignore,
    /// Another tab of whom is looked at.
    Tab(Tab),
    /// Its raw event.
    Raw,
    /// Copies the address of what is looked at.
    Link,
    /// Keeps the moment.
    Bookmark,
    /// How the connection is proven.
    Proof,
    /// What this browser keeps.
    Kept,
    /// Takes all of that along.
    Export,
    /// Brings back all that was put away.
    Restore,
    /// Holds the page still, or no longer.
    Still,
    /// Keeps history for this visit only, or no longer.
    ForThisVisit,
    /// Lets single keys do nothing, or again what they do.
    Keyless,
    /// Lets what settles and breaks be heard, or no longer.
    Sound,
    /// Lets the browser call when somebody pinned breaks, or no longer.
    Notices,
    /// Puts a ghost away.
    Dismiss,
    /// Closes what opened last.
    Close,
}

/// Where one goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The agents.
    Agents,
    /// The flows.
    Flows,
    /// The witness's seeds.
    Seeds,
    /// What settled.
    History,
    /// The words that are looked for in it.
    Search,
}

/// When something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At any time.
    Always,
    /// While time runs.
    Following,
    /// While it stands still.
    Paused,
    /// While another moment than the present is shown, or that stands still.
    Past,
    /// While somebody is looked at.
    Somebody,
    /// While somebody is looked at who broke.
    Broken,
    /// By its key alone: it concerns what has the focus.
    ByKey,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// What is done, in words.
    pub name: &'static str,
    /// By which key, as it is told; empty without one.
    pub key: &'static str,
    /// The same for the program.
    pub command: Command,
    /// When it can be done.
    pub when: When,
}

const fn line(name: &'static str, key: &'static str, command: Command, when: When) -> Line {
    Line { name, key, command, when }
}

/// All of them; what is wanted most comes first.
pub const COMMANDS: [Line; 35] = [
    line("pin", "", Command::Pin, When::Somebody),
    line("mute", "", Command::Mute, When::Somebody),
    line("write a note on", "", Command::Note, When::Somebody),
    line("put aside what broke", "", Command::Ignore, When::Broken),
    line("go to agents", "g a", Command::Go(Place::Agents), When::Always),
    line("go to flows", "g f", Command::Go(Place::Flows), When::Always),
    line("plant a seed, go to seeds", "g s", Command::Go(Place::Seeds), When::Always),
    line("go to history", "g h", Command::Go(Place::History), When::Always),
    line("filter the page", "f", Command::Go(Place::Search), When::Always),
    line("pause", "", Command::Pause, When::Following),
    line("go on", "", Command::Pause, When::Paused),
    line("return to the present", "", Command::Present, When::Past),
    line("go to the oldest moment", "", Command::Oldest, When::Always),
    line("zoom the axis: hour, day, week, all", "z", Command::Depth, When::Always),
    line("copy a link to what is shown", "", Command::Link, When::Always),
    line("bookmark this moment", "", Command::Bookmark, When::Always),
    line("proof of the connection", "", Command::Proof, When::Always),
    line("what is kept here", "", Command::Kept, When::Always),
    line("all keys", "?", Command::Keys, When::Always),
    line("status of", "1", Command::Tab(Tab::Status), When::Somebody),
    line("logs of", "2", Command::Tab(Tab::Logs), When::Somebody),
    line("connections of", "3", Command::Tab(Tab::Connections), When::Somebody),
    line("history of", "4", Command::Tab(Tab::History), When::Somebody),
    line("raw event of", "", Command::Raw, When::Somebody),
    line("export what is kept", "", Command::Export, When::Always),
    line("restore what was put away", "", Command::Restore, When::Always),
    line("hold the page still", "", Command::Still, When::Always),
    line("history for this visit only", "", Command::ForThisVisit, When::Always),
    line("single keys off", "", Command::Keyless, When::Always),
    line("sound when something settles or breaks", "", Command::Sound, When::Always),
    line("notices when somebody pinned breaks", "", Command::Notices, When::Always),
    line("all commands", "/", Command::Palette, When::ByKey),
    line("to the next agent that way, enter opens", "arrows", Command::Arrows, When::ByKey),
    line("put away what settled", "delete", Command::Dismiss, When::ByKey),
    line("close what opened last", "escape", Command::Close, When::ByKey),
];

/// What the key of this name does, as browsers name keys; `before` is a key that is still waiting for its second. Of letters none
/// does anything where they are `off`.
#[must_use]
pub fn by_key(key: &str, before: Option<&str>, off: bool) -> Option<Command> {
    let told = match key {
        "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight" => "arrows",
        "Delete" => "delete",
        "Escape" => "escape",
        _ if off || key.len() != 1 => return None,
        _ => key,
    };
    let pressed = |line: &&Line| match (line.key.split_once(' '), before) {
        (Some((first, second)), Some(before)) => first == before && second == told,
        (None, None) => line.key == told,
        // What is no letter does the same behind one.
        (None, Some(_)) => key.len() > 1 && line.key == told,
        (Some(_), None) => false,
    };
    COMMANDS.iter().find(pressed).map(|line| line.command)
}

/// Whether a key waits for a second.
#[must_use]
pub fn waits(key: &str) -> bool {
    COMMANDS.iter().any(|line| line.key.split_once(' ').is_some_and(|(first, _)| first == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_does_what_the_table_says() {
        for line in COMMANDS.iter().filter(|line| !line.key.is_empty()) {
            let (before, key) =
                line.key.split_once(' ').map_or((None, line.key), |(first, second)| (Some(first), second));
            let keys: &[&str] = match key {
                "arrows" => &["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"],
                "delete" => &["Delete"],
                "escape" => &["Escape"],
                letter => &[letter],
            };
            for key in keys {
                assert_eq!(by_key(key, before, false), Some(line.command), "{}", line.key);
                let is_letter = key.len() == 1;
                assert_eq!(by_key(key, before, true).is_none(), is_letter, "{}: letters alone can be off", line.key);
            }
            assert!(before.is_none_or(waits));
        }
    }

    #[test]
    fn no_two_lines_have_a_key_or_a_name() {
        for (at, line) in COMMANDS.iter().enumerate() {
            for other in COMMANDS.iter().skip(at + 1) {
                assert!(line.key.is_empty() || line.key != other.key, "{}", line.key);
                assert_ne!(line.name, other.name);
                // What waits for a second key does nothing by itself.
                assert!(!waits(line.key) && !waits(other.key));
            }
        }
    }

    #[test]
    fn other_keys_do_nothing_nor_does_a_second_without_its_first() {
        for key in
            ["g", "a", "h", "5", "Enter", " ", "Home", "End", "Tab", "F1", "Dead", "é", "", "arrows", "escape", "g a"]
        {
            assert_eq!(by_key(key, None, false), None, "{key}");
        }
        for key in ["/", "?", "1", "g", "x", "Enter"] {
            assert_eq!(by_key(key, Some("g"), false), None, "g {key}");
        }
        assert_eq!(by_key("Escape", Some("g"), false), Some(Command::Close));
        assert_eq!(by_key("h", Some("x"), false), None);
    }
}
