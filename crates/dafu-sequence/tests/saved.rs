//! Files of networks: what is not one is an error that says why.
#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use dafu_core::Timestamp;
use dafu_core::model::Limits;
use dafu_sequence::SequenceError;
use dafu_sequence::data::{EventNumbers, Events, SequenceSet};
use dafu_sequence::native::NativeBackend;
use dafu_sequence::network::{
    AdamStep, Backend, Batch, Cell, Embedding, Network, NetworkConfig, Task, Weights,
};
use dafu_sequence::objective::ClassObjective;
use dafu_sequence::saved::{SafetensorsError, SavedNetwork};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

fn config() -> NetworkConfig {
    NetworkConfig {
        numeric_inputs: 2,
        embeddings: vec![Embedding {
            categories: 3,
            dimension: 1,
        }],
        cell: Cell::Gru,
        layers: 1,
        hidden_units: 2,
        dropout: 0.25,
        task: Task::Classify { attention: false },
    }
}

fn network() -> SavedNetwork {
    let config = config();
    let weights = Weights::first(&config, 1).unwrap();
    SavedNetwork::new(config, weights)
}

fn read(bytes: &[u8]) -> Result<SavedNetwork, SequenceError> {
    SavedNetwork::from_safetensors(bytes, &Limits::default())
}

/// A file of this header and these numbers.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// The header and the numbers of a good file.
fn parts() -> (Value, Vec<u8>) {
    let bytes = network().to_safetensors().unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    (header, bytes[8 + length..].to_vec())
}

/// What is wrong with a file whose header was changed.
fn problem(change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> SafetensorsError {
    let (mut header, mut data) = parts();
    change(&mut header, &mut data);
    let bytes = file(&header.to_string(), &data);
    let Err(SequenceError::Safetensors(problem)) = read(&bytes) else {
        panic!("{:?}", read(&bytes));
    };
    assert!(problem.to_string().is_ascii());
    problem
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_good_file_is_read_in_any_order_of_its_header() {
    let (mut header, data) = parts();
    assert_eq!(read(&file(&header.to_string(), &data)), Ok(network()));
    let metadata = header.as_object_mut().unwrap().remove("__metadata__");
    let mut reversed: Vec<String> = header
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, tensor)| format!("\"{name}\": {tensor}"))
        .collect();
    reversed.reverse();
    reversed.push(format!("\"__metadata__\":{}", metadata.unwrap()));
    let header = format!("{{ {} }}   ", reversed.join(" , "));
    assert_eq!(read(&file(&header, &data)), Ok(network()));
}

#[test]
fn a_configuration_written_by_hand_needs_no_version() {
    let (mut header, data) = parts();
    let config = r#"{"task":{"classify":{"attention":false}},"cell":"gru","layers":1,"hidden_units":2,
        "numeric_inputs":2,"embeddings":[{"categories":3,"dimension":1}],"dropout":0.25}"#;
    header["__metadata__"] = json!({"dafu.config": config, "by": "hand"});
    let read = read(&file(&header.to_string(), &data)).unwrap();
    assert_eq!(read.config, config_of(&network()));
    assert_eq!(read.metadata["by"], "hand");
}

fn config_of(network: &SavedNetwork) -> NetworkConfig {
    network.config.clone()
}

#[test]
fn files_beyond_the_limit_are_refused_before_anything_else() {
    let bytes = network().to_safetensors().unwrap();
    let limits = Limits {
        max_bytes: bytes.len() as u64 - 1,
        ..Limits::default()
    };
    let error = SavedNetwork::from_safetensors(&bytes, &limits).unwrap_err();
    let (got, limit) = (bytes.len() as u64, limits.max_bytes);
    let expected = SafetensorsError::TooLarge { got, limit };
    assert_eq!(error, SequenceError::Safetensors(expected));
}

#[test]
fn other_files_are_told_how_to_write_one() {
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let archive = b"PK\x03\x04\x00\x00\x08\x08{}";
    for bytes in [
        &b""[..],
        b"1234567",
        &[0; 8],
        archive,
        &huge,
        &file("[]", b""),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error, SequenceError::Safetensors(SafetensorsError::Format));
        assert!(error.to_string().contains("save_file"));
    }
    let cut = &network().to_safetensors().unwrap()[..40];
    let error = read(cut).unwrap_err().to_string();
    assert!(error.contains("only 32 of them are there"), "{error}");
}

#[test]
fn headers_that_are_no_maps_of_tensors_are_named() {
    for (header, part) in [
        ("{", "EOF"),
        ("{\"a\":1}", "invalid type"),
        (
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,0]}}",
            "-1",
        ),
        (
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}",
            "length",
        ),
        ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "data_offsets"),
        ("{\"a\":{\"dtype\":\"F32\",\"color\":[1]}}", "color"),
        ("{\"__metadata__\":{\"a\":1}}", "invalid type"),
        ("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "twice"),
        ("{\"__metadata__\":{},\"__metadata__\":{}}", "twice"),
        ("{} {}", "trailing"),
    ] {
        let error = read(&file(header, b"")).unwrap_err().to_string();
        assert!(
            error.contains("header: ") && error.contains(part),
            "{error}"
        );
    }
    let tensor = "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}";
    let twice = format!("{{\"a\":{tensor},\"a\":{tensor}}}");
    let error = read(&file(&twice, b"")).unwrap_err().to_string();
    assert!(error.contains("\"a\" stands there twice"), "{error}");
    let many: Vec<_> = (0..1025).map(|at| format!("\"{at}\":{tensor}")).collect();
    let error = read(&file(&format!("{{{}}}", many.join(",")), b"")).unwrap_err();
    assert!(error.to_string().contains("more than 1024"), "{error}");
    let shape = vec!["1"; 65].join(",");
    let header =
        format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[0,4]}}}}");
    let error = read(&file(&header, b"")).unwrap_err().to_string();
    assert!(error.contains("at most 64"), "{error}");
}

#[test]
fn missing_and_foreign_tensors_are_named() {
    let moved = problem(|header, _| {
        let header = header.as_object_mut().unwrap();
        let bias = header.remove("head.bias").unwrap();
        header.insert("module.head.bias".to_owned(), bias);
    });
    let expected = SafetensorsError::Names {
        missing: names(&["head.bias"]),
        extra: names(&["module.head.bias"]),
    };
    assert_eq!(moved, expected);
    assert_eq!(
        moved.to_string(),
        "the network's tensors are not those of the file; it lacks \"head.bias\"; it also has \"module.head.bias\""
    );
    let long = "x".repeat(1000);
    let more = problem(|header, data| {
        let end = data.len();
        header[&long] = json!({"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]});
        data.extend([0; 4]);
    });
    let SafetensorsError::Names { missing, extra } = more else {
        panic!("{more}");
    };
    assert!(missing.is_empty());
    assert!(extra[0].starts_with("xxx") && extra[0].len() < 200);
}

#[test]
fn many_missing_tensors_are_counted() {
    let error = problem(|header, _| {
        header
            .as_object_mut()
            .unwrap()
            .retain(|name, _| name.starts_with("__"));
    });
    // Seven tensors there are of this network: all are named.
    assert_eq!(error.to_string().matches('"').count(), 14);
    let bytes = network().to_safetensors().unwrap();
    let larger = NetworkConfig {
        layers: 3,
        ..config()
    };
    let error = Weights::from_safetensors(&bytes, &larger, &Limits::default()).unwrap_err();
    assert!(
        error.to_string().contains("\"rnn.weight_ih_l1\""),
        "{error}"
    );
    let larger = NetworkConfig {
        layers: 4,
        ..config()
    };
    let error = Weights::from_safetensors(&bytes, &larger, &Limits::default()).unwrap_err();
    assert!(error.to_string().ends_with(" and 4 more"), "{error}");
}

#[test]
fn other_types_are_told_how_to_convert() {
    for dtype in ["F16", "BF16", "F64", "I32", "F31"] {
        let error = problem(|header, _| header["head.bias"]["dtype"] = json!(dtype));
        assert_eq!(
            error.to_string(),
            format!(
                "tensor `head.bias` holds {dtype}, expected F32: convert with `network.float()` before saving"
            )
        );
    }
}

#[test]
fn shapes_are_those_of_the_network() {
    for shape in [
        json!([2]),
        json!([2, 1]),
        json!([1, 1, 2]),
        json!([]),
        json!([u64::MAX, 2]),
    ] {
        let error = problem(|header, _| header["head.weight"]["shape"] = shape.clone());
        assert!(
            matches!(&error, SafetensorsError::Shape { tensor, .. } if tensor == "head.weight"),
            "{error}"
        );
    }
    let bytes = network().to_safetensors().unwrap();
    let wider = NetworkConfig {
        hidden_units: 3,
        ..config()
    };
    let error = Weights::from_safetensors(&bytes, &wider, &Limits::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has shape [1, 2], the network's has [1, 3]"),
        "{error}"
    );
}

#[test]
fn tensors_lie_one_after_the_other() {
    // Embeddings take 12 bytes, then the head's bias 4 and its weights 8.
    for offsets in [
        [0, 4],
        [12, 12],
        [12, 20],
        [13, 17],
        [16, 12],
        [u64::MAX - 3, u64::MAX],
        [u64::MAX, 3],
    ] {
        let error = problem(|header, _| header["head.bias"]["data_offsets"] = json!(offsets));
        assert!(matches!(error, SafetensorsError::Offsets { .. }), "{error}");
    }
    let hole = problem(|header, data| {
        for (_, tensor) in header.as_object_mut().unwrap() {
            if let Some(offsets) = tensor.get_mut("data_offsets") {
                let moved = |at: usize| offsets[at].as_u64().unwrap() + 4;
                *offsets = json!([moved(0), moved(1)]);
            }
        }
        data.extend([0; 4]);
    });
    assert!(matches!(hole, SafetensorsError::Offsets { .. }), "{hole}");
}

#[test]
fn numbers_end_where_the_file_does() {
    let (_, data) = parts();
    let expected = data.len() as u64;
    let shorter = problem(|_, data| data.truncate(data.len() - 1));
    let got = expected - 1;
    assert_eq!(shorter, SafetensorsError::Length { expected, got });
    let longer = problem(|_, data| data.push(0));
    let got = expected + 1;
    assert_eq!(longer, SafetensorsError::Length { expected, got });
}

#[test]
fn numbers_are_finite() {
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (header, mut data) = parts();
        data[20..24].copy_from_slice(&number.to_le_bytes());
        let error = read(&file(&header.to_string(), &data))
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!("weights: number 1 of `head.weight` is {number}")
        );
    }
}

#[test]
fn configurations_are_checked() {
    let of = |text: &str| problem(|header, _| header["__metadata__"]["dafu.config"] = json!(text));
    assert!(
        of("{}")
            .to_string()
            .contains("`dafu.config`: missing field")
    );
    assert!(of("").to_string().contains("`dafu.config`: EOF"));
    let none = problem(|header, _| {
        header.as_object_mut().unwrap().remove("__metadata__");
    });
    assert_eq!(none, SafetensorsError::NoConfig);
    for version in ["2", "0", "-1", "", "one"] {
        let error = problem(|header, _| header["__metadata__"]["dafu.version"] = json!(version));
        let expected = SafetensorsError::Version {
            got: version.to_owned(),
            newest: 1,
        };
        assert_eq!(error, expected);
    }
    // Out of range, some of them far.
    for (key, value) in [
        ("hidden_units", json!(0)),
        ("hidden_units", json!(u64::MAX)),
        ("layers", json!(u64::MAX)),
        ("numeric_inputs", json!(u64::MAX)),
        ("dropout", json!(1.0)),
        (
            "embeddings",
            json!([{"categories": 3, "dimension": u64::MAX}]),
        ),
        ("embeddings", json!([{"categories": 0, "dimension": 1}])),
    ] {
        let (mut header, data) = parts();
        let mut config = serde_json::to_value(config()).unwrap();
        config[key] = value;
        header["__metadata__"]["dafu.config"] = json!(config.to_string());
        let error = read(&file(&header.to_string(), &data)).unwrap_err();
        assert!(matches!(error, SequenceError::Parameter { .. }), "{error}");
    }
    // As large as they come, for a small file.
    let (mut header, data) = parts();
    let embedding = Embedding {
        categories: 30_000,
        dimension: 4096,
    };
    let large = NetworkConfig {
        numeric_inputs: 0,
        embeddings: vec![embedding],
        layers: 2,
        hidden_units: 512,
        task: Task::Reconstruct,
        ..config()
    };
    large.check().unwrap();
    header["__metadata__"]["dafu.config"] = json!(serde_json::to_string(&large).unwrap());
    let error = read(&file(&header.to_string(), &data)).unwrap_err();
    assert!(error.to_string().contains("lacks"), "{error}");
}

#[test]
fn keys_of_dafu_are_not_free() {
    for key in ["format", "dafu.config", "dafu.version"] {
        let mut network = network();
        network.metadata.insert(key.to_owned(), "x".to_owned());
        let key = key.to_owned();
        let expected = SequenceError::Safetensors(SafetensorsError::Reserved { key });
        assert_eq!(network.to_safetensors(), Err(expected));
    }
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let mut network = network();
    let texts = |range: std::ops::Range<u32>| range.map(|at| (at.to_string(), String::new()));
    network.metadata.extend(texts(0..253));
    assert_eq!(
        read(&network.to_safetensors().unwrap()),
        Ok(network.clone())
    );
    network.metadata.extend(texts(253..254));
    let error = network.to_safetensors().unwrap_err().to_string();
    assert!(
        error.contains("253 texts beside the network, got 254"),
        "{error}"
    );
}

#[test]
fn weights_of_training_that_diverged_are_not_written() {
    let config = config();
    let mut trained = NativeBackend.network(&config, &network().weights).unwrap();
    let mut builder = Events::builder(2, &[3]);
    let inputs = EventNumbers {
        numeric: &[0.5, 1.0],
        codes: &[2],
    };
    let time = Timestamp::from_micros(0).unwrap();
    builder.push(time, inputs, Some(true)).unwrap();
    let events = builder.build();
    let spans = events.windows(1);
    let batch = Batch {
        set: SequenceSet::new(&events, &spans).unwrap(),
        sequences: &[0],
        noise: (0, 0),
    };
    trained.gradient(batch, &ClassObjective::default()).unwrap();
    let step = AdamStep {
        step: 1,
        learning_rate: f64::INFINITY,
        weight_decay: 0.0,
        clip_norm: 1.0,
    };
    trained.update(step).unwrap();
    let weights = trained.weights().unwrap();
    let error = weights.to_safetensors(&config).unwrap_err();
    assert!(error.to_string().contains("is NaN"), "{error}");
}

#[test]
fn weights_of_another_network_are_not_written() {
    let other = NetworkConfig {
        cell: Cell::Lstm,
        ..config()
    };
    let error = network().weights.to_safetensors(&other).unwrap_err();
    assert!(matches!(error, SequenceError::Weights { .. }));
}

#[test]
fn files_may_be_read_by_several_threads() {
    fn sound<T: Send + Sync>() {}
    sound::<SavedNetwork>();
    sound::<SafetensorsError>();
}

fn any_config() -> impl Strategy<Value = NetworkConfig> {
    let embedding = (1_u32..5, 1_usize..4).prop_map(|(categories, dimension)| Embedding {
        categories,
        dimension,
    });
    let task = prop_oneof![
        any::<bool>().prop_map(|attention| Task::Classify { attention }),
        Just(Task::NextEvent),
        Just(Task::Reconstruct),
    ];
    (
        1_usize..5,
        prop::collection::vec(embedding, 0..12),
        prop_oneof![Just(Cell::Lstm), Just(Cell::Gru)],
        (1_usize..4, 1_usize..6, 0.0_f32..1.0),
        task,
    )
        .prop_map(
            |(numeric_inputs, embeddings, cell, (layers, hidden_units, dropout), task)| {
                NetworkConfig {
                    numeric_inputs,
                    embeddings,
                    cell,
                    layers,
                    hidden_units,
                    dropout,
                    task,
                }
            },
        )
}

proptest! {
    #[test]
    fn any_network_is_read_as_it_was_written(config in any_config(), seed: u64, text: String) {
        let weights = Weights::first(&config, seed).unwrap();
        let mut saved = SavedNetwork::new(config, weights);
        saved.metadata.insert(text.clone(), text.clone());
        prop_assume!(!["format", "dafu.config", "dafu.version"].contains(&&*text));
        let bytes = saved.to_safetensors().unwrap();
        let read = read(&bytes).unwrap();
        prop_assert_eq!(&read, &saved);
        prop_assert_eq!(read.to_safetensors().unwrap(), bytes.clone());

        // As the authors of the format read it.
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let parameters = saved.weights.layout().parameters();
        prop_assert_eq!(tensors.len(), parameters.len());
        for parameter in parameters {
            let tensor = tensors.tensor(&parameter.name).unwrap();
            prop_assert_eq!(tensor.dtype(), Dtype::F32);
            prop_assert_eq!(tensor.shape(), &parameter.shape[..]);
            let numbers = &saved.weights.numbers()[parameter.range.clone()];
            let expected: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            prop_assert_eq!(tensor.data(), &expected[..]);
        }
        let (length, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        prop_assert_eq!(length % 8, 0);
        prop_assert_eq!(&metadata.metadata().as_ref().unwrap()[&text], &text);
    }
}
