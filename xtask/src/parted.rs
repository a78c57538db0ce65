//! The program with like kept next to like: all operations, then all that they say of locals, of addresses, of calls, each
//! in a stream of its own, and the whole packed by LZMA. So it is a quarter smaller on the way than a module is by gzip.
//! `src/unpack.js` puts it together again; a build in which that gives back anything but the program stops.
//!
//! Knows the binary format of functions (WebAssembly core specification, section 5.4), nothing of what they do.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use lzma_rust2::{LzmaOptions, LzmaWriter};

use crate::module;
use crate::process;
use crate::workspace::Workspace;

/// What holds the streams: a module that has nothing but a section which no browser reads, so that hosts send it as what
/// it is. Its size is written in five bytes, so that what follows begins at the same place always.
const CONTAINER: &[u8] = b"\0asm\x01\0\0\0\0";
const NAME: &[u8] = b"\x01p";
const CODE: u8 = 10;

/// The streams, in the order of `src/unpack.js`.
#[derive(Clone, Copy)]
enum Stream {
    Ops,
    Blocks,
    Branches,
    Tables,
    Calls,
    Indirect,
    Locals,
    Globals,
    Aligns,
    Offsets,
    I32,
    I64,
    Floats,
    Rest,
    Types,
}

const STREAMS: usize = Stream::Types as usize + 1;

/// What of a program has been read, and the streams that it has been put into.
struct Reader<'a> {
    left: &'a [u8],
    streams: [Vec<u8>; STREAMS],
}

impl Reader<'_> {
    fn bytes(&mut self, to: Stream, count: usize) -> Result<()> {
        let (bytes, left) = self.left.split_at_checked(count).context("a function is cut short")?;
        self.streams.get_mut(to as usize).context("a stream for everything")?.extend_from_slice(bytes);
        self.left = left;
        Ok(())
    }

    fn op(&mut self) -> Result<u8> {
        let op = self.left.first().copied().context("a function is cut short")?;
        self.bytes(Stream::Ops, 1)?;
        Ok(op)
    }

    /// A number in LEB128 (section 5.2.2); its value as far as it is a count.
    fn leb(&mut self, to: Stream) -> Result<u64> {
        let length = self.left.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        let value = self.left.iter().take(length).rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
        self.bytes(to, length)?;
        Ok(value)
    }

    fn lebs(&mut self, to: Stream, count: u64) -> Result<()> {
        for _ in 0..count {
            self.leb(to)?;
        }
        Ok(())
    }

    /// Reads a function's locals and instructions.
    fn function(&mut self) -> Result<()> {
        for _ in 0..self.leb(Stream::Types)? {
            self.leb(Stream::Types)?;
            self.bytes(Stream::Types, 1)?;
        }
        let mut depth = 1_u32;
        while depth > 0 {
            match self.op()? {
                0x0b => depth -= 1,
                0x02..=0x04 => {
                    depth += 1;
                    self.leb(Stream::Blocks)?;
                }
                0x0c | 0x0d => drop(self.leb(Stream::Branches)?),
                0x0e => {
                    let count = self.leb(Stream::Tables)?;
                    self.lebs(Stream::Tables, count + 1)?;
                }
                0x10 => drop(self.leb(Stream::Calls)?),
                0x11 => self.lebs(Stream::Indirect, 2)?,
                0x1c => {
                    let count = self.leb(Stream::Rest)?;
                    self.lebs(Stream::Rest, count)?;
                }
                0x20..=0x22 => drop(self.leb(Stream::Locals)?),
                0x23 | 0x24 => drop(self.leb(Stream::Globals)?),
                0x28..=0x3e => {
                    self.leb(Stream::Aligns)?;
                    self.leb(Stream::Offsets)?;
                }
                0x25 | 0x26 | 0x3f | 0x40 | 0xd0 | 0xd2 => drop(self.leb(Stream::Rest)?),
                0x41 => drop(self.leb(Stream::I32)?),
                0x42 => drop(self.leb(Stream::I64)?),
                0x43 => self.bytes(Stream::Floats, 4)?,
                0x44 => self.bytes(Stream::Floats, 8)?,
                0xfc => match self.leb(Stream::Ops)? {
                    0..=7 => {}
                    9 | 11 | 13 | 15..=17 => self.lebs(Stream::Rest, 1)?,
                    8 | 10 | 12 | 14 => self.lebs(Stream::Rest, 2)?,
                    more => bail!("an operation 0xfc {more} that is not known here"),
                },
                0x00 | 0x01 | 0x05 | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 | 0xd1 => {}
                op => bail!("an operation {op:#x} that is not known here"),
            }
        }
        Ok(())
    }
}

/// `program` in its parts.
///
/// # Errors
/// When it is no module, or has an operation of a later version of the standard.
fn part(program: &[u8]) -> Result<Vec<u8>> {
    let sections = module::sections(program)?;
    let (_, code) = sections.iter().find(|(kind, _)| *kind == CODE).context("a module without functions")?;
    let tail_at = offset_in(program, code) + code.len();
    let mut reader = Reader { left: code, streams: Default::default() };
    let functions = reader.leb(Stream::Types)?;
    reader.streams.get_mut(Stream::Types as usize).context("a stream of types")?.clear();
    let head_length = tail_at - reader.left.len();
    for _ in 0..functions {
        // The size of a body is known when it has been put together again.
        let length = reader.left.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        reader.left = reader.left.get(length..).context("a function is cut short")?;
        reader.function()?;
    }
    ensure!(reader.left.is_empty(), "something follows the last function");
    let (head, tail) = (program.get(..head_length), program.get(tail_at..));
    let (head, tail) = (head.context("what comes before functions")?, tail.context("what comes after functions")?);

    let mut parts = Vec::new();
    let lengths = [program.len(), usize::try_from(functions)?, head.len(), tail.len()];
    for number in lengths.into_iter().chain(reader.streams.iter().map(Vec::len)) {
        parts.extend(u32::try_from(number)?.to_le_bytes());
    }
    parts.extend_from_slice(head);
    parts.extend_from_slice(tail);
    parts.extend(reader.streams.iter().flatten());
    Ok(parts)
}

/// `parts`, packed, in a module.
///
/// # Errors
/// When they are larger than a module may be.
fn pack(parts: &[u8]) -> Result<Vec<u8>> {
    let mut content = NAME.to_vec();
    content.extend(u32::try_from(parts.len())?.to_le_bytes());
    content.extend(sum(parts).to_le_bytes());
    let mut options = LzmaOptions::with_preset(9);
    // As `src/lzma.js` reads it: one bit of the literal before says most, and operations stand anywhere.
    (options.lc, options.lp, options.pb) = (1, 0, 0);
    (options.nice_len, options.dict_size) = (LzmaOptions::NICE_LEN_MAX, u32::try_from(parts.len())?.max(1 << 16));
    let mut writer = LzmaWriter::new_no_header(content, &options, false).context("LZMA refuses its options")?;
    writer.write_all(parts).context("the parts cannot be packed")?;
    let content = writer.finish().context("the parts cannot be packed")?;
    let mut packed = CONTAINER.to_vec();
    let size = u32::try_from(content.len())?;
    packed.extend((0..5).map(|at| {
        let more = if at < 4 { 0x80 } else { 0 };
        u8::try_from(size >> (7 * at) & 0x7f).unwrap_or_default() | more
    }));
    packed.extend(content);
    Ok(packed)
}

/// By what it is told that `parts` came back as they were: LZMA alone cannot tell.
fn sum(parts: &[u8]) -> u32 {
    parts.iter().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)))
}

/// Where `part`, which is a part of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

/// Writes `program` in its parts to `target`, and sees that the page's own reader makes the same of them; `folder` is for
/// files between two steps.
///
/// # Errors
/// When it cannot be parted, or does not come back to the byte.
pub(crate) fn write(workspace: &Workspace, program: &[u8], target: &Path, folder: &Path) -> Result<()> {
    let packed = pack(&part(program)?)?;
    std::fs::write(target, packed).with_context(|| format!("{} cannot be written", target.display()))?;
    for reader in ["unpack.js", "lzma.js"] {
        let source = workspace.root.join("src").join(reader);
        std::fs::copy(&source, folder.join(reader))
            .with_context(|| format!("{} cannot be copied", source.display()))?;
    }
    std::fs::write(folder.join("package.json"), r#"{"type":"module"}"#).context("a script cannot be written")?;
    let (script, back) = (folder.join("back.js"), folder.join("back.wasm"));
    let text = "import { readFileSync, writeFileSync } from 'node:fs';\n\
                import { unpack } from './unpack.js';\n\
                const [, , from, to] = process.argv;\n\
                writeFileSync(to, unpack(new Uint8Array(readFileSync(from))));\n";
    std::fs::write(&script, text).context("a script cannot be written")?;
    let mut node = process::command(workspace, Path::new("node"));
    process::run("putting the program together again", node.arg(&script).arg(target).arg(&back))?;
    let back = std::fs::read(&back).context("nothing came back")?;
    ensure!(back == program, "src/unpack.js makes another program of the parts than they were made of");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one function of this body: its locals, its instructions.
    fn of(body: &[u8]) -> Vec<u8> {
        let size = u8::try_from(body.len()).unwrap();
        let mut module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec();
        module.extend([size + 2, 1, size]);
        module.extend(body);
        module
    }

    #[test]
    fn like_lies_next_to_like() {
        // Two locals of i32; local.get 5, i32.const 300, i32.store align 2 offset 7, end.
        let parts = part(&of(&[1, 2, 0x7f, 0x20, 5, 0x41, 0xac, 2, 0x36, 2, 7, 0x0b])).unwrap();
        let streams = parts.get(parts.len() - 12..).unwrap();
        assert_eq!(streams, [0x20, 0x41, 0x36, 0x0b, 5, 2, 7, 0xac, 2, 1, 2, 0x7f]);
    }

    #[test]
    fn what_is_not_known_stops_the_build() {
        for body in [&[0, 0xfd, 0, 0x0b][..], &[0, 0x06, 0x40, 0x0b], &[0, 0xfc, 18, 0x0b], &[0, 0x41]] {
            assert!(part(&of(body)).is_err(), "{body:?}");
        }
        assert!(part(b"\0asm\x01\0\0\0").is_err());
    }

    #[test]
    fn the_container_is_a_module_itself() {
        let packed = pack(&part(&of(&[0, 0x0b])).unwrap()).unwrap();
        assert_eq!(module::sections(&packed).unwrap().len(), 1);
    }

    #[test]
    fn what_is_cut_or_spoilt_on_the_way_is_refused_in_time_and_what_is_whole_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let body: Vec<u8> = [0].into_iter().chain((0..60_u8).flat_map(|n| [0x41, n % 7, 0x1a])).chain([0x0b]).collect();
        // Its sizes are written in two bytes.
        let size = u8::try_from(body.len() & 0x7f).unwrap() | 0x80;
        let mut program = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec();
        program.extend([size + 3, 1, 1, size, 1]);
        program.extend(&body);
        for script in ["unpack.js", "lzma.js"] {
            std::fs::copy(Workspace::find().unwrap().root.join("src").join(script), folder.path().join(script))
                .unwrap();
        }
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("package.json", br#"{"type":"module"}"#);
        write("whole", &program);
        write("packed", &pack(&part(&program).unwrap()).unwrap());
        write(
            "try.js",
            b"import { readFileSync } from 'node:fs';
              import { unpack } from './unpack.js';
              const [whole, packed] = ['whole', 'packed'].map((name) => new Uint8Array(readFileSync(name)));
              const same = (bytes) => bytes.length === whole.length && bytes.every((byte, at) => byte === whole[at]);
              if (!same(unpack(packed))) throw new Error('it does not come back');
              const begun = performance.now();
              const read = (bytes) => { try { return same(unpack(bytes)) ? 'whole' : 'another' }
                catch (error) { if (error instanceof TypeError) return 'refused'; throw error } };
              for (let at = 0; at < packed.length; at++) {
                if (read(packed.slice(0, at)) !== 'refused') throw new Error(`cut at ${at}`);
                if (at < 16) continue;
                for (let bit = 0; bit < 8; bit++) {
                  const bytes = packed.slice();
                  bytes[at] ^= 1 << bit;
                  if (read(bytes) === 'another') throw new Error(`bit ${bit} of ${at} spoilt, and it is taken`);
                }
              }
              if (performance.now() - begun > 20_000) throw new Error('it takes too long');",
        );
        let node = std::process::Command::new("node").arg("try.js").current_dir(folder.path()).output().unwrap();
        assert!(node.status.success(), "{}", String::from_utf8_lossy(&node.stderr));
    }
}
