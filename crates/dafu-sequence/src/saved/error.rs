//! What can be wrong with a file of weights.

use std::fmt;

/// What can be wrong with a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsError {
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
    /// The file does not begin with a header of this format.
    #[error(
        "this is no safetensors file: write one in Python with \
         `safetensors.torch.save_file(network.state_dict(), path)`, not with `torch.save`"
    )]
    Format,
    /// The file ends before its header does.
    #[error("the header has {expected} bytes, only {got} of them are there: the file is cut off")]
    HeaderLength {
        /// Bytes of the header.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// The file ends before its tensors do, or goes on after them.
    #[error("the tensors take {expected} bytes, there are {got}: the file is damaged")]
    Length {
        /// Bytes of all tensors.
        expected: u64,
        /// Bytes after the header.
        got: u64,
    },
    /// The header cannot be decoded.
    #[error("header: {what}")]
    Header {
        /// What is wrong.
        what: String,
    },
    /// The file does not hold the tensors of the network.
    #[error(
        "the network's tensors are not those of the file{}{}",
        Names("it lacks", missing),
        Names("it also has", extra)
    )]
    Names {
        /// Tensors of the network that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the network does not have.
        extra: Vec<String>,
    },
    /// A tensor does not hold 32-bit floats.
    #[error(
        "tensor `{tensor}` holds {got}, expected F32: convert with `network.float()` before saving"
    )]
    Dtype {
        /// The tensor.
        tensor: String,
        /// What it holds.
        got: String,
    },
    /// A tensor has another shape than the network's.
    #[error(
        "tensor `{tensor}` has shape {got:?}, the network's has {expected:?}: describe the network as it is in the file"
    )]
    Shape {
        /// The tensor.
        tensor: String,
        /// Its shape in the network.
        expected: Vec<usize>,
        /// Its shape in the file.
        got: Vec<u64>,
    },
    /// A tensor does not lie where the one before it ends, or has not the bytes of its shape.
    #[error(
        "tensor `{tensor}` lies at bytes {} to {} of the data, expected {} to {}: the file is damaged",
        got[0], got[1], expected[0], expected[1]
    )]
    Offsets {
        /// The tensor.
        tensor: String,
        /// Its first byte, and one after its last, by its shape and the tensors before it.
        expected: [u64; 2],
        /// The same in the file.
        got: [u64; 2],
    },
    /// The file does not say what network it holds.
    #[error(
        "the file holds no `dafu.config`: read it with `Weights::from_safetensors`, which is given the network's shape"
    )]
    NoConfig,
    /// What the file says of its network cannot be decoded.
    #[error("`dafu.config`: {what}")]
    Config {
        /// What is wrong.
        what: String,
    },
    /// The file was written by a newer version of this library.
    #[error("`dafu.version` is {got:?}; the newest known is {newest}: update dafu")]
    Version {
        /// Version in the file.
        got: String,
        /// Newest version known.
        newest: u32,
    },
    /// A key of the metadata is not free.
    #[error("metadata: the key {key:?} is written by dafu itself")]
    Reserved {
        /// The key.
        key: String,
    },
}

/// Some of many names, after what they are.
struct Names<'a>(&'static str, &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let Self(what, names) = self;
        let Some((first, others)) = names.split_first() else {
            return Ok(());
        };
        write!(f, "; {what} {first:?}")?;
        for name in others.iter().take(SHOWN - 1) {
            write!(f, ", {name:?}")?;
        }
        match names.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// The beginning of what somebody else wrote, which may be long.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 160;
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some(_) => text.chars().take(SHOWN).chain("...".chars()).collect(),
    }
}
