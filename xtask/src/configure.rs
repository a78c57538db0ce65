//! `cargo xtask configure`: what a deployment says of itself, from variables of the host that builds it, into the
//! `config.json` of `dist/`. Knows the file's fields and nothing of how the page reads them.
//!
//! `MONKEYTOWN_STREAMS` (with commas), `_APP_NAME`, `_REPOSITORY`, `_POLL_SECONDS`, `_FAILOVER`. In a preview each may be
//! `MONKEYTOWN_PREVIEW_…` instead. What is a preview is told by `VERCEL_ENV` or Netlify's `CONTEXT`. What is wrong stops the
//! build: a page that asks nobody, or somebody else, is worse than none.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::workspace::Workspace;

/// The file, beside the page.
const FILE: &str = "config.json";
/// Longest time between two polls that the page takes, in seconds.
const POLL_MAX_SECONDS: u64 = 300;

/// Where the page will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No host says anything: the file keeps its word.
    Here,
    Production,
    Preview,
}

/// Variables by their names.
struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'_> {
    /// What is there and not empty: hosts give empty ones where nothing was filled in.
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn place(&self) -> Result<Place> {
        let Some(told) = self.get("VERCEL_ENV").or_else(|| self.get("CONTEXT")) else { return Ok(Place::Here) };
        match told.as_str() {
            "production" => Ok(Place::Production),
            // A name of its own is a branch's or a custom environment: no witness's page either way.
            _ if told.len() <= 64 => Ok(Place::Preview),
            _ => bail!("VERCEL_ENV or CONTEXT is no name of an environment"),
        }
    }

    /// The variable's name, and what it holds.
    fn told(&self, place: Place, field: &str) -> Option<(String, String)> {
        let preview = (place == Place::Preview).then(|| format!("MONKEYTOWN_PREVIEW_{field}"));
        let names = preview.into_iter().chain([format!("MONKEYTOWN_{field}")]);
        names.filter_map(|name| self.get(&name).map(|value| (name, value))).next()
    }
}

/// Writes the file.
///
/// # Errors
/// When there is no built page, or a variable holds what the page could not use: names it.
pub(crate) fn configure(workspace: &Workspace) -> Result<()> {
    let path = workspace.dist().join(FILE);
    let shipped = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read; cargo xtask build writes it", path.display()))?;
    let shipped = serde_json::from_str(&shipped).with_context(|| format!("{} is no JSON", path.display()))?;
    let told = configured(shipped, &Environment(&|name| std::env::var(name).ok()))?;
    let text = serde_json::to_string_pretty(&told).context("what was read as JSON is written as JSON")?;
    std::fs::write(&path, text + "\n").with_context(|| format!("{} cannot be written", path.display()))?;
    eprintln!("dist/{FILE}: {}", Value::from(told));
    Ok(())
}

fn configured(mut file: Map<String, Value>, environment: &Environment<'_>) -> Result<Map<String, Value>> {
    let place = environment.place()?;
    let word = match place {
        Place::Here => None,
        Place::Production => Some("production"),
        Place::Preview => Some("preview"),
    };
    if let Some(word) = word {
        file.insert("environment".into(), word.into());
    }
    let fields: [(&str, &str, fn(&str) -> Result<Value>); 5] = [
        ("STREAMS", "streams", streams),
        ("APP_NAME", "app_name", app_name),
        ("REPOSITORY", "repository", repository),
        ("POLL_SECONDS", "poll_seconds", poll_seconds),
        ("FAILOVER", "failover", failover),
    ];
    for (field, key, read) in fields {
        if let Some((name, value)) = environment.told(place, field) {
            file.insert(key.into(), read(&value).context(name)?);
        }
    }
    Ok(file)
}

fn streams(value: &str) -> Result<Value> {
    let addresses = value.split(',').map(str::trim).filter(|address| !address.is_empty());
    let read = addresses.map(|address| {
        // The page's Content-Security-Policy lets it reach no other, and a page that came by https could not either.
        let rest = address.strip_prefix("wss://").or_else(|| address.strip_prefix("https://"));
        let rest =
            rest.with_context(|| format!("{address:?} is no address of a stream: wss://HOST or https://HOST"))?;
        let strange = |c: char| c.is_whitespace() || c.is_control() || "@?#\\\"'<>".contains(c);
        if rest.is_empty() || rest.starts_with('/') || rest.contains(strange) {
            bail!(
                "{address:?} is no address of a stream: wss://HOST[:PORT][/PATH], without a user, a query or a fragment"
            );
        }
        Ok(Value::from(address))
    });
    let list = read.collect::<Result<Vec<_>>>()?;
    if list.is_empty() {
        bail!("{value:?} holds no address");
    }
    Ok(list.into())
}

fn app_name(value: &str) -> Result<Value> {
    if value.chars().count() > 60 || value.contains(char::is_control) {
        bail!("a name is one line of at most 60 characters");
    }
    Ok(value.into())
}

fn repository(value: &str) -> Result<Value> {
    let rest = value.strip_prefix("https://").unwrap_or_default();
    let parts: Vec<_> = rest.trim_end_matches('/').split('/').collect();
    let plain = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    if parts.len() < 3 || !parts.iter().all(plain) {
        bail!("{value:?} is no repository: https://HOST/OWNER/NAME");
    }
    Ok(value.into())
}

fn poll_seconds(value: &str) -> Result<Value> {
    match value.parse::<u64>() {
        Ok(seconds @ 1..=POLL_MAX_SECONDS) => Ok(seconds.into()),
        _ => bail!("{value:?} is no number of seconds from 1 to {POLL_MAX_SECONDS}"),
    }
}

fn failover(value: &str) -> Result<Value> {
    value.parse::<bool>().map(Value::from).with_context(|| format!("{value:?} is neither true nor false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shipped file with these variables, or what is wrong.
    fn with(variables: &[(&str, &str)]) -> Result<Value, String> {
        let shipped = include_str!("../../public/config.json");
        let lookup =
            |name: &str| variables.iter().find(|(each, _)| *each == name).map(|(_, value)| (*value).to_owned());
        let file = configured(serde_json::from_str(shipped).unwrap(), &Environment(&lookup));
        file.map(Value::from).map_err(|why| format!("{why:#}"))
    }

    #[test]
    fn without_variables_the_shipped_file_stays_as_it_is() {
        let shipped: Value = serde_json::from_str(include_str!("../../public/config.json")).unwrap();
        assert_eq!(with(&[]).unwrap(), shipped);
        assert_eq!(with(&[("MONKEYTOWN_STREAMS", " ")]).unwrap(), shipped);
    }

    #[test]
    fn a_preview_has_its_own_values_and_production_never_has_those() {
        let variables = [
            ("MONKEYTOWN_STREAMS", "wss://one.example, https://two.example/town"),
            ("MONKEYTOWN_APP_NAME", "our \"town\""),
            ("MONKEYTOWN_REPOSITORY", "https://github.com/owner/name"),
            ("MONKEYTOWN_FAILOVER", "true"),
            ("MONKEYTOWN_POLL_SECONDS", "30"),
            ("MONKEYTOWN_PREVIEW_STREAMS", "wss://staging.example"),
        ];
        let at = |host: &str, told: &str| with(&[variables.as_slice(), &[(host, told)]].concat()).unwrap();
        for (host, told) in [("VERCEL_ENV", "production"), ("CONTEXT", "production")] {
            let file = at(host, told);
            assert_eq!(file["streams"], serde_json::json!(["wss://one.example", "https://two.example/town"]));
            assert_eq!((&file["environment"], &file["poll_seconds"]), (&"production".into(), &30.into()));
            assert_eq!((&file["failover"], &file["app_name"]), (&true.into(), &"our \"town\"".into()));
        }
        for (host, told) in [("VERCEL_ENV", "preview"), ("CONTEXT", "deploy-preview"), ("CONTEXT", "branch-deploy")] {
            let file = at(host, told);
            assert_eq!(file["streams"], serde_json::json!(["wss://staging.example"]), "{host}={told}");
            assert_eq!((&file["environment"], &file["app_name"]), (&"preview".into(), &"our \"town\"".into()));
        }
    }

    #[test]
    fn what_the_page_could_not_use_stops_the_build_and_names_its_variable() {
        for (name, value) in [
            ("MONKEYTOWN_STREAMS", "stream.example"),
            ("MONKEYTOWN_STREAMS", "ws://stream.example"),
            ("MONKEYTOWN_STREAMS", "wss://"),
            ("MONKEYTOWN_STREAMS", "wss://me@stream.example"),
            ("MONKEYTOWN_STREAMS", "wss://a.example,wss://b.example?x=1"),
            ("MONKEYTOWN_STREAMS", ","),
            ("MONKEYTOWN_APP_NAME", "two\nlines"),
            ("MONKEYTOWN_REPOSITORY", "github.com/owner/name"),
            ("MONKEYTOWN_REPOSITORY", "https://github.com/owner"),
            ("MONKEYTOWN_REPOSITORY", "https://github.com/owner/name?x"),
            ("MONKEYTOWN_POLL_SECONDS", "0"),
            ("MONKEYTOWN_POLL_SECONDS", "301"),
            ("MONKEYTOWN_FAILOVER", "yes"),
        ] {
            let why = with(&[(name, value)]).expect_err(value);
            assert!(why.starts_with(name), "{why}");
        }
    }

    #[test]
    fn every_field_that_is_written_is_one_of_the_shipped_file() {
        let written = with(&[
            ("VERCEL_ENV", "production"),
            ("MONKEYTOWN_STREAMS", "wss://one.example"),
            ("MONKEYTOWN_APP_NAME", "a"),
            ("MONKEYTOWN_REPOSITORY", "https://github.com/owner/name"),
            ("MONKEYTOWN_POLL_SECONDS", "9"),
            ("MONKEYTOWN_FAILOVER", "false"),
        ])
        .unwrap();
        let shipped: Value = serde_json::from_str(include_str!("../../public/config.json")).unwrap();
        let keys =
            |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys(&written), keys(&shipped));
    }
}
