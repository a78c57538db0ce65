//! A WebAssembly module as far as its names go: what it imports and exports, and other names for both.
//!
//! Knows the binary format (WebAssembly core specification, section 5.5) and nothing of what the names mean.

use anyhow::{Context, Result, bail};

const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
/// The part of the custom section `name` that names functions (appendix, "Name Section").
const FUNCTION_NAMES: u8 = 1;
/// The kind of an import or export that is a function (section 5.5.5).
const FUNCTION: u8 = 0;
/// Which of an entry's names is its own.
const OWN: usize = 1;
/// The body of a function that has no locals and traps: `unreachable`, `end`.
const TRAP: &[u8] = &[0, 0, 0x0b];

/// Names of what the module `program` exports.
///
/// # Errors
/// When it is no module, or is cut short.
pub(crate) fn exports(program: &[u8]) -> Result<Vec<String>> {
    names(program, EXPORTS)
}

/// Names of the functions that the module `program` imports, whatever module they are of.
///
/// # Errors
/// When it is no module, is cut short, or imports something else.
pub(crate) fn imports(program: &[u8]) -> Result<Vec<String>> {
    names(program, IMPORTS)
}

fn names(program: &[u8], wanted: u8) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (kind, content) in sections(program)? {
        if kind == wanted {
            named(kind, content, |which, name| {
                names.extend((which == OWN).then(|| name.to_owned()));
                String::new()
            })?;
        }
    }
    Ok(names)
}

/// The module `program` with other names: `import` and `export` say which. What only tools read (custom sections) is
/// left out when `bare`.
///
/// # Errors
/// When it is no module, is cut short, or imports something other than functions.
pub(crate) fn renamed(
    program: &[u8],
    bare: bool,
    module: &str,
    import: impl Fn(&str) -> String,
    export: impl Fn(&str) -> String,
) -> Result<Vec<u8>> {
    let mut out = HEADER.to_vec();
    for (kind, content) in sections(program)? {
        let content = match kind {
            CUSTOM if bare => continue,
            IMPORTS => named(kind, content, |which, name| if which == OWN { import(name) } else { module.to_owned() })?,
            EXPORTS => named(kind, content, |_, name| export(name))?,
            _ => content.to_vec(),
        };
        out.push(kind);
        put_vector(&mut out, &content);
    }
    Ok(out)
}

/// The bodies of the functions of the module `program`, in their order.
///
/// # Errors
/// When it is no module, or is cut short.
pub(crate) fn functions(program: &[u8]) -> Result<Vec<&[u8]>> {
    let code = sections(program)?.into_iter().find(|(kind, _)| *kind == CODE);
    let mut section = Reader { bytes: code.context("the module has no code")?.1 };
    let count = section.number()?;
    (0..count).map(|_| section.vector()).collect()
}

/// The module `program` in which the functions that `is_out` names do nothing but trap.
///
/// # Errors
/// When it is no module, or is cut short.
pub(crate) fn emptied(program: &[u8], is_out: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
    // Functions that are imported are counted first.
    let imported = imports(program)?.len();
    let mut gone = Vec::new();
    for (number, name) in function_names(program)? {
        gone.extend(is_out(name).then(|| number.checked_sub(imported)).flatten());
    }
    let mut out = HEADER.to_vec();
    for (kind, content) in sections(program)? {
        out.push(kind);
        if kind == CODE {
            let functions = functions(program)?;
            let mut section = Vec::new();
            put_number(&mut section, functions.len());
            for (at, body) in functions.into_iter().enumerate() {
                put_vector(&mut section, if gone.contains(&at) { TRAP } else { body });
            }
            put_vector(&mut out, &section);
        } else {
            put_vector(&mut out, content);
        }
    }
    Ok(out)
}

/// The numbers and names of functions, as far as the custom section `name` has them.
fn function_names(program: &[u8]) -> Result<Vec<(usize, &str)>> {
    let mut named = Vec::new();
    for (_, content) in sections(program)?.into_iter().filter(|(kind, _)| *kind == CUSTOM) {
        let mut section = Reader { bytes: content };
        if section.vector()? != b"name" {
            continue;
        }
        while !section.bytes.is_empty() {
            let (part, content) = (section.byte()?, section.vector()?);
            let mut names = Reader { bytes: content };
            if part == FUNCTION_NAMES {
                for _ in 0..names.number()? {
                    named.push((names.number()?, std::str::from_utf8(names.vector()?)?));
                }
            }
        }
    }
    Ok(named)
}

/// The module `program`, its functions named so that their names come in `order`.
///
/// # Errors
/// When it is no module, or is cut short.
pub(crate) fn numbered(program: &[u8], order: &[usize]) -> Result<Vec<u8>> {
    // Functions that are imported are counted first.
    let imported = imports(program)?.len();
    let mut places: Vec<(usize, usize)> =
        order.iter().enumerate().map(|(place, function)| (*function, place)).collect();
    places.sort_unstable();
    let mut names = Vec::new();
    put_number(&mut names, places.len());
    for (function, place) in places {
        put_number(&mut names, imported + function);
        put_vector(&mut names, format!("{place:06}").as_bytes());
    }
    let mut section = Vec::new();
    put_vector(&mut section, b"name");
    section.push(FUNCTION_NAMES);
    put_vector(&mut section, &names);
    let mut out = program.to_vec();
    out.push(CUSTOM);
    put_vector(&mut out, &section);
    Ok(out)
}

/// Each section's kind and content.
pub(crate) fn sections(program: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut module = Reader { bytes: program.strip_prefix(HEADER).context("no WebAssembly module")? };
    let mut sections = Vec::new();
    while !module.bytes.is_empty() {
        sections.push((module.byte()?, module.vector()?));
    }
    Ok(sections)
}

/// The section of imports or exports with the names that `name` gives; it is told which of an entry's names it is.
fn named(kind: u8, content: &[u8], mut name: impl FnMut(usize, &str) -> String) -> Result<Vec<u8>> {
    let mut section = Reader { bytes: content };
    let count = section.number()?;
    let mut out = Vec::new();
    put_number(&mut out, count);
    for _ in 0..count {
        // An import has the name of its module before its own.
        let first = if kind == IMPORTS { 0 } else { OWN };
        for which in first..=OWN {
            put_vector(&mut out, name(which, std::str::from_utf8(section.vector()?)?).as_bytes());
        }
        let what = section.byte()?;
        if kind == IMPORTS && what != FUNCTION {
            bail!("the module imports something that is no function");
        }
        out.push(what);
        put_number(&mut out, section.number()?);
    }
    if !section.bytes.is_empty() {
        bail!("the module says more of its names than is known here");
    }
    Ok(out)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().context("the module is cut short")?;
        self.bytes = rest;
        Ok(*first)
    }

    /// An unsigned number of at most 32 bits in LEB128 (section 5.2.2).
    fn number(&mut self) -> Result<usize> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(usize::try_from(value)?);
            }
        }
        bail!("a number in the module is too long")
    }

    fn vector(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        let (taken, rest) = self.bytes.split_at_checked(length).context("the module is cut short")?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn put_number(out: &mut Vec<u8>, number: usize) {
    let mut rest = number;
    loop {
        let [low, ..] = (rest & 0x7f).to_le_bytes();
        rest >>= 7;
        out.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return;
        }
    }
}

fn put_vector(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that imports the function `from.call`, and exports a memory and that function.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x0d\x01\x04from\x04call\0\0\x05\x03\x01\0\x01\
        \x07\x0f\x02\x06memory\x02\0\x02go\0\0\0\x05\x04note";

    #[test]
    fn names_are_read_and_a_torn_module_is_refused() {
        assert_eq!(exports(MODULE).unwrap(), ["memory", "go"]);
        assert_eq!(imports(MODULE).unwrap(), ["call"]);
        let whole = [0, 8, 14, 29, 34, 51];
        for end in (0..MODULE.len()).filter(|end| !whole.contains(end)) {
            assert!(exports(&MODULE[..end]).is_err(), "{end}");
        }
        let memory = b"\0asm\x01\0\0\0\x02\x09\x01\x01a\x01b\x02\0\x01\0\0";
        assert!(imports(memory).is_err(), "a memory is no function");
    }

    #[test]
    fn functions_are_numbered_after_those_that_are_imported() {
        let code = b"\x0a\x07\x02\x02\0\x0b\x02\0\x0b";
        let module = [MODULE, code.as_slice()].concat();
        assert_eq!(functions(&module).unwrap(), [b"\0\x0b", b"\0\x0b"]);
        let numbered = numbered(&module, &[1, 0]).unwrap();
        let names = b"\0\x18\x04name\x01\x11\x02\x01\x06000001\x02\x06000000";
        assert_eq!(numbered, [&module, names.as_slice()].concat());
        assert!(functions(MODULE).is_err());
    }

    #[test]
    fn a_function_that_is_out_traps_and_the_others_stay() {
        let code = b"\x0a\x09\x02\x03\0\x01\x0b\x03\0\x01\x0b";
        let module = numbered(&[MODULE, code.as_slice()].concat(), &[1, 0]).unwrap();
        let emptied = emptied(&module, |name| name == "000000").unwrap();
        assert_eq!(functions(&emptied).unwrap(), [b"\0\x01\x0b", TRAP]);
        assert_eq!(emptied.len(), module.len());
    }

    #[test]
    fn a_module_with_other_names_is_the_same_otherwise() {
        let same = renamed(MODULE, false, "from", str::to_owned, str::to_owned).unwrap();
        assert_eq!(same, MODULE);
        let long = "n".repeat(200);
        let other = renamed(MODULE, true, "x", |_| long.clone(), |name| format!("{name}!")).unwrap();
        assert_eq!(imports(&other).unwrap(), [long.as_str()]);
        assert_eq!(exports(&other).unwrap(), ["memory!", "go!"]);
        assert!(!other.ends_with(b"note"));
    }
}
