//! Saved models: one envelope for all of them, read without trusting a single length in it.
//!
//! Layout, little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `DAFU` |
//! | 2 | format version, 1 |
//! | 2 | schema version of the payload, chosen by its kind |
//! | 2 + n | kind: length, then ASCII text of 1 to 64 bytes |
//! | 8 | hash of the feature schema, 0 for none |
//! | 8 | length of the payload |
//! | 8 | checksum: FNV-1a of everything before it and of the payload |
//! | length | payload (postcard) |

use crate::{SchemaHash, StableHasher};
use std::hash::Hasher;

const MAGIC: [u8; 4] = *b"DAFU";
const FORMAT: u16 = 1;
const MAX_KIND: usize = 64;

/// Bounds of what loading accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Most trees in a forest.
    pub max_trees: u64,
    /// Most nodes in all trees together.
    pub max_nodes: u64,
    /// Most features of a model.
    pub max_features: u64,
}

impl Default for Limits {
    /// 256 MiB, 10,000 trees, 50 million nodes, 1 million features.
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_trees: 10_000,
            max_nodes: 50_000_000,
            max_features: 1_000_000,
        }
    }
}

/// What can be wrong with a saved model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file does not begin with `DAFU`.
    #[error("not a dafu model: the first four bytes are {got:02x?} instead of \"DAFU\"")]
    Magic {
        /// The first bytes.
        got: Vec<u8>,
    },
    /// The format is newer than this library.
    #[error("format version {got} is not known here; the newest known is {newest}: update dafu")]
    Format {
        /// Version in the file.
        got: u16,
        /// Newest version known.
        newest: u16,
    },
    /// The file ends before its header or payload does, or goes on after it.
    #[error("the file has {got} bytes, its header says {expected}")]
    Length {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// The file is larger than the limit.
    #[error(
        "the file has {got} bytes, the limit is {limit}: raise `Limits::max_bytes` if you trust it"
    )]
    TooLarge {
        /// Bytes there are.
        got: u64,
        /// The limit.
        limit: u64,
    },
    /// The kind is no ASCII text of 1 to 64 bytes.
    #[error("the kind of the model must be 1 to 64 printable ASCII bytes, got {length} bytes")]
    Kind {
        /// Its length.
        length: usize,
    },
    /// Content and checksum differ.
    #[error("checksum {got:016x} does not match {expected:016x}: the file is damaged")]
    Checksum {
        /// Checksum in the file.
        expected: u64,
        /// Checksum of the content.
        got: u64,
    },
    /// A model of another kind was expected.
    #[error("expected a model of kind {expected:?}, got {got:?}")]
    WrongKind {
        /// Kind expected.
        expected: String,
        /// Kind in the file.
        got: String,
    },
    /// No decoder is registered for the kind.
    #[error("no decoder is registered for kind {got:?}; known: {known:?}")]
    UnknownKind {
        /// Kind in the file.
        got: String,
        /// Kinds with a decoder.
        known: Vec<String>,
    },
    /// The payload's schema version is newer than this library.
    #[error("{kind} has schema version {got}; the newest known is {newest}: update dafu")]
    SchemaVersion {
        /// Kind of the model.
        kind: String,
        /// Version in the file.
        got: u16,
        /// Newest version known.
        newest: u16,
    },
    /// The model was made for other features.
    #[error("the model was made for features {expected}, these are {got}")]
    SchemaHash {
        /// Hash in the file.
        expected: SchemaHash,
        /// Hash of the features at hand.
        got: SchemaHash,
    },
    /// The payload cannot be decoded or breaks a rule of its kind.
    #[error("payload of {kind}: {what}")]
    Payload {
        /// Kind of the model.
        kind: String,
        /// What is wrong.
        what: String,
    },
}

/// The checked header of a saved model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    kind: String,
    schema_version: u16,
    schema_hash: SchemaHash,
}

impl Header {
    /// Reads header and checksum.
    ///
    /// # Errors
    ///
    /// Every way in which bytes are no intact envelope within the limits.
    ///
    /// # Complexity
    ///
    /// O(bytes), no allocation beyond the kind.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, ModelError> {
        Envelope::read(bytes, limits).map(|envelope| envelope.header)
    }

    /// Kind of the model, such as `dafu.iforest`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Version of the payload's layout, counted per kind.
    pub fn schema_version(&self) -> u16 {
        self.schema_version
    }

    /// Hash of the features that the model was made for; 0 for none.
    pub fn schema_hash(&self) -> SchemaHash {
        self.schema_hash
    }
}

/// A saved model: header and payload, borrowed from the file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    header: Header,
    payload: &'a [u8],
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], ModelError> {
        let end = self.at.saturating_add(count);
        let part = self.bytes.get(self.at..end).ok_or(ModelError::Length {
            expected: end as u64,
            got: self.bytes.len() as u64,
        })?;
        self.at = end;
        Ok(part)
    }

    fn number<const N: usize>(&mut self) -> Result<u64, ModelError> {
        let mut number = [0; 8];
        number[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(number))
    }

    fn short(&mut self) -> Result<u16, ModelError> {
        let low = self.take(2)?;
        Ok(u16::from_le_bytes([low[0], low[1]]))
    }
}

impl<'a> Envelope<'a> {
    /// Reads and checks an envelope.
    ///
    /// # Errors
    ///
    /// Every way in which bytes are no intact envelope within the limits.
    ///
    /// # Complexity
    ///
    /// O(bytes), no allocation beyond the kind.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ModelError> {
        let size = bytes.len() as u64;
        if size > limits.max_bytes {
            return Err(ModelError::TooLarge {
                got: size,
                limit: limits.max_bytes,
            });
        }
        let mut reader = Reader { bytes, at: 0 };
        if !bytes.starts_with(&MAGIC) {
            return Err(ModelError::Magic {
                got: bytes.iter().take(4).copied().collect(),
            });
        }
        reader.take(MAGIC.len())?;
        let format = reader.short()?;
        if format != FORMAT {
            return Err(ModelError::Format {
                got: format,
                newest: FORMAT,
            });
        }
        let schema_version = reader.short()?;
        let length = usize::from(reader.short()?);
        if length == 0 || length > MAX_KIND {
            return Err(ModelError::Kind { length });
        }
        let kind = reader.take(length)?;
        let kind = std::str::from_utf8(kind)
            .ok()
            .filter(|kind| is_kind(kind))
            .ok_or(ModelError::Kind { length })?
            .to_owned();
        let schema_hash = SchemaHash(reader.number::<8>()?);
        let payload_length = reader.number::<8>()?;
        let head = &bytes[..reader.at];
        let expected = reader.number::<8>()?;
        let payload = &bytes[reader.at..];
        if payload.len() as u64 != payload_length {
            let expected = (reader.at as u64).saturating_add(payload_length);
            return Err(ModelError::Length {
                expected,
                got: size,
            });
        }
        let got = checksum(head, payload);
        if got != expected {
            return Err(ModelError::Checksum { expected, got });
        }
        Ok(Self {
            header: Header {
                kind,
                schema_version,
                schema_hash,
            },
            payload,
        })
    }

    /// Reads an envelope of a given kind, whose payload layout is at most `newest`.
    ///
    /// # Errors
    ///
    /// As [`Envelope::read`], and [`ModelError::WrongKind`], [`ModelError::SchemaVersion`].
    pub fn expect(
        bytes: &'a [u8],
        kind: &str,
        newest: u16,
        limits: &Limits,
    ) -> Result<Self, ModelError> {
        let envelope = Self::read(bytes, limits)?;
        let header = &envelope.header;
        if header.kind != kind {
            return Err(ModelError::WrongKind {
                expected: kind.to_owned(),
                got: header.kind.clone(),
            });
        }
        if header.schema_version > newest {
            let got = header.schema_version;
            return Err(ModelError::SchemaVersion {
                kind: kind.to_owned(),
                got,
                newest,
            });
        }
        Ok(envelope)
    }

    /// Writes an envelope around payload bytes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Kind`] for a kind that is no printable ASCII text of 1 to 64 bytes.
    pub fn write(
        kind: &str,
        schema_version: u16,
        schema_hash: SchemaHash,
        payload: &[u8],
    ) -> Result<Vec<u8>, ModelError> {
        let length = u16::try_from(kind.len()).unwrap_or(u16::MAX);
        if kind.is_empty() || kind.len() > MAX_KIND || !is_kind(kind) {
            return Err(ModelError::Kind { length: kind.len() });
        }
        let mut bytes = Vec::with_capacity(payload.len() + kind.len() + 34);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(schema_version.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(kind.as_bytes());
        bytes.extend(schema_hash.0.to_le_bytes());
        bytes.extend((payload.len() as u64).to_le_bytes());
        let sum = checksum(&bytes, payload);
        bytes.extend(sum.to_le_bytes());
        bytes.extend(payload);
        Ok(bytes)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload bytes.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

#[cfg(feature = "postcard")]
impl Envelope<'_> {
    /// Encodes a payload with postcard and wraps it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Kind`], and [`ModelError::Payload`] when the value cannot be encoded.
    pub fn encode<T: serde::Serialize + ?Sized>(
        kind: &str,
        schema_version: u16,
        schema_hash: SchemaHash,
        value: &T,
    ) -> Result<Vec<u8>, ModelError> {
        let payload = postcard::to_stdvec(value).map_err(|error| payload_error(kind, &error))?;
        Self::write(kind, schema_version, schema_hash, &payload)
    }

    /// Decodes the payload; bytes left over are an error. Memory stays proportional to the payload: postcard
    /// reserves at most what serde's caution allows and grows as bytes arrive.
    ///
    /// # Errors
    ///
    /// [`ModelError::Payload`].
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, ModelError> {
        let kind = &self.header.kind;
        let (value, rest) =
            postcard::take_from_bytes(self.payload).map_err(|error| payload_error(kind, &error))?;
        if rest.is_empty() {
            Ok(value)
        } else {
            let what = format!("{} bytes left over", rest.len());
            Err(ModelError::Payload {
                kind: kind.clone(),
                what,
            })
        }
    }
}

#[cfg(feature = "postcard")]
fn payload_error(kind: &str, error: &postcard::Error) -> ModelError {
    ModelError::Payload {
        kind: kind.to_owned(),
        what: error.to_string(),
    }
}

fn is_kind(kind: &str) -> bool {
    kind.bytes().all(|byte| byte.is_ascii_graphic())
}

fn checksum(head: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = StableHasher::default();
    hasher.write(head);
    hasher.write(payload);
    hasher.finish()
}
