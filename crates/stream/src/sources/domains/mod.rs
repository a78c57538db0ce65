//! Whose a path is: by the domain map, or, without one, by the top-level folder it lies in.
//!
//! Shared by the sources that tell of a repository. Knows nothing of commits, and nothing of agents beyond their identity
//! and name.

mod map;

pub use map::{DomainMap, MappedAgent};

pub(super) use map::{AGENT_ID_MAX_BYTES, PEOPLE_ID};

use gix::bstr::{BStr, BString, ByteSlice};
use monkeytown_protocol::{EntityId, Text};

/// The agent of files that lie in no folder.
const ROOT_ID: &str = "root";
/// The agent of files that no agent of a domain map owns; it appears when a commit changes one. A map that wants
/// them owned gives an agent the path `/`.
const ELSEWHERE_ID: &str = "elsewhere";

/// How paths are shared out.
#[derive(Debug)]
pub(super) enum Domains {
    /// Every top-level folder that holds files is a domain, and the root is one.
    Folders {
        /// What the root is called: the repository's name.
        root_label: String,
    },
    /// As people wrote it.
    Mapped(DomainMap),
}

/// Who owns a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The files in no folder.
    Root,
    /// A top-level folder, by its name.
    Folder(BString),
    /// An agent of the map, by its place there.
    Mapped(usize),
    /// What the map gives to nobody.
    Elsewhere,
}

/// An agent as it is first spoken of.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) id: EntityId,
    pub(super) label: Text,
    pub(super) parent: Option<EntityId>,
    /// The folder as people write it; none for an agent that is known by its authors alone.
    pub(super) path: Option<Text>,
}

impl Domains {
    /// Who owns `path`.
    pub(super) fn owner_of(&self, path: &BStr) -> Owner {
        match self {
            Self::Folders { .. } => match path.find_byte(b'/').and_then(|slash| path.get(..slash)) {
                Some(folder) => Owner::Folder(folder.into()),
                None => Owner::Root,
            },
            Self::Mapped(map) => map.owner_of(path).map_or(Owner::Elsewhere, Owner::Mapped),
        }
    }

    /// Whether `owner` owns `path`; what [`Domains::owner_of`] says, without building it.
    pub(super) fn owns(&self, owner: &Owner, path: &BStr) -> bool {
        match (self, owner) {
            (Self::Folders { .. }, Owner::Folder(folder)) => {
                path.strip_prefix(folder.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
            }
            (Self::Folders { .. }, Owner::Root) => !path.contains(&b'/'),
            _ => self.owner_of(path) == *owner,
        }
    }

    /// The agent that stands for `owner`.
    pub(super) fn identity(&self, owner: &Owner) -> Identity {
        match (self, owner) {
            (Self::Mapped(map), Owner::Mapped(at)) => match map.agents.get(*at) {
                Some(agent) => Identity {
                    id: agent.id.clone(),
                    label: agent.label.clone(),
                    parent: agent.parent.clone(),
                    path: agent.paths.first().map(written),
                },
                None => elsewhere(),
            },
            (_, Owner::Folder(folder)) => Identity {
                id: folder_id(folder),
                label: label(folder.as_bstr()),
                parent: None,
                path: Some(written(folder)),
            },
            (Self::Folders { root_label }, _) => Identity {
                id: fixed_id(ROOT_ID),
                label: Text::fitted(root_label),
                parent: None,
                path: Some(Text::fitted("/")),
            },
            (Self::Mapped(_), _) => elsewhere(),
        }
    }

    /// The owners that exist before any commit: a map's agents.
    pub(super) fn known_from_the_start(&self) -> Vec<Owner> {
        match self {
            Self::Folders { .. } => Vec::new(),
            Self::Mapped(map) => (0..map.agents.len()).map(Owner::Mapped).collect(),
        }
    }

    /// Whose a commit by `email` is wherever its files are, when the map says so.
    pub(super) fn owner_of_author(&self, email: &str) -> Option<Owner> {
        let email = email.to_lowercase();
        self.mapped_where(|agent| agent.authors.contains(&email)).next()
    }

    /// The agents to which the map gives a workflow of one of these `names` (in lower case).
    pub(super) fn owners_of_workflow(&self, names: &[String]) -> Vec<Owner> {
        self.mapped_where(|agent| agent.workflows.iter().any(|workflow| names.contains(workflow))).collect()
    }

    /// Whether the map gives workflows to anybody, so that their names are worth reading.
    pub(super) fn name_workflows(&self) -> bool {
        self.mapped_where(|agent| !agent.workflows.is_empty()).next().is_some()
    }

    fn mapped_where(&self, wanted: impl Fn(&MappedAgent) -> bool) -> impl Iterator<Item = Owner> {
        let agents = match self {
            Self::Folders { .. } => &[],
            Self::Mapped(map) => map.agents.as_slice(),
        };
        agents.iter().enumerate().filter(move |(_, agent)| wanted(agent)).map(|(at, _)| Owner::Mapped(at))
    }
}

fn elsewhere() -> Identity {
    let id = fixed_id(ELSEWHERE_ID);
    Identity { id, label: Text::fitted(ELSEWHERE_ID), parent: None, path: None }
}

/// The agent that a workflow or an application is when the map gives it to nobody: one of its own, called as it is.
pub(super) fn named(name: &str) -> Identity {
    let name = BString::from(name);
    Identity { id: folder_id(&name), label: label(name.as_bstr()), parent: None, path: None }
}

/// What a map may call the workflow that the file at `path` holds, but for its `name:`: the file and its stem, in lower
/// case.
pub(super) fn workflow_names(path: &BStr) -> Vec<String> {
    let file = path.to_str_lossy().to_lowercase();
    let file = file.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    std::iter::once(file.to_owned()).chain(stem).collect()
}

fn fixed_id(id: &str) -> EntityId {
    EntityId::new(id).expect("a constant, short and without control characters")
}

fn label(name: &BStr) -> Text {
    Text::fitted(&printable(name))
}

/// A folder's path as people write it, with a slash at its end; files of a map carry one too only when they
/// are folders, which their path does not tell: both are shown as folders.
fn written(path: &BString) -> Text {
    Text::fitted(&format!("{}/", printable(path.as_bstr())))
}

/// The folder's name. What is no UTF-8 or cannot be printed becomes `U+FFFD`, what is too long is cut: two
/// folders that differ only there share an agent. A folder that bears the name of an id that is taken keeps
/// the slash.
fn folder_id(folder: &BString) -> EntityId {
    let mut id = printable(folder.as_bstr());
    if id == ROOT_ID || id == PEOPLE_ID || id.is_empty() {
        id.push('/');
    }
    while id.len() > AGENT_ID_MAX_BYTES {
        id.pop();
    }
    EntityId::new(&id).expect("not empty, cut to size, and printable")
}

/// `bytes` as text, on one line.
pub(super) fn printable(bytes: &BStr) -> String {
    bytes.to_str_lossy().chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_map_the_top_level_folder_owns() {
        let domains = Domains::Folders { root_label: "town".to_owned() };
        assert_eq!(domains.owner_of("README.md".into()), Owner::Root);
        assert_eq!(domains.owner_of("src/a/b.rs".into()), Owner::Folder("src".into()));
        for path in ["README.md", "src/a/b.rs", "srcs/x", "src"] {
            for owner in [Owner::Root, Owner::Folder("src".into()), Owner::Folder("srcs".into())] {
                assert_eq!(
                    domains.owns(&owner, path.into()),
                    domains.owner_of(path.into()) == owner,
                    "{path} {owner:?}"
                );
            }
        }
    }

    #[test]
    fn any_folder_name_gives_an_id_and_taken_ids_are_left_alone() {
        let domains = Domains::Folders { root_label: "town".to_owned() };
        let id = |name: &[u8]| domains.identity(&Owner::Folder(name.into())).id.as_str().to_owned();
        assert_eq!(id(b"src"), "src");
        assert_eq!(id(b"root"), "root/");
        assert_eq!(id(b"people"), "people/");
        assert_eq!(id(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(id(b"a\nb"), "a\u{fffd}b");
        assert!(id("é".repeat(200).as_bytes()).len() <= AGENT_ID_MAX_BYTES);
        assert_eq!(domains.identity(&Owner::Root).id.as_str(), "root");
        assert_eq!(domains.identity(&Owner::Root).label.as_str(), "town");
    }
}
