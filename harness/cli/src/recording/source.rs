//! The bytes of a recording: unpacked, and told from what is no table.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::tools::{self, Converted};

/// Recordings of tools are read as a whole; longer ones are refused.
const TOOL_BYTES_MAX: u64 = 256 << 20;
/// So much of a file tells what it is.
const HEAD: usize = 64 << 10;

/// A table that can be read row by row.
pub(super) struct Source {
    pub(super) reader: Box<dyn Read>,
    pub(super) delimiter: u8,
    /// The tool that wrote it, if it is not a table of values itself.
    pub(super) tool: Option<&'static str>,
}

/// Opens a recording.
pub(super) fn open(path: &Path, every_s: Option<f64>) -> Result<Source, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut packed = BufReader::with_capacity(HEAD, file);
    let start = packed.fill_buf().map_err(|error| error.to_string())?;
    if start.is_empty() {
        return Err("the file is empty: expected a heading and one row for each sample".to_owned());
    }
    let reader: Box<dyn Read> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(packed))
    } else if let Some(kind) = packed_by(start) {
        return Err(format!("the file is packed with {kind}: unpack it first, or use gzip"));
    } else {
        Box::new(packed)
    };
    let mut reader = BufReader::with_capacity(HEAD, reader);
    let head = head(&mut reader)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    if text.trim().is_empty() {
        return Err("the file holds no text: expected a heading and one row for each sample".to_owned());
    }
    if text.contains('\0') {
        return Err("the file is not text (UTF-8): expected a table, such as CSV; gzip is read as well".to_owned());
    }
    let whole = io::Cursor::new(head).chain(reader);
    // The head is enough to know the tool; the whole is needed to read it.
    let is_of_tool = !matches!(tools::converted(&text, Some(1.0)), Ok(None));
    if is_of_tool {
        let mut text = Vec::new();
        whole.take(TOOL_BYTES_MAX + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
        if text.len() as u64 > TOOL_BYTES_MAX {
            return Err("the recording is larger than 256 MiB: keep only the lines of the process".to_owned());
        }
        if let Some(Converted { tool, table }) = tools::converted(&String::from_utf8_lossy(&text), every_s)? {
            let reader: Box<dyn Read> = Box::new(io::Cursor::new(table.into_bytes()));
            return Ok(Source { reader, delimiter: b',', tool: Some(tool) });
        }
        return Err("the recording changes its format in the middle".to_owned());
    }
    Ok(Source { reader: Box::new(whole), delimiter: delimiter(&text), tool: None })
}

fn head(reader: &mut impl Read) -> Result<Vec<u8>, String> {
    let mut head = Vec::with_capacity(HEAD);
    reader.take(HEAD as u64).read_to_end(&mut head).map_err(|error| format!("it cannot be unpacked: {error}"))?;
    // The mark that some programs put before UTF-8.
    if head.starts_with(&[0xef, 0xbb, 0xbf]) {
        head.drain(..3);
    }
    Ok(head)
}

fn packed_by(start: &[u8]) -> Option<&'static str> {
    let kinds: [(&[u8], &str); 5] = [
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"),
        (b"BZh", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    ];
    kinds.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, name)| name)
}

/// The separator that the heading has most of.
fn delimiter(text: &str) -> u8 {
    let heading = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: u8| heading.bytes().filter(|byte| *byte == separator).count();
    // Of two alike the comma.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}
