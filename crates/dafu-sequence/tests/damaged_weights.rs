//! Files of networks that are damaged or made by an enemy: an error or a network, never a panic or memory beyond the size
//! of the file. One test only, since the allocator counts the whole process.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use dafu_core::model::Limits;
use dafu_sequence::network::{Cell, Embedding, NetworkConfig, Task, Weights};
use dafu_sequence::saved::SavedNetwork;
use dafu_testkit::{CountingAllocator, damage, memory::peak_bytes};
use safetensors::SafeTensors;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn config() -> NetworkConfig {
    let embedding = Embedding {
        categories: 3,
        dimension: 1,
    };
    NetworkConfig {
        numeric_inputs: 1,
        embeddings: vec![embedding; 2],
        cell: Cell::Lstm,
        layers: 1,
        hidden_units: 2,
        dropout: 0.0,
        task: Task::Classify { attention: true },
    }
}

/// Reads both ways, and says whether one has worked; fails when memory goes beyond eight times the file and 16 KiB.
fn reads(bytes: &[u8]) -> bool {
    let limits = Limits::default();
    let (saved, peak) = peak_bytes(&ALLOCATOR, || {
        SavedNetwork::from_safetensors(bytes, &limits)
    });
    let most = 8 * bytes.len() + 16_384;
    assert!(
        peak <= most,
        "{peak} bytes instead of {most}: {:?}",
        saved.err()
    );
    let config = config();
    let (weights, peak) = peak_bytes(&ALLOCATOR, || {
        Weights::from_safetensors(bytes, &config, &limits)
    });
    assert!(
        peak <= most,
        "{peak} bytes instead of {most}: {:?}",
        weights.err()
    );
    if let Ok(saved) = &saved {
        let written = saved.to_safetensors().unwrap();
        assert_eq!(
            SavedNetwork::from_safetensors(&written, &limits).as_ref(),
            Ok(saved)
        );
    }
    if let Ok(weights) = &weights {
        // What passes here passes the reader of the format's authors.
        let tensors = SafeTensors::deserialize(bytes).unwrap();
        for parameter in weights.layout().parameters() {
            let numbers = weights.tensor(&parameter.name).unwrap();
            let bytes: Vec<u8> = numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            assert_eq!(tensors.tensor(&parameter.name).unwrap().data(), bytes);
        }
    }
    saved.is_ok() || weights.is_ok()
}

/// A file of this header, and so many numbers.
fn file(header: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(vec![0; 4 * numbers]);
    bytes
}

#[test]
fn damaged_files_are_errors_and_take_no_more_memory_than_their_size() {
    let weights = Weights::first(&config(), 3).unwrap();
    let bytes = weights.to_safetensors(&config()).unwrap();
    assert!(reads(&bytes));
    let mut still_sound = 0;
    for damaged in damage::all(&bytes) {
        let sound = reads(&damaged.bytes);
        still_sound += usize::from(sound);
        let longer_or_shorter = damaged.bytes.len() != bytes.len();
        assert!(!(sound && longer_or_shorter), "{}", damaged.damage);
    }
    assert!(still_sound > 0, "a changed number is not an error");

    // Text in the place of every byte of the header, which keeps the length that it says.
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
    let numbers = weights.numbers().len();
    for (at, _) in header.char_indices() {
        let (before, after) = header.split_at(at);
        for with in "0917-.,:]}[{\"\\enaF_ ".chars() {
            let mut rest = after.chars();
            rest.next();
            reads(&file(&format!("{before}{with}{}", rest.as_str()), numbers));
        }
        for more in [
            "9",
            "-",
            "e9",
            "99999999999999999999",
            "null",
            ",0",
            "\\u0000",
        ] {
            reads(&file(&format!("{before}{more}{after}"), numbers));
        }
    }

    // One short thing many times over.
    let tensor = "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
    for (head, item) in [
        ("{\"a\":{\"shape\":[", "0".to_owned()),
        ("{\"a\":", "[".to_owned()),
        ("{\"a\":{\"dtype\":\"", "\\n".to_owned()),
        ("{\"__metadata__\":{\"dafu.config\":\"", "[".to_owned()),
        ("{\"__metadata__\":", "{\"\":".to_owned()),
    ] {
        let many = vec![item.as_str(); 100_000].join(if item == "0" { "," } else { "" });
        for end in ["", "\"}}", "]}}"] {
            reads(&file(&format!("{head}{many}{end}"), 0));
        }
    }
    for item in [
        tensor,
        "{\"dtype\":\"\",\"shape\":[],\"data_offsets\":[0,0]}",
    ] {
        for count in [1000, 100_000] {
            let many: Vec<String> = (0..count).map(|at| format!("\"{at}\":{item}")).collect();
            reads(&file(&format!("{{{}}}", many.join(",")), 1));
            let many: Vec<String> = (0..count).map(|at| format!("\"{at}\":\"\"")).collect();
            reads(&file(
                &format!("{{\"__metadata__\":{{{}}}}}", many.join(",")),
                1,
            ));
        }
    }
    // Headers that promise a lot.
    for length in [1 << 16, 99_999_999, 1 << 32, u64::MAX] {
        let mut damaged = bytes.clone();
        damaged[..8].copy_from_slice(&u64::to_le_bytes(length));
        assert!(!reads(&damaged));
    }
}
