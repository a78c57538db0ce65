//! How many files the system lets this process have open: every connection is one.
//!
//! Systems begin with few, and let a process take more by itself. Knows nothing of what is open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside connections: the page's, a repository's, the runtime's.
const SPARE_FILES: u64 = 256;

/// Has the system allow as many open files as `connections` need, as far as it does; says so where it does not.
pub fn allow(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(SPARE_FILES);
    let limit = getrlimit(Resource::Nofile);
    // None is no limit at all.
    let Some(current) = limit.current.filter(|current| *current < needed) else { return };
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let allowed = match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, "the system's limit of open files stays as it is");
            current
        }
    };
    if allowed < needed {
        tracing::warn!(allowed, needed, "the system allows fewer open files than there may be connections (ulimit -n)");
    }
}
