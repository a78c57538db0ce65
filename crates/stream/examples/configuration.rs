//! Writes `docs/configuration.md` to stdout: the flags as the program has them, and what is set elsewhere.
//!
//! `cargo run --package monkeytown-stream --example configuration > docs/configuration.md`. A test holds the file against it.

use clap::{Arg, ArgAction, CommandFactory};
use monkeytown_stream::Config;
use std::fmt::Write as _;

/// Longest line of a document.
const WIDTH: usize = 120;

const HEAD: &str = "\
# Configuration

Made from the stream's own flags; a test fails when it is not what they are. To make it anew:

```sh
cargo run --package monkeytown-stream --example configuration > docs/configuration.md
```

## The stream's flags

A flag goes before its variable. What may be given more than once is separated by commas in the variable. What cannot be
used is said in one line on stderr, and the exit code is 2. The stream wants a source of events: `--git`, `--fleet`,
`--simulate`, `--redis`, tokens or the webhooks' secret.

";

const TAIL: &str = "
## Secrets

From the environment or files alone: a command line is seen by every user of the machine.

- `MONKEYTOWN_PUBLISH_TOKENS`: tokens of publishers, separated by commas; each may speak for every source.
- `MONKEYTOWN_PUBLISH_TOKENS_FILE`: a file of tokens by their SHA-256, with names, sources, rates and ends
  ([deploy/tokens.example.toml](../deploy/tokens.example.toml)). SIGHUP has it read again. Both may be given.
- `MONKEYTOWN_GITHUB_WEBHOOK_SECRET`: what GitHub signs its webhooks with. Without it `/hooks/github` is 404.
- `MONKEYTOWN_REDIS`, when its address holds a password.
- A fleet's file names variables as `${NAME}` where a probe wants a password
  ([deploy/fleet.example.toml](../deploy/fleet.example.toml)).

## Other variables of the stream

- `SSL_CERT_FILE`: whom TLS trusts in a fleet's probes, in place of whom the system trusts.
- `XDG_CACHE_HOME`, or `HOME` without it: where a repository given by URL is cloned to, in `monkeytown/git`.
- `GIT_SSH_COMMAND` and Git's other variables: how a repository given by URL is reached.
- `MONKEYTOWN_COMMIT` and `MONKEYTOWN_BUILT` when it is built: what `/version` says of it.

## The page: `config.json`

It lies beside the page (`public/config.json` before the build, `dist/config.json` after it). Every key may be left out.
A file that is no JSON, or has a key of the wrong type, is not used at all; an address that is none is left out. Page
and console say so. `?stream=URL` in the address bar overrides `streams` for one visit.

";

/// The keys of `config.json`: what each holds, without it, and what it is for. The last are written, and nothing reads them
/// yet.
pub const KEYS: [(&str, &str, &str, &str); 8] = [
    ("streams", "a list of addresses", "the page's own origin", "where the streams are: `wss://` or `https://`"),
    ("failover", "`true` or `false`", "`false`", "whether the next stream stands in when a witness's own is dead"),
    ("app_name", "text", "`monkeytown`", "the name in the head"),
    ("poll_seconds", "a number, 1 to 300", "5", "how often a page asks where nothing lasts"),
    ("repository", "`https://github.com/owner/name`", "none", "where seeds are opened as issues"),
    ("environment", "text", "", "not read yet: which deployment this is"),
    ("enable_debug", "`true` or `false`", "", "not read yet"),
    ("enable_analytics", "`true` or `false`", "", "not read yet"),
];

/// The whole document.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    let command = Config::command();
    let flags = command.get_arguments().filter(|flag| !matches!(flag.get_id().as_str(), "help" | "version"));
    for flag in flags {
        text.push_str(&wrapped(&told(flag)));
    }
    text.push_str(TAIL);
    text.push_str("| key | holds | without it | is for |\n| --- | --- | --- | --- |\n");
    for (key, holds, without, purpose) in KEYS {
        let _ = writeln!(text, "| `{key}` | {holds} | {without} | {purpose} |");
    }
    text
}

/// One flag: its names, its default and what it is for.
fn told(flag: &Arg) -> String {
    let name = flag.get_long().expect("every flag has a long name");
    // A switch has no value but in its variable.
    let is_switch = !flag.get_action().takes_values();
    let value = flag.get_value_names().and_then(|names| names.first()).filter(|_| !is_switch);
    let value = value.map_or(String::new(), |name| format!(" {name}"));
    let variable = flag.get_env().and_then(|name| name.to_str()).expect("every flag is a variable too");
    let defaults: Vec<_> =
        flag.get_default_values().iter().filter(|_| !is_switch).map(|value| value.to_string_lossy()).collect();
    let default = if defaults.is_empty() { String::new() } else { format!(", by default `{}`", defaults.join(",")) };
    let help = flag.get_help().map(ToString::to_string).expect("every flag says what it is for");
    let words: Vec<_> = flag.get_possible_values().iter().map(|word| format!("`{}`", word.get_name())).collect();
    let words = if words.is_empty() || is_switch { String::new() } else { format!(": {}", words.join(", ")) };
    let again = match flag.get_action() {
        ArgAction::Append if !help.contains("repeatable") => " (repeatable)",
        _ if is_switch => " (off without it; the variable is `true` or `false`)",
        _ => "",
    };
    format!("- `--{name}{value}`, `{variable}`{default}: {help}{words}{again}")
}

/// `line` in lines of at most [`WIDTH`], as an item of a list.
fn wrapped(line: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for (at, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && width + 1 + length > WIDTH {
            text.push_str("\n  ");
            width = 2;
        } else if at > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
    text
}

#[allow(dead_code, reason = "a test reads this file for its document alone")]
fn main() {
    print!("{}", document());
}
