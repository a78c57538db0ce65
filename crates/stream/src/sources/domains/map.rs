//! The domain map that people write (`interfaces.md`, "Files that people write"): which folder is whose.
//!
//! Owns its reading and every refusal. Knows nothing of repositories.

use crate::written::{self, Written, WrittenError, meant};
use gix::bstr::{BStr, BString};
use monkeytown_protocol::{EntityId, Text};
use std::{ops::Range, path::Path};
use toml::{Spanned, de::DeValue};

/// Longest id of an agent, in bytes: ids of flows and their events carry it beside a commit's id and must
/// fit into `ID_MAX_BYTES`.
pub(in crate::sources) const AGENT_ID_MAX_BYTES: usize = 150;
/// The target of contract flows: those who merge. No entity is made for it.
pub(in crate::sources) const PEOPLE_ID: &str = "people";

const TOP_KEYS: [&str; 2] = ["people", "agent"];
const AGENT_KEYS: [&str; 6] = ["id", "label", "paths", "parent", "authors", "workflows"];

/// Whose folder is whose, as people wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainMap {
    /// What those who merge are called.
    pub people: Option<Text>,
    /// The agents in the file's order.
    pub agents: Vec<MappedAgent>,
}

/// One agent of a domain map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedAgent {
    /// Its identity.
    pub id: EntityId,
    /// Its name.
    pub label: Text,
    /// What it owns: folders and files, without a slash at the end; the empty path is the whole repository.
    pub paths: Vec<BString>,
    /// Whose sub-agent it is.
    pub parent: Option<EntityId>,
    /// E-mail addresses whose commits are this agent's wherever they are, in lower case.
    pub authors: Vec<String>,
    /// Names or files of its GitHub Actions workflows, in lower case.
    pub workflows: Vec<String>,
}

impl DomainMap {
    /// Reads `file`.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`DomainMap::parse`].
    pub fn read(file: &Path) -> Result<Self, WrittenError> {
        Self::parse(&written::read(file)?, file)
    }

    /// Reads `text`; `file` is for the refusals only.
    ///
    /// # Errors
    /// On TOML that does not parse, an unknown or missing key, a value of the wrong kind, an id or path that
    /// two agents claim, a parent that is no agent.
    pub fn parse(text: &str, file: &Path) -> Result<Self, WrittenError> {
        Reader(Written { text, file }).map()
    }

    /// The agent that owns `path`: the longest of all the paths that hold it.
    pub(super) fn owner_of(&self, path: &BStr) -> Option<usize> {
        let holds = |owned: &BString| {
            owned.is_empty()
                || path.strip_prefix(owned.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        self.agents
            .iter()
            .enumerate()
            .flat_map(|(agent, mapped)| mapped.paths.iter().map(move |owned| (agent, owned)))
            .filter(|(_, owned)| holds(owned))
            .max_by_key(|(_, owned)| owned.len())
            .map(|(agent, _)| agent)
    }
}

struct Reader<'a>(Written<'a>);

type Fault = WrittenError;

impl Reader<'_> {
    fn map(&self) -> Result<DomainMap, Fault> {
        let table = self.0.table()?;
        self.0.known_keys(table.get_ref(), &TOP_KEYS)?;
        let people = table.get_ref().get("people").map(|value| self.0.text_of(value, "people")).transpose()?;
        let Some(agents) = table.get_ref().get("agent") else {
            return Err(self.0.fault(&(0..0), "no agent: a domain map has at least one [[agent]]"));
        };
        let DeValue::Array(agents) = agents.get_ref() else {
            return Err(self.0.fault(&agents.span(), "agents are written [[agent]], with two brackets"));
        };
        let read = agents.iter().map(|agent| self.agent(agent)).collect::<Result<Vec<_>, _>>()?;
        self.agree(&read)?;
        Ok(DomainMap {
            people: people.map(|people| Text::fitted(&people)),
            agents: read.into_iter().map(|agent| agent.mapped).collect(),
        })
    }

    fn agent(&self, value: &Spanned<DeValue<'_>>) -> Result<ReadAgent, Fault> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.0.fault(&value.span(), "an agent is a table: [[agent]]"));
        };
        self.0.known_keys(table, &AGENT_KEYS)?;
        let id_value = table.get("id").ok_or_else(|| self.0.fault(&value.span(), "this agent has no `id`"))?;
        let id = self.id_of(id_value, "id")?;
        if id.as_str() == PEOPLE_ID {
            return Err(self.0.fault(&id_value.span(), "`people` stands for those who merge: choose another id"));
        }
        let label = match table.get("label") {
            Some(label) => self.0.text_of(label, "label")?,
            None => id.as_str().to_owned(),
        };
        let parent = match table.get("parent") {
            Some(parent) => Some((self.id_of(parent, "parent")?, parent.span())),
            None => None,
        };
        let mut paths = Vec::new();
        for (path, span) in self.0.list(table, "paths")? {
            let plain = path.trim_start_matches("./").trim_matches('/');
            let plain = if plain == "." { "" } else { plain };
            if plain.split('/').any(|part| part == "..") || plain.contains("//") {
                return Err(self.0.fault(&span, format!("`{path}` is no path within a repository")));
            }
            paths.push((BString::from(plain), span));
        }
        let lower = |key| -> Result<Vec<String>, Fault> {
            Ok(self.0.list(table, key)?.into_iter().map(|(text, _)| text.to_lowercase()).collect())
        };
        let (authors, workflows) = (lower("authors")?, lower("workflows")?);
        if paths.is_empty() && authors.is_empty() && workflows.is_empty() {
            let message = format!("`{id}` has no `paths`, `authors` or `workflows`: nothing would ever be its work");
            return Err(self.0.fault(&id_value.span(), message));
        }
        Ok(ReadAgent {
            mapped: MappedAgent {
                id,
                label: Text::fitted(&label),
                paths: paths.iter().map(|(path, _)| path.clone()).collect(),
                parent: parent.as_ref().map(|(parent, _)| parent.clone()),
                authors,
                workflows,
            },
            id_span: id_value.span(),
            paths,
            parent,
        })
    }

    /// What can only be said of all agents together.
    fn agree(&self, agents: &[ReadAgent]) -> Result<(), Fault> {
        for (at, agent) in agents.iter().enumerate() {
            let earlier = agents.get(..at).unwrap_or_default();
            let id = &agent.mapped.id;
            if earlier.iter().any(|other| other.mapped.id == *id) {
                return Err(self.0.fault(&agent.id_span, format!("another agent has the id `{id}`")));
            }
            for (within, (path, span)) in agent.paths.iter().enumerate() {
                let own = agent.paths.get(..within).unwrap_or_default();
                let claims = |paths: &[(BString, Range<usize>)]| paths.iter().any(|(other, _)| other == path);
                let claimant = earlier.iter().find(|other| claims(&other.paths));
                if let Some(other) = claimant.or_else(|| claims(own).then_some(agent)) {
                    return Err(self.0.fault(span, format!("`{path}` is already `{}`'s", other.mapped.id)));
                }
            }
            if let Some((parent, span)) = &agent.parent {
                self.parent_exists(agents, id, parent, span)?;
            }
        }
        Ok(())
    }

    fn parent_exists(
        &self,
        agents: &[ReadAgent],
        id: &EntityId,
        parent: &EntityId,
        span: &Range<usize>,
    ) -> Result<(), Fault> {
        let mut above = Some(parent);
        for _ in 0..=agents.len() {
            let Some(wanted) = above else { return Ok(()) };
            let Some(found) = agents.iter().find(|other| other.mapped.id == *wanted) else {
                let ids = agents.iter().map(|other| other.mapped.id.as_str());
                let meant = meant(wanted.as_str(), ids);
                return Err(self.0.fault(span, format!("no agent has the id `{wanted}`{meant}")));
            };
            above = found.mapped.parent.as_ref();
        }
        Err(self.0.fault(span, format!("`{id}` is its own ancestor")))
    }

    fn id_of(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<EntityId, Fault> {
        let text = self.0.text_of(value, key)?;
        if text.len() > AGENT_ID_MAX_BYTES {
            return Err(self.0.fault(&value.span(), format!("an agent's id holds at most {AGENT_ID_MAX_BYTES} bytes")));
        }
        EntityId::new(&text).map_err(|error| self.0.fault(&value.span(), error.to_string()))
    }
}

/// An agent with the places in the file that a refusal may point at.
struct ReadAgent {
    mapped: MappedAgent,
    id_span: Range<usize>,
    paths: Vec<(BString, Range<usize>)>,
    parent: Option<(EntityId, Range<usize>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        DomainMap::parse(text, Path::new("domains.toml")).expect_err(text).to_string()
    }

    #[test]
    fn a_map_as_people_write_it_is_read() {
        let text = r#"
            people = "the filter"
            [[agent]]
            id = "founder-ai"
            paths = [".monkeytown/"]
            [[agent]]
            id = "chaos-architect"
            label = "ChaosArchitect"
            paths = [".monkeytown/architecture/", "./Makefile"]
            parent = "founder-ai"
            authors = ["Architect@example.org"]
            workflows = ["ChaosArchitect"]
        "#;
        let map = DomainMap::parse(text, Path::new("domains.toml")).expect("sound");
        assert_eq!(map.people.as_ref().map(Text::as_str), Some("the filter"));
        let labels: Vec<_> = map.agents.iter().map(|agent| agent.label.as_str()).collect();
        assert_eq!(labels, ["founder-ai", "ChaosArchitect"]);
        let owner = |path: &str| map.owner_of(path.into());
        assert_eq!(owner(".monkeytown/vision.md"), Some(0));
        assert_eq!(owner(".monkeytown/architecture/a/b.md"), Some(1), "the longest path wins");
        assert_eq!(owner(".monkeytown/architecture.md"), Some(0), "a folder's name is no mere prefix");
        assert_eq!(owner("Makefile"), Some(1));
        assert_eq!(owner("src/main.rs"), None);
        assert_eq!(map.agents[1].authors, ["architect@example.org"]);
    }

    #[test]
    fn a_refusal_names_file_line_and_what_was_meant() {
        for (text, said) in [
            ("[[agent]]\nid = \"a\"\npath = [\"x\"]", "domains.toml:3: unknown key `path`: did you mean `paths`?"),
            ("poeple = \"x\"\n[[agent]]\nid = \"a\"", "domains.toml:1: unknown key `poeple`: did you mean `people`?"),
            (
                "[[agent]]\nid = \"a\"\npaths = [\"x\"]\n[[agent]]\nid = \"a\"\npaths = [\"y\"]",
                "domains.toml:5: another agent has the id `a`",
            ),
            (
                "[[agent]]\nid = \"a\"\npaths = [\"x/\"]\n[[agent]]\nid = \"b\"\npaths = [\n\"y\",\n\"./x\"]",
                "domains.toml:8: `x` is already `a`'s",
            ),
            (
                "[[agent]]\nid = \"founder-ai\"\npaths = [\"x\"]\n[[agent]]\nid = \"b\"\npaths = [\"y\"]\nparent = \"founder\"",
                "domains.toml:7: no agent has the id `founder`: did you mean `founder-ai`?",
            ),
            ("[[agent]]\nid = \"a\"\npaths = [\"x\"]\nparent = \"a\"", "domains.toml:4: `a` is its own ancestor"),
            ("[[agent]]\nid = \"a\"\npaths = \"x\"", "domains.toml:3: `paths` is a list"),
            ("[[agent]]\nid = 7\npaths = [\"x\"]", "domains.toml:2: `id` is a text"),
            ("[[agent]]\npaths = [\"x\"]", "domains.toml:1: this agent has no `id`"),
            ("[[agent]]\nid = \"a\"", "domains.toml:2: `a` has no `paths`, `authors` or `workflows`"),
            ("[[agent]]\nid = \"people\"\npaths = [\"x\"]", "domains.toml:2: `people` stands for those who merge"),
            ("[[agent]]\nid = \"a\"\npaths = [\"../x\"]", "domains.toml:3: `../x` is no path"),
            ("[agent]\nid = \"a\"", "domains.toml:1: agents are written [[agent]]"),
            ("", "domains.toml:1: no agent"),
            ("[[agent]]\nid = \"a", "domains.toml:2: "),
        ] {
            let refused = refusal(text);
            assert!(refused.starts_with(said), "{text}\n{refused}\n{said}");
            assert!(!refused.contains('\n'), "one line: {refused}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_is_refused_without_a_panic(text in "(\\[\\[agent\\]\\]|id|paths|=|\"|\\[|\\]|\n|[a-z/.é ]){0,40}") {
            let _ = DomainMap::parse(&text, Path::new("domains.toml"));
        }
    }
}
