//! Forests on their way to and from other programs.

#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "onnx")]
mod onnx_proto;
#[cfg(feature = "import")]
mod sklearn;

#[cfg(feature = "onnx")]
pub use onnx::UnsupportedExport;

#[cfg(any(feature = "import", feature = "json"))]
pub use problem::ImportProblem;

#[cfg(any(feature = "import", feature = "json"))]
pub(crate) mod problem {
    use crate::IsolationForestError;
    use dafu_core::model::Limits;
    use serde::Deserialize;

    /// What is wrong with the JSON of a forest whose syntax holds.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[non_exhaustive]
    pub enum ImportProblem {
        /// The text is larger than the limit.
        #[error(
            "the text has {got} bytes, the limit is {limit}: raise `Limits::max_bytes` if you trust it"
        )]
        TooLarge {
            /// Bytes there are.
            got: u64,
            /// The limit.
            limit: u64,
        },
        /// The text is of another format.
        #[error("`format` must be \"{expected}\", got \"{got}\"")]
        Format {
            /// The format expected.
            expected: &'static str,
            /// The beginning of what the text says.
            got: String,
        },
        /// The layout is newer than this library.
        #[error("version {got} is not known here; the newest known is {newest}: update dafu")]
        Version {
            /// Version in the text.
            got: u32,
            /// Newest version known.
            newest: u32,
        },
        /// An entry has a number that is out of range.
        #[error("`{key}` is out of range")]
        Entry {
            /// The entry.
            key: &'static str,
        },
        /// An entry of a tree has not as many numbers as the tree has nodes.
        #[error("`{key}` of tree {tree} has not one entry for each node")]
        Length {
            /// The entry.
            key: &'static str,
            /// Number of the tree, from 0.
            tree: usize,
        },
        /// A tree says two things that do not agree: a leaf's value and its rows, a child's place and its parent's.
        #[error("tree {tree} contradicts itself")]
        Contradiction {
            /// Number of the tree, from 0.
            tree: usize,
        },
        /// Entries of the whole forest do not agree.
        #[error("`{key}` contradicts the other entries")]
        Header {
            /// The entry.
            key: &'static str,
        },
    }

    /// What every version of every format begins with.
    #[derive(Debug, Deserialize)]
    struct Head {
        format: String,
        version: u32,
    }

    /// Checks size, format and version of a text; its other entries may be whatever a newer version has.
    pub(crate) fn check_head(
        text: &str,
        (format, newest): (&'static str, u32),
        limits: &Limits,
    ) -> Result<(), IsolationForestError> {
        let (got, limit) = (text.len() as u64, limits.max_bytes);
        if got > limit {
            let problem = ImportProblem::TooLarge { got, limit };
            return Err(IsolationForestError::Import(problem));
        }
        let head: Head = serde_json::from_str(text).map_err(IsolationForestError::Json)?;
        let problem = if head.format != format {
            ImportProblem::Format {
                expected: format,
                got: head.format.chars().take(100).collect(),
            }
        } else if head.version == 0 || head.version > newest {
            let got = head.version;
            ImportProblem::Version { got, newest }
        } else {
            return Ok(());
        };
        Err(IsolationForestError::Import(problem))
    }
}
