//! What an enemy writes, and what reading it may cost.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use dafu_core::SchemaHash;
use dafu_core::model::Envelope;
use peak_alloc::PeakAlloc;

/// Does something; fails when it takes more memory than that.
pub(crate) fn within<T>(allocator: PeakAlloc, most: usize, act: impl FnOnce() -> T) -> T {
    allocator.reset_peak_usage();
    let before = allocator.current_usage();
    let done = act();
    let peak = allocator.peak_usage().saturating_sub(before);
    assert!(peak <= most, "{peak} bytes instead of {most}");
    done
}

/// An envelope whose checksum is right.
pub(crate) fn sealed(kind: &str, version: u16, payload: &[u8]) -> Vec<u8> {
    Envelope::write(kind, version, SchemaHash(0), payload).unwrap()
}

/// A number as postcard writes it.
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
