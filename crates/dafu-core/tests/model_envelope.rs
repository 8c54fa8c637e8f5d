//! The saved-model envelope: every damage is an error.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::SchemaHash;
use dafu_core::model::{Envelope, Header, Limits, ModelError};

fn sample() -> Vec<u8> {
    Envelope::write("dafu.sample", 3, SchemaHash(7), b"some payload bytes").unwrap()
}

#[test]
fn reads_back_what_was_written() {
    let bytes = sample();
    let envelope = Envelope::expect(&bytes, "dafu.sample", 3, &Limits::default()).unwrap();
    assert_eq!(envelope.payload(), b"some payload bytes");
    assert_eq!(envelope.header().kind(), "dafu.sample");
    assert_eq!(envelope.header().schema_version(), 3);
    assert_eq!(envelope.header().schema_hash(), SchemaHash(7));
}

#[test]
fn refuses_every_flipped_bit() {
    let bytes = sample();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(
                Header::read(&damaged, &Limits::default()).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
}

#[test]
fn refuses_every_truncation_and_extension() {
    let mut bytes = sample();
    for end in 0..bytes.len() {
        assert!(
            Header::read(&bytes[..end], &Limits::default()).is_err(),
            "{end} bytes"
        );
    }
    bytes.push(0);
    let error = Header::read(&bytes, &Limits::default()).unwrap_err();
    assert!(matches!(error, ModelError::Length { .. }), "{error}");
}

#[test]
fn names_what_is_wrong() {
    let limits = Limits::default();
    let bytes = sample();
    assert!(matches!(
        Envelope::expect(&bytes, "dafu.other", 3, &limits),
        Err(ModelError::WrongKind { .. })
    ));
    assert!(matches!(
        Envelope::expect(&bytes, "dafu.sample", 2, &limits),
        Err(ModelError::SchemaVersion {
            got: 3,
            newest: 2,
            ..
        })
    ));
    assert!(matches!(
        Envelope::read(b"PK\x03\x04", &limits),
        Err(ModelError::Magic { .. })
    ));
    let tight = Limits {
        max_bytes: 10,
        ..limits
    };
    assert!(matches!(
        Envelope::read(&bytes, &tight),
        Err(ModelError::TooLarge { .. })
    ));
    for kind in ["", "with space", &"x".repeat(65)] {
        assert!(matches!(
            Envelope::write(kind, 1, SchemaHash(0), b""),
            Err(ModelError::Kind { .. })
        ));
    }
}

#[cfg(feature = "postcard")]
mod payloads {
    use super::{Envelope, Limits, ModelError, SchemaHash};

    #[test]
    fn decodes_what_was_encoded_and_refuses_leftovers() {
        let limits = Limits::default();
        let bytes = Envelope::encode("k", 1, SchemaHash(0), &vec![1_u32, 2, 3]).unwrap();
        let envelope = Envelope::read(&bytes, &limits).unwrap();
        assert_eq!(envelope.decode::<Vec<u32>>().unwrap(), [1, 2, 3]);
        assert!(matches!(
            envelope.decode::<u32>(),
            Err(ModelError::Payload { .. })
        ));
    }

    #[test]
    fn a_huge_length_is_an_error_and_no_allocation() {
        // A sequence that claims 2^60 elements and has none.
        let mut payload = vec![0xff; 8];
        payload.push(0x0f);
        let bytes = Envelope::write("k", 1, SchemaHash(0), &payload).unwrap();
        let envelope = Envelope::read(&bytes, &Limits::default()).unwrap();
        assert!(envelope.decode::<Vec<u64>>().is_err());
        assert!(envelope.decode::<String>().is_err());
    }
}
