//! Bytes from a file or from memory, plain or gzip, with caps.

use crate::IngestError;
use crate::params::Limits;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Where bytes come from; can be opened any number of times.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Path(PathBuf),
    Bytes(Arc<[u8]>),
}

impl Origin {
    fn reader(&self) -> Result<Bytes, IngestError> {
        Ok(match self {
            Self::Path(path) => Box::new(File::open(path).map_err(|source| IngestError::Open {
                path: path.display().to_string(),
                source,
            })?),
            Self::Bytes(bytes) => Box::new(Cursor::new(Arc::clone(bytes))),
        })
    }

    /// Whether the first bytes are those of a Parquet file.
    #[cfg(feature = "parquet")]
    pub(crate) fn is_parquet(&self) -> Result<bool, IngestError> {
        let mut magic = Vec::with_capacity(4);
        self.reader()?
            .take(4)
            .read_to_end(&mut magic)
            .map_err(|source| IngestError::Read { row: 0, source })?;
        Ok(magic == b"PAR1")
    }
}

type Bytes = Box<dyn Read + Send>;

/// Counts what the decompressor takes.
struct Counted {
    inner: Bytes,
    count: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

enum Stream {
    Plain(Bytes),
    Gzip(Box<MultiGzDecoder<BufReader<Counted>>>),
}

/// An opened origin.
pub(crate) struct ByteInput {
    stream: Stream,
    taken: u64,
    max_bytes: u64,
    max_expansion: u32,
}

/// Expansion is not judged below this many bytes.
const FREE_EXPANSION: u64 = 1 << 20;

/// First bytes of files that people take for CSV.
const OTHER_FORMATS: [(&[u8], &str, &str); 9] = [
    (
        b"PK\x03\x04",
        "a ZIP archive (or an Excel workbook)",
        "unpack it, or save the sheet as CSV",
    ),
    (
        b"\xd0\xcf\x11\xe0",
        "an old Excel workbook",
        "save the sheet as CSV",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "a Zstandard stream",
        "decompress it with `zstd -d`",
    ),
    (
        b"\xfd7zXZ\x00",
        "an XZ stream",
        "decompress it with `xz -d`",
    ),
    (b"BZh", "a bzip2 stream", "decompress it with `bzip2 -d`"),
    (
        b"PAR1",
        "a Parquet file",
        "switch on the feature `parquet`, or write it as CSV",
    ),
    (b"ARROW1", "an Arrow file", "write it as CSV or Parquet"),
    (
        b"\xff\xfe",
        "UTF-16 text",
        "convert it with `iconv -f UTF-16 -t UTF-8`",
    ),
    (
        b"\xfe\xff",
        "UTF-16 text",
        "convert it with `iconv -f UTF-16 -t UTF-8`",
    ),
];

impl ByteInput {
    pub(crate) fn open(origin: &Origin, limits: &Limits) -> Result<Self, IngestError> {
        let mut inner = origin.reader()?;
        let mut first = Vec::with_capacity(8);
        inner
            .by_ref()
            .take(8)
            .read_to_end(&mut first)
            .map_err(|source| IngestError::Read { row: 0, source })?;
        if let Some((_, found, remedy)) = OTHER_FORMATS
            .iter()
            .find(|(magic, ..)| first.starts_with(magic))
        {
            return Err(IngestError::NotCsv { found, remedy });
        }
        let is_gzip = first.starts_with(b"\x1f\x8b");
        let whole: Bytes = Box::new(Cursor::new(first).chain(inner));
        let stream = if is_gzip {
            let counted = Counted {
                inner: whole,
                count: 0,
            };
            Stream::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                64 << 10,
                counted,
            ))))
        } else {
            Stream::Plain(whole)
        };
        Ok(Self {
            stream,
            taken: 0,
            max_bytes: limits.max_bytes,
            max_expansion: limits.max_expansion,
        })
    }

    /// Reads some bytes; 0 at the end. `row` is named in errors.
    pub(crate) fn read(&mut self, buffer: &mut [u8], row: u64) -> Result<usize, IngestError> {
        let read = loop {
            let result = match &mut self.stream {
                Stream::Plain(bytes) => bytes.read(buffer),
                Stream::Gzip(decoder) => decoder.read(buffer),
            };
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if error.kind() == ErrorKind::UnexpectedEof
                        && matches!(self.stream, Stream::Gzip(_)) =>
                {
                    return Err(IngestError::Truncated { row });
                }
                Err(source) => return Err(IngestError::Read { row, source }),
                Ok(read) => break read,
            }
        };
        self.taken += read as u64;
        if self.taken > self.max_bytes {
            return Err(IngestError::TooManyBytes {
                row,
                limit: self.max_bytes,
            });
        }
        if let Stream::Gzip(decoder) = &self.stream
            && self.taken > FREE_EXPANSION
        {
            let compressed = decoder.get_ref().get_ref().count;
            if self.taken > compressed.saturating_mul(u64::from(self.max_expansion)) {
                return Err(IngestError::Expansion {
                    row,
                    limit: self.max_expansion,
                });
            }
        }
        Ok(read)
    }

    /// Bytes read so far, after decompression.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }
}
