//! Damaged copies of good bytes, for tests of loaders: each must give an error, or a value that is as good as any.
//!
//! Damage of the raw file mostly ends at the checksum. [`payload_damage`] damages what the checksum protects and
//! writes a new checksum, as somebody would who wants to harm the reader.
//!
//! ```
//! use dafu_testkit::damage;
//! for damaged in damage::all(b"DAFU1") {
//!     assert_ne!(damaged.bytes, b"DAFU1", "{}", damaged.damage);
//! }
//! ```

use dafu_core::model::{Envelope, Limits};
use std::fmt;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The bits of `mask` of the byte at `at` were inverted.
    Flip {
        /// Position.
        at: usize,
        /// Inverted bits.
        mask: u8,
    },
    /// Only the first `len` bytes were kept.
    Truncate {
        /// Bytes kept.
        len: usize,
    },
    /// The bytes from `at` were replaced by a number that is large as a length in some encoding.
    LengthBomb {
        /// Position.
        at: usize,
        /// The number's bytes.
        pattern: &'static [u8],
    },
    /// A byte was added at the end.
    Append {
        /// The byte.
        byte: u8,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flip { at, mask } => write!(f, "byte {at} xor {mask:#04x}"),
            Self::Truncate { len } => write!(f, "cut to {len} bytes"),
            Self::LengthBomb { at, pattern } => write!(f, "{pattern:02x?} from byte {at}"),
            Self::Append { byte } => write!(f, "{byte:#04x} added"),
        }
    }
}

/// A damaged copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// What was done.
    pub damage: Damage,
    /// The damaged bytes.
    pub bytes: Vec<u8>,
}

/// Numbers that are large as lengths: fixed little-endian u16, u32 and u64, and LEB128 varints of postcard.
const BOMBS: [&[u8]; 9] = [
    // u16::MAX, u32::MAX, i32::MAX, u64::MAX, i64::MAX, 2^40 in little-endian order.
    &[0xff; 2],
    &[0xff; 4],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff; 8],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0, 0, 0, 1, 0, 0],
    // 2^28 - 1, 2^35 - 1 and u64::MAX as varints.
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
];

/// Every byte inverted in turn: as many copies as bytes.
pub fn byte_flips(bytes: &[u8]) -> impl Iterator<Item = Damaged> {
    (0..bytes.len()).map(|at| flip(bytes, at, 0xff))
}

/// Every bit inverted in turn: eight copies for each byte.
pub fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = Damaged> {
    (0..bytes.len()).flat_map(move |at| (0..8).map(move |bit| flip(bytes, at, 1 << bit)))
}

/// Every shorter prefix, the empty one first: as many copies as bytes.
pub fn truncations(bytes: &[u8]) -> impl Iterator<Item = Damaged> {
    (0..bytes.len()).map(|len| Damaged {
        damage: Damage::Truncate { len },
        bytes: bytes[..len].to_vec(),
    })
}

/// At every position every number of a list that would be a huge length there, in fixed and variable width; the
/// bytes keep their number, except where a bomb reaches past the end. Copies equal to the original are left out.
pub fn length_bombs(bytes: &[u8]) -> impl Iterator<Item = Damaged> {
    (0..bytes.len()).flat_map(move |at| {
        let distinct = (0..BOMBS.len()).filter(|&bomb| !BOMBS[..bomb].contains(&BOMBS[bomb]));
        distinct.filter_map(move |bomb| {
            let pattern = BOMBS[bomb];
            let mut damaged = bytes[..at].to_vec();
            damaged.extend(pattern);
            damaged.extend(bytes.get(at + pattern.len()..).unwrap_or_default());
            let damage = Damage::LengthBomb { at, pattern };
            (damaged != bytes).then_some(Damaged {
                damage,
                bytes: damaged,
            })
        })
    })
}

/// One byte more at the end: zero, then 0xff.
pub fn appended(bytes: &[u8]) -> impl Iterator<Item = Damaged> {
    [0, 0xff].into_iter().map(move |byte| Damaged {
        damage: Damage::Append { byte },
        bytes: bytes.iter().copied().chain([byte]).collect(),
    })
}

/// Byte flips, truncations, length bombs and appended bytes, one after the other.
///
/// # Complexity
///
/// About 10 n copies of n bytes each, one at a time: for files of some KiB. Take every k-th of larger ones with
/// `step_by`.
pub fn all(bytes: &[u8]) -> impl Iterator<Item = Damaged> {
    byte_flips(bytes)
        .chain(truncations(bytes))
        .chain(length_bombs(bytes))
        .chain(appended(bytes))
}

/// Saved models whose payload has every damage of [`all`] while header and checksum are right again.
///
/// # Panics
///
/// When `model` is not a saved model.
pub fn payload_damage(model: &[u8]) -> impl Iterator<Item = Damaged> {
    let envelope = Envelope::read(model, &Limits::default()).expect("a good saved model");
    let header = envelope.header().clone();
    all(envelope.payload()).map(move |damaged| Damaged {
        damage: damaged.damage,
        bytes: Envelope::write(
            header.kind(),
            header.schema_version(),
            header.schema_hash(),
            &damaged.bytes,
        )
        .expect("the kind was good before"),
    })
}

fn flip(bytes: &[u8], at: usize, mask: u8) -> Damaged {
    let mut damaged = bytes.to_vec();
    damaged[at] ^= mask;
    Damaged {
        damage: Damage::Flip { at, mask },
        bytes: damaged,
    }
}
