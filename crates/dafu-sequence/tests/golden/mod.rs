//! The golden files of `PyTorch`, read by the reader of the format's authors.

use dafu_core::Timestamp;
use dafu_core::model::Limits;
use dafu_sequence::data::{EventNumbers, Events, Span};
use dafu_sequence::network::{NetworkConfig, Weights};
use safetensors::SafeTensors;
use std::path::Path;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/golden"))
}

/// The bytes of a golden file.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

/// A file of any tensors.
#[derive(Debug)]
pub(crate) struct Tensors(Vec<u8>);

impl Tensors {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        SafeTensors::deserialize(bytes).unwrap();
        Self(bytes.to_vec())
    }

    pub(crate) fn text(&self, key: &str) -> String {
        let (_, metadata) = SafeTensors::read_metadata(&self.0).unwrap();
        metadata.metadata().as_ref().unwrap()[key].clone()
    }

    fn words(&self, name: &str) -> Vec<[u8; 4]> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype().bitsize(), 32);
        tensor.data().as_chunks().0.to_vec()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        let words = self.words(name).into_iter();
        words.map(f32::from_le_bytes).collect()
    }

    fn counts(&self, name: &str) -> Vec<usize> {
        let words = self.words(name).into_iter();
        words
            .map(|word| u32::from_le_bytes(word) as usize)
            .collect()
    }

    fn flags(&self, name: &str) -> Vec<bool> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let bytes = tensors.tensor(name).unwrap();
        bytes.data().iter().map(|byte| *byte != 0).collect()
    }
}

/// A network, and what `PyTorch` makes of it.
#[derive(Debug)]
pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) config: NetworkConfig,
    pub(crate) weights: Weights,
    pub(crate) expected: Tensors,
}

/// All golden networks, by name.
pub(crate) fn all() -> Vec<Golden> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".expected.safetensors")?.to_owned()))
        .collect();
    names.sort();
    let golden = |name: String| {
        let expected = Tensors::read(&bytes(&format!("{name}.expected.safetensors")));
        let config = serde_json::from_str(&expected.text("config")).unwrap();
        let file = bytes(&format!("{name}.safetensors"));
        let weights = Weights::from_safetensors(&file, &config, &Limits::default()).unwrap();
        Golden {
            name,
            config,
            weights,
            expected,
        }
    };
    names.into_iter().map(golden).collect()
}

/// The events that all of them have seen, and their sequences.
pub(crate) fn events() -> (Events, Vec<Span>) {
    let file = Tensors::read(&bytes("events.safetensors"));
    let mut builder = Events::builder(3, &[4, 3]);
    let (numeric, labels) = (file.floats("numeric"), file.floats("labels"));
    let codes = file.counts("codes").into_iter();
    let codes: Vec<u32> = codes.map(|code| code as u32).collect();
    let scorable = file.flags("scorable");
    let mut event = 0;
    for length in file.counts("lengths") {
        for second in 0..length {
            let inputs = EventNumbers {
                numeric: &numeric[3 * event..3 * (event + 1)],
                codes: &codes[2 * event..2 * (event + 1)],
            };
            let time = Timestamp::from_micros(second as i64).unwrap();
            let label = (!labels[event].is_nan()).then_some(labels[event] > 0.5);
            if scorable[event] {
                builder.push(time, inputs, label).unwrap();
            } else {
                builder.push_context(time, inputs).unwrap();
            }
            event += 1;
        }
        builder.end_entity();
    }
    let spans = file.counts("spans");
    let spans = spans.chunks(3).map(|span| Span {
        start: span[0],
        scored_from: span[1],
        end: span[2],
    });
    (builder.build(), spans.collect())
}
