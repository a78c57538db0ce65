//! Which seeds a text names: a `Seed: ID` line, in a commit's message, an issue, a pull request or a comment.
//!
//! Shared by the sources that read such texts, so that a seed is named the same way everywhere. Knows nothing of what
//! becomes of a seed.

use gix::bstr::ByteSlice;
use monkeytown_protocol::{SeedId, SeedType};

/// Seeds that one text may name; others in it are passed over.
const NAMED_MAX: usize = 8;
/// Longest id of a seed in a message, in bytes; with a commit's id it has to fit an event's.
const ID_MAX_BYTES: usize = 64;

/// The seeds that lines of a text name.
pub(super) fn named<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<SeedId> {
    let mut seeds: Vec<SeedId> = Vec::new();
    for line in lines {
        let (name, value) = line.split_at(line.find_byte(b':').unwrap_or(0));
        let value = value.get(1..).unwrap_or_default().trim();
        let id = (name.eq_ignore_ascii_case(b"seed") && value.len() <= ID_MAX_BYTES && !value.is_empty())
            .then(|| value.to_str().ok().filter(|id| !id.contains(char::is_whitespace)));
        let id = id.flatten().and_then(|id| SeedId::new(id).ok());
        seeds.extend(id.filter(|id| seeds.len() < NAMED_MAX && !seeds.contains(id)));
    }
    seeds
}

/// What a seed asks for, as its id says: the page makes ids that begin with it. Of one that does not say, that people
/// and agents agreed on something.
pub(super) fn type_of(id: &SeedId) -> SeedType {
    let types = [SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query];
    let word = id.as_str().split('-').next().unwrap_or_default();
    types.into_iter().find(|known| known.as_str() == word).unwrap_or(SeedType::Contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Vec<String> {
        named(body.lines().map(str::as_bytes)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn seeds_are_named_by_a_line_of_their_own() {
        assert_eq!(of("Seed: query-7k2m"), ["query-7k2m"]);
        assert_eq!(of("why\nseed:query-1 \nSEED:\tquery-2\nSigned-off-by: A <a>"), ["query-1", "query-2"]);
        assert_eq!(of("Seed: query-1\nSeed: query-1"), ["query-1"]);
        for none in
            ["seeds: a", "a seed: b", "Seed:", "Seed: two words", ":", "Seed", &format!("Seed: {}", "x".repeat(65))]
        {
            assert_eq!(of(none), [] as [String; 0], "{none}");
        }
        assert_eq!(of(&(0..20).map(|at| format!("Seed: s{at}\n")).collect::<String>()).len(), NAMED_MAX);
        assert_eq!(named([b"Seed: \xff\xfe".as_slice()].into_iter()), []);
    }

    #[test]
    fn an_id_says_what_its_seed_asks_for() {
        let of = |id| type_of(&SeedId::new(id).expect("an id"));
        assert_eq!((of("query-7k2m"), of("resource-1")), (SeedType::Query, SeedType::Resource));
        assert_eq!(of("whatever"), SeedType::Contract);
    }
}
