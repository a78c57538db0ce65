//! The fleet that people write (`interfaces.md`, "Files that people write"): which components there are, how each is
//! asked, and who needs whom.
//!
//! Owns its reading and every refusal; none of them repeats an address, for it may hold a password. Knows nothing of
//! networks.

use super::{Component, FleetConfig, target::Target};
use crate::written::{self, Written, WrittenError, meant};
use monkeytown_protocol::{EntityId, Text};
use std::{ops::Range, path::Path, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

const TOP_KEYS: [&str; 2] = ["name", "component"];
const COMPONENT_KEYS: [&str; 7] =
    ["id", "label", "probe", "every_seconds", "timeout_seconds", "expect_status", "depends_on"];
/// Most components: each has a probe of its own under way, and series of metrics.
const COMPONENTS_MAX: usize = 256;
/// Most components that all of them need, counted together: each is a flow.
const DEPENDENCIES_MAX: usize = 1_000;
/// Longest id of a component, in bytes: a flow's id holds two.
const ID_MAX_BYTES: usize = 100;
/// Longest name of a fleet, in bytes: it is part of the source's name.
const NAME_MAX_BYTES: usize = 60;
const EVERY_SECONDS: Seconds = Seconds { key: "every_seconds", default: 30, max: 86_400 };
const TIMEOUT_SECONDS: Seconds = Seconds { key: "timeout_seconds", default: 5, max: 300 };

/// A number of seconds that a component may give.
struct Seconds {
    key: &'static str,
    default: u32,
    max: u32,
}

impl FleetConfig {
    /// Reads `file`.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`FleetConfig::parse`].
    pub fn read(file: &Path) -> Result<Self, WrittenError> {
        Self::parse(&written::read(file)?, file, |name| std::env::var(name).ok())
    }

    /// Reads `text`; `file` is for the refusals only, and `variable` the environment, in which `${NAME}` is looked up.
    ///
    /// # Errors
    /// On TOML that does not parse, an unknown or missing key, a value of the wrong kind, an id that is there twice, a
    /// dependency that is no component, components that need each other in a circle.
    pub fn parse(text: &str, file: &Path, variable: impl Fn(&str) -> Option<String>) -> Result<Self, WrittenError> {
        Reader { written: Written { text, file }, variable }.fleet()
    }
}

struct Reader<'a, V> {
    written: Written<'a>,
    variable: V,
}

type Fault = WrittenError;
type Value<'a> = Spanned<DeValue<'a>>;

/// A component whose dependencies are still words.
struct Read {
    component: Component,
    id_span: Range<usize>,
    needs: Vec<(String, Range<usize>)>,
}

impl<V: Fn(&str) -> Option<String>> Reader<'_, V> {
    fn fleet(&self) -> Result<FleetConfig, Fault> {
        let table = self.written.table()?;
        self.written.known_keys(table.get_ref(), &TOP_KEYS)?;
        let nameless = || self.fault(&(0..0), "this fleet has no `name`");
        let name_value = table.get_ref().get("name").ok_or_else(nameless)?;
        let name = self.short(name_value, "name", NAME_MAX_BYTES)?;
        let Some(components) = table.get_ref().get("component") else {
            return Err(self.fault(&(0..0), "no component: a fleet has at least one [[component]]"));
        };
        let DeValue::Array(components) = components.get_ref() else {
            return Err(self.fault(&components.span(), "components are written [[component]], with two brackets"));
        };
        if components.is_empty() {
            return Err(self.fault(&(0..0), "no component: a fleet has at least one [[component]]"));
        }
        if components.len() > COMPONENTS_MAX {
            return Err(self.fault(&(0..0), format!("{} components; at most {COMPONENTS_MAX}", components.len())));
        }
        let mut read = components.iter().map(|value| self.component(value)).collect::<Result<Vec<_>, _>>()?;
        self.agree(&mut read)?;
        Ok(FleetConfig { name, components: read.into_iter().map(|read| read.component).collect() })
    }

    fn component(&self, value: &Value<'_>) -> Result<Read, Fault> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.fault(&value.span(), "a component is a table: [[component]]"));
        };
        self.written.known_keys(table, &COMPONENT_KEYS)?;
        let needed =
            |key| table.get(key).ok_or_else(|| self.fault(&value.span(), format!("this component has no `{key}`")));
        let (id_value, probe_value) = (needed("id")?, needed("probe")?);
        let id = self.short(id_value, "id", ID_MAX_BYTES)?;
        let id = EntityId::new(&id).map_err(|error| self.fault(&id_value.span(), error.to_string()))?;
        let label = match table.get("label") {
            Some(label) => Text::fitted(&self.written.text_of(label, "label")?),
            None => Text::fitted(id.as_str()),
        };
        let expect = table.get("expect_status").map(|status| self.status(status)).transpose()?;
        let target = Target::parse(
            &self.written.text_of(probe_value, "probe")?,
            expect.as_ref().map(|(status, _)| *status),
            &self.variable,
        );
        let target = target.map_err(|error| {
            let status = expect.filter(|_| error == super::target::TargetError::NoStatus).map(|(_, span)| span);
            self.fault(&status.unwrap_or_else(|| probe_value.span()), error.to_string())
        })?;
        let component = Component {
            id,
            label,
            target,
            every: self.seconds(table, &EVERY_SECONDS)?,
            timeout: self.seconds(table, &TIMEOUT_SECONDS)?,
            needs: Vec::new(),
        };
        Ok(Read { component, id_span: id_value.span(), needs: self.written.list(table, "depends_on")? })
    }

    /// What can only be said of all components together.
    fn agree(&self, read: &mut [Read]) -> Result<(), Fault> {
        let ids: Vec<EntityId> = read.iter().map(|read| read.component.id.clone()).collect();
        let mut all = 0;
        for (at, one) in read.iter_mut().enumerate() {
            let id = &one.component.id;
            if ids.iter().position(|known| known == id) != Some(at) {
                return Err(self.fault(&one.id_span, format!("another component has the id `{id}`")));
            }
            for (need, span) in &one.needs {
                let Some(needed) = ids.iter().position(|known| known.as_str() == need) else {
                    let meant = meant(need, ids.iter().map(EntityId::as_str));
                    return Err(self.fault(span, format!("no component has the id `{need}`{meant}")));
                };
                if needed == at {
                    return Err(self.fault(span, format!("`{id}` depends on itself")));
                }
                if one.component.needs.contains(&needed) {
                    return Err(self.fault(span, format!("`{need}` is named twice")));
                }
                one.component.needs.push(needed);
                all += 1;
                if all > DEPENDENCIES_MAX {
                    return Err(self.fault(span, format!("more than {DEPENDENCIES_MAX} dependencies in all")));
                }
            }
        }
        self.no_circle(read)
    }

    /// In a circle nobody could be said to break because of whom.
    fn no_circle(&self, read: &[Read]) -> Result<(), Fault> {
        // Those that need nobody go, then those that need only those that went: what stays lies on a circle or needs one.
        let mut stays: Vec<bool> = vec![true; read.len()];
        let is_there = |stays: &[bool], at: usize| stays.get(at).copied().unwrap_or_default();
        loop {
            let free = read.iter().enumerate().position(|(at, one)| {
                is_there(&stays, at) && !one.component.needs.iter().any(|need| is_there(&stays, *need))
            });
            match free.and_then(|at| stays.get_mut(at)) {
                Some(goes) => *goes = false,
                None => break,
            }
        }
        let Some(mut at) = stays.iter().position(|stays| *stays) else { return Ok(()) };
        // Whoever stays needs one that stays, so this comes back to where it was.
        let mut path: Vec<usize> = Vec::new();
        while !path.contains(&at) {
            path.push(at);
            let next = read.get(at).and_then(|one| one.component.needs.iter().find(|need| is_there(&stays, **need)));
            at = *next.expect("what stays needs one that stays");
        }
        let circle: Vec<&Read> = path.iter().skip_while(|seen| **seen != at).filter_map(|at| read.get(*at)).collect();
        let (Some(first), Some(last)) = (circle.first(), circle.last()) else { return Ok(()) };
        let ids: Vec<&str> = circle.iter().map(|one| one.component.id.as_str()).collect();
        let closing = last.needs.iter().find(|(need, _)| need == first.component.id.as_str());
        let span = closing.map_or(&last.id_span, |(_, span)| span);
        let message =
            format!("components depend on each other in a circle: {}, {}", ids.join(", "), first.component.id);
        Err(self.fault(span, message))
    }

    fn seconds(&self, table: &DeTable<'_>, seconds: &Seconds) -> Result<Duration, Fault> {
        let Seconds { key, default, max } = seconds;
        let Some(value) = table.get(*key) else { return Ok(Duration::from_secs(u64::from(*default))) };
        let number = whole(value)
            .filter(|number| (1..=*max).contains(number))
            .ok_or_else(|| self.fault(&value.span(), format!("`{key}` is a whole number from 1 to {max}")))?;
        Ok(Duration::from_secs(u64::from(number)))
    }

    fn status(&self, value: &Value<'_>) -> Result<(u16, Range<usize>), Fault> {
        let status =
            whole(value).and_then(|status| u16::try_from(status).ok()).filter(|status| (200..=599).contains(status));
        let wrong = || self.fault(&value.span(), "`expect_status` is a whole number from 200 to 599");
        Ok((status.ok_or_else(wrong)?, value.span()))
    }

    /// A text of one line and at most so many bytes.
    fn short(&self, value: &Value<'_>, key: &str, max_bytes: usize) -> Result<String, Fault> {
        let text = self.written.text_of(value, key)?;
        if text.len() > max_bytes || text.chars().any(char::is_control) {
            return Err(self.fault(&value.span(), format!("`{key}` is one line of at most {max_bytes} bytes")));
        }
        Ok(text)
    }

    fn fault(&self, span: &Range<usize>, message: impl Into<String>) -> Fault {
        self.written.fault(span, message)
    }
}

fn whole(value: &Value<'_>) -> Option<u32> {
    match value.get_ref() {
        DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FleetConfig, WrittenError> {
        FleetConfig::parse(text, Path::new("fleet.toml"), |_| None)
    }

    #[test]
    fn a_refusal_names_file_line_and_what_was_meant_and_repeats_no_secret() {
        let named = |rest: &str| format!("name = \"n\"\n{rest}");
        let one = |rest: &str| named(&format!("[[component]]\nid = \"a\"\nprobe = \"tcp://h:1\"\n{rest}"));
        let two = |rest: &str| one(&format!("[[component]]\nid = \"backend\"\nprobe = \"tcp://h:1\"\n{rest}"));
        let probe = |probe: &str| named(&format!("[[component]]\nid = \"a\"\nprobe = \"{probe}\""));
        for (text, said) in [
            (String::new(), "fleet.toml:1: this fleet has no `name`"),
            (named(""), "fleet.toml:1: no component: a fleet has at least one [[component]]"),
            (named("component = []"), "fleet.toml:1: no component"),
            (named("component = [1]"), "fleet.toml:2: a component is a table"),
            (named("[component]\nid = \"a\""), "fleet.toml:2: components are written [[component]]"),
            (named("[[components]]"), "fleet.toml:2: unknown key `components`: did you mean `component`?"),
            (format!("name = \"{}\"", "x".repeat(61)), "fleet.toml:1: `name` is one line of at most 60 bytes"),
            (named("[[component]]\nprobe = \"tcp://h:1\""), "fleet.toml:2: this component has no `id`"),
            (named("[[component]]\nid = \"a\""), "fleet.toml:2: this component has no `probe`"),
            (one("every_second = 1"), "fleet.toml:5: unknown key `every_second`: did you mean `every_seconds`?"),
            (one("password = \"hunter2\""), "fleet.toml:5: unknown key `password`"),
            (one("every_seconds = 0"), "fleet.toml:5: `every_seconds` is a whole number from 1 to 86400"),
            (one("every_seconds = \"1\""), "fleet.toml:5: `every_seconds` is a whole number"),
            (one("timeout_seconds = 301"), "fleet.toml:5: `timeout_seconds` is a whole number from 1 to 300"),
            (one("timeout_seconds = 1.5"), "fleet.toml:5: `timeout_seconds` is a whole number"),
            (one("expect_status = 200"), "fleet.toml:5: the status that is well can be said of an http://"),
            (one("expect_status = 99"), "fleet.toml:5: `expect_status` is a whole number from 200 to 599"),
            (one("label = \"\""), "fleet.toml:5: `label` is a text"),
            (one("depends_on = \"b\""), "fleet.toml:5: `depends_on` is a list"),
            (one("depends_on = [\"a\"]"), "fleet.toml:5: `a` depends on itself"),
            (two("depends_on = [\"a\", \"a\"]"), "fleet.toml:8: `a` is named twice"),
            (
                one("depends_on = [\n\"bakend\"]") + "\n[[component]]\nid = \"backend\"\nprobe = \"tcp://h:1\"",
                "fleet.toml:6: no component has the id `bakend`: did you mean `backend`?",
            ),
            (named("[[component]]\nid = \"a\\u0007\"\nprobe = \"tcp://h:1\""), "fleet.toml:3: `id` is one line"),
            (
                named(&format!("[[component]]\nid = \"{}\"\nprobe = \"tcp://h:1\"", "x".repeat(101))),
                "fleet.toml:3: `id` is one line of at most 100",
            ),
            (one("[[component]]\nid = \"a\"\nprobe = \"tcp://h:1\""), "fleet.toml:6: another component has the id `a`"),
            (probe("h:1"), "fleet.toml:4: `probe` begins with http://"),
            (probe("tcp://h"), "fleet.toml:4: `probe` has no port"),
            (probe("postgres://u:hunter2@h/a?sslmode=require"), "fleet.toml:4: a postgres:// probe is"),
            (probe("postgres://u:hunt#er2@h/a"), "fleet.toml:4: `probe` is no address"),
            (probe("redis://:${WORD}@h"), "fleet.toml:4: `${WORD}` stands for a variable of the environment"),
            ("name = \"n".into(), "fleet.toml:1: "),
        ] {
            let refused = parse(&text).expect_err(&text).to_string();
            assert!(refused.starts_with(said), "{text}\n{refused}\n{said}");
            assert!(!refused.contains('\n'), "one line: {refused}");
            assert!(!refused.contains("hunter2") && !refused.contains("er2@h"), "{refused}");
        }
    }

    #[test]
    fn components_that_need_each_other_in_a_circle_are_refused_where_it_closes() {
        let component = |id: &str, needs: &str| {
            format!("[[component]]\nid = \"{id}\"\nprobe = \"tcp://h:1\"\ndepends_on = [{needs}]\n")
        };
        let text = [
            "name = \"n\"\n".to_owned(),
            component("outside", "\"a\""),
            component("a", "\"leaf\", \"b\""),
            component("leaf", ""),
            component("b", "\"c\""),
            component("c", "\"leaf\", \"a\""),
        ]
        .concat();
        let refused = parse(&text).expect_err("a circle").to_string();
        assert_eq!(refused, "fleet.toml:21: components depend on each other in a circle: a, b, c, a");
        let open = text.replace("\"leaf\", \"a\"", "\"leaf\"");
        let needs: Vec<Vec<usize>> =
            parse(&open).expect("no circle").components.into_iter().map(|one| one.needs).collect();
        assert_eq!(needs, [vec![1], vec![2, 3], vec![], vec![4], vec![2]]);
    }

    #[test]
    fn a_fleet_has_bounds() {
        let many = |count: usize, needs: &dyn Fn(usize) -> String| {
            let each =
                |at| format!("[[component]]\nid = \"c{at}\"\nprobe = \"tcp://h:1\"\ndepends_on = [{}]\n", needs(at));
            format!("name = \"n\"\n{}", (0..count).map(each).collect::<String>())
        };
        assert!(parse(&many(COMPONENTS_MAX, &|_| String::new())).is_ok());
        let refused = parse(&many(COMPONENTS_MAX + 1, &|_| String::new())).expect_err("too many").to_string();
        assert!(refused.contains("at most 256"), "{refused}");
        let on_all_before = |at: usize| (0..at).map(|at| format!("\"c{at}\",")).collect();
        assert!(parse(&many(45, &on_all_before)).is_ok());
        let refused = parse(&many(46, &on_all_before)).expect_err("too many").to_string();
        assert!(refused.contains("more than 1000 dependencies"), "{refused}");
    }

    #[test]
    fn the_example_of_the_documents_is_the_platform_of_the_seeds_with_its_schedules() {
        const EXAMPLE: &str = include_str!("../../../../../deploy/fleet.example.toml");
        let fleet = FleetConfig::parse(EXAMPLE, Path::new("deploy/fleet.example.toml"), |name| {
            name.starts_with("ANCIENT_COMPUTE_").then(|| "a word".to_owned())
        });
        let fleet = fleet.expect("sound");
        assert_eq!((fleet.name.as_str(), fleet.components.len()), ("Ancient Compute", 12));
        let quick: Vec<&str> = fleet
            .components
            .iter()
            .filter(|one| one.every == Duration::from_secs(15))
            .map(|one| one.id.as_str())
            .collect();
        assert_eq!(quick, ["backend"]);
        assert!(
            fleet.components.iter().all(|one| one.id.as_str() == "backend" || one.every == Duration::from_secs(30))
        );
        assert_eq!(fleet.components.iter().map(|one| one.needs.len()).sum::<usize>(), 11);
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_is_refused_without_a_panic(
            text in "(\\[\\[component\\]\\]|name|id|probe|depends_on|=|\"|\\[|\\]|\n|[a-z:/0-9é ]){0,40}"
        ) {
            let _ = parse(&text);
        }
    }
}
