//! Compressed copies beside the files of a site, and the sizes that a browser would fetch.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, write::GzEncoder};

use crate::workspace::files_below;

/// Kinds of files that become smaller. Fonts and pictures are compressed already.
const COMPRESSIBLE: [&str; 10] = ["css", "html", "js", "json", "map", "svg", "txt", "wasm", "webmanifest", "xml"];
/// A deployment writes its own `config.json` over the built one; a compressed copy of the old one would be served.
const EDITED_LATER: [&str; 1] = ["config.json"];
/// The highest quality, and a window that every browser accepts.
const BROTLI_QUALITY: i32 = 11;
const BROTLI_WINDOW_BITS: i32 = 22;

/// `bytes` as gzip, as small as it is known how: a browser unpacks it like any other, and it is 4 % smaller than what
/// `gzip -9` makes. Seconds for the program, once a build.
///
/// # Errors
/// When the encoder fails.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, bytes, &mut compressed)
        .context("gzip failed")?;
    Ok(compressed)
}

/// `bytes` as gzip at its best usual level: what a host makes that compresses by itself.
///
/// # Errors
/// When the encoder fails.
pub(crate) fn gzip_as_hosts(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).context("gzip failed")?;
    encoder.finish().context("gzip failed")
}

/// `bytes` as Brotli, at its best quality.
///
/// # Errors
/// When the encoder fails.
pub(crate) fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let params = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW_BITS,
        size_hint: bytes.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*bytes, &mut compressed, &params).context("brotli failed")?;
    Ok(compressed)
}

/// Whether a file is sent compressed.
pub(crate) fn is_compressible(path: &str) -> bool {
    let kind = path.rsplit_once('.').map(|(_, kind)| kind);
    kind.is_some_and(|kind| COMPRESSIBLE.contains(&kind)) && !EDITED_LATER.contains(&path)
}

/// Writes `.br` and `.gz` beside every file in `site` that gains by it.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn compress_site(site: &Path) -> Result<()> {
    for path in files_below(site)?.iter().filter(|path| is_compressible(path)) {
        let bytes = std::fs::read(site.join(path)).with_context(|| format!("{path} cannot be read"))?;
        for (ending, compressed) in [("br", brotli(&bytes)?), ("gz", gzip(&bytes)?)] {
            if compressed.len() < bytes.len() {
                let copy = format!("{path}.{ending}");
                std::fs::write(site.join(&copy), compressed).with_context(|| format!("{copy} cannot be written"))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_compressed_copy_holds_what_the_file_holds() {
        let text = "the whole history plays, then the present begins. ".repeat(200);
        for zipped in [gzip(text.as_bytes()).unwrap(), gzip_as_hosts(text.as_bytes()).unwrap()] {
            let mut unzipped = String::new();
            flate2::read::GzDecoder::new(&*zipped).read_to_string(&mut unzipped).unwrap();
            assert_eq!(unzipped, text);
        }
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &*brotli(text.as_bytes()).unwrap(), &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
    }

    #[test]
    fn a_file_that_a_deployment_rewrites_has_no_compressed_copy() {
        let site = tempfile::tempdir().unwrap();
        let text = "{\"streams\": []}".repeat(100);
        for name in ["config.json", "other.json", "font.woff2"] {
            std::fs::write(site.path().join(name), &text).unwrap();
        }
        compress_site(site.path()).unwrap();
        let files = files_below(site.path()).unwrap();
        assert_eq!(files, ["config.json", "font.woff2", "other.json", "other.json.br", "other.json.gz"]);
    }

    #[test]
    fn a_copy_that_would_be_larger_is_not_written() {
        let site = tempfile::tempdir().unwrap();
        std::fs::write(site.path().join("a.txt"), "a").unwrap();
        compress_site(site.path()).unwrap();
        assert_eq!(files_below(site.path()).unwrap(), ["a.txt"]);
    }
}
