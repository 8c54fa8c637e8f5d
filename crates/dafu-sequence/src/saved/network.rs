//! Networks to bytes, and back.

use super::error::{SafetensorsError, shortened};
use super::header::{Header, MAX_METADATA, TensorInfo};
use crate::SequenceError;
use crate::network::{Layout, NetworkConfig, Parameter, Weights};
use dafu_core::model::Limits;
use std::collections::BTreeMap;

/// Version of what stands under [`CONFIG`].
const NEWEST: u32 = 1;
const CONFIG: &str = "dafu.config";
const VERSION: &str = "dafu.version";
/// By this key libraries around `PyTorch` know its files.
const FORMAT: &str = "format";
const PYTORCH: &str = "pt";
const DTYPE: &str = "F32";
const BYTES: usize = size_of::<f32>();

/// A network as a file holds it: everything that is needed to make it again.
///
/// ```
/// use dafu_core::model::Limits;
/// use dafu_sequence::network::{NetworkConfig, Weights};
/// use dafu_sequence::saved::SavedNetwork;
/// # use dafu_sequence::network::{Cell, Task};
///
/// # fn main() -> Result<(), dafu_sequence::SequenceError> {
/// let config = NetworkConfig {
///     numeric_inputs: 4,
///     embeddings: Vec::new(),
///     cell: Cell::Gru,
///     layers: 1,
///     hidden_units: 8,
///     dropout: 0.2,
///     task: Task::NextEvent,
/// };
/// let weights = Weights::first(&config, 7)?;
/// let bytes = weights.to_safetensors(&config)?;
///
/// let saved = SavedNetwork::from_safetensors(&bytes, &Limits::default())?;
/// assert_eq!((saved.config, saved.weights), (config, weights));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SavedNetwork {
    /// Its shape.
    pub config: NetworkConfig,
    /// Its weights.
    pub weights: Weights,
    /// Texts beside them, by any names but `format`, `dafu.config` and `dafu.version`.
    pub metadata: BTreeMap<String, String>,
}

impl SavedNetwork {
    /// A network without any other text.
    pub const fn new(config: NetworkConfig, weights: Weights) -> Self {
        Self {
            config,
            weights,
            metadata: BTreeMap::new(),
        }
    }

    /// The bytes of a safetensors file, the same for the same network.
    ///
    /// # Errors
    ///
    /// When the weights are not those of such a network, or not finite; and when there are reserved or too many texts.
    ///
    /// # Complexity
    ///
    /// O(weights), 4 bytes each and about 100 for each tensor.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, SequenceError> {
        write(&self.config, &self.weights, &self.metadata)
    }

    /// Reads the bytes of [`to_safetensors`](Self::to_safetensors), trusting nothing in them.
    ///
    /// # Errors
    ///
    /// As [`Weights::from_safetensors`], and when the file does not say what network it holds.
    pub fn from_safetensors(bytes: &[u8], limits: &Limits) -> Result<Self, SequenceError> {
        let (mut header, data) = Header::read(bytes, limits).map_err(SequenceError::Safetensors)?;
        let config = take_config(&mut header).map_err(SequenceError::Safetensors)?;
        let weights = restore(&header, data, &config)?;
        header.metadata.remove(FORMAT);
        check_texts(&header.metadata).map_err(SequenceError::Safetensors)?;
        Ok(Self {
            config,
            weights,
            metadata: header.metadata,
        })
    }
}

impl Weights {
    /// The bytes of a safetensors file that holds weights and configuration, the same for the same network.
    ///
    /// # Errors
    ///
    /// When the weights are not those of such a network, or not finite.
    pub fn to_safetensors(&self, config: &NetworkConfig) -> Result<Vec<u8>, SequenceError> {
        write(config, self, &BTreeMap::new())
    }

    /// Reads the `state_dict` of a module of `PyTorch` from the bytes of a safetensors file, trusting nothing in them.
    /// What stands beside the tensors is not read.
    ///
    /// # Errors
    ///
    /// [`Safetensors`](SequenceError::Safetensors) when the bytes are no intact file within the limits, or do not hold
    /// exactly the tensors of such a network, in 32 bits; [`Weights`](SequenceError::Weights) for a number that is not
    /// finite; and when the configuration is out of range.
    ///
    /// # Complexity
    ///
    /// O(bytes) time and memory.
    pub fn from_safetensors(
        bytes: &[u8],
        config: &NetworkConfig,
        limits: &Limits,
    ) -> Result<Self, SequenceError> {
        let (header, data) = Header::read(bytes, limits).map_err(SequenceError::Safetensors)?;
        restore(&header, data, config)
    }
}

fn write(
    config: &NetworkConfig,
    weights: &Weights,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, SequenceError> {
    config.check()?;
    if Layout::new(config) != *weights.layout() {
        return Err(SequenceError::Weights {
            what: "these are not of a network of this shape".to_owned(),
        });
    }
    weights.check()?;
    check_texts(metadata).map_err(SequenceError::Safetensors)?;
    let json = serde_json::to_string(config).map_err(|error| {
        SequenceError::Safetensors(SafetensorsError::Config {
            what: error.to_string(),
        })
    })?;
    let mut header = Header {
        metadata: metadata.clone(),
        tensors: BTreeMap::new(),
    };
    let version = NEWEST.to_string();
    for (key, text) in [
        (CONFIG, json),
        (VERSION, version),
        (FORMAT, PYTORCH.to_owned()),
    ] {
        header.metadata.insert(key.to_owned(), text);
    }
    // By name, as in Python.
    let mut parameters: Vec<_> = weights.layout().parameters().iter().collect();
    parameters.sort_by(|left, right| left.name.cmp(&right.name));
    let mut end = 0;
    for parameter in &parameters {
        let start = end;
        end += bytes_of(parameter);
        let tensor = TensorInfo {
            dtype: DTYPE.to_owned(),
            shape: wide(&parameter.shape),
            data_offsets: [start, end],
        };
        header.tensors.insert(parameter.name.clone(), tensor);
    }
    let mut bytes = header.write().map_err(SequenceError::Safetensors)?;
    bytes.reserve_exact(weights.numbers().len() * BYTES);
    for parameter in parameters {
        let numbers = &weights.numbers()[parameter.range.clone()];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    Ok(bytes)
}

/// Checks that texts can stand beside those of this library.
fn check_texts(metadata: &BTreeMap<String, String>) -> Result<(), SafetensorsError> {
    let own = [CONFIG, VERSION, FORMAT];
    if let Some(key) = own.into_iter().find(|key| metadata.contains_key(*key)) {
        let key = key.to_owned();
        return Err(SafetensorsError::Reserved { key });
    }
    let (most, got) = (MAX_METADATA - own.len(), metadata.len());
    if got <= most {
        Ok(())
    } else {
        Err(SafetensorsError::Header {
            what: format!("there may be {most} texts beside the network, got {got}"),
        })
    }
}

/// What network the file holds.
fn take_config(header: &mut Header) -> Result<NetworkConfig, SafetensorsError> {
    let json = header
        .metadata
        .remove(CONFIG)
        .ok_or(SafetensorsError::NoConfig)?;
    // Who writes the configuration by hand need not write a version.
    if let Some(version) = header.metadata.remove(VERSION)
        && !matches!(version.parse(), Ok(1..=NEWEST))
    {
        return Err(SafetensorsError::Version {
            got: shortened(&version),
            newest: NEWEST,
        });
    }
    serde_json::from_str(&json).map_err(|error| SafetensorsError::Config {
        what: shortened(&error.to_string()),
    })
}

/// The weights of a network from the tensors of a file.
fn restore(header: &Header, data: &[u8], config: &NetworkConfig) -> Result<Weights, SequenceError> {
    config.check()?;
    let layout = Layout::new(config);
    let tensors = in_order(header, data, &layout).map_err(SequenceError::Safetensors)?;
    // As many as there are in the file.
    let mut numbers = vec![0.0; layout.len()];
    let mut words = data.as_chunks::<BYTES>().0.iter();
    for parameter in tensors {
        let places = numbers[parameter.range.clone()].iter_mut();
        for (number, word) in places.zip(&mut words) {
            *number = f32::from_le_bytes(*word);
        }
    }
    Weights::new(config, numbers)
}

/// The tensors of a network in the order in which the file holds them, one after the other from its first byte to its
/// last.
fn in_order<'a>(
    header: &Header,
    data: &[u8],
    layout: &'a Layout,
) -> Result<Vec<&'a Parameter>, SafetensorsError> {
    let mut missing = Vec::new();
    let mut tensors = Vec::new();
    for parameter in layout.parameters() {
        match header.tensors.get(&parameter.name) {
            Some(tensor) => tensors.push((tensor, parameter)),
            None => missing.push(parameter.name.clone()),
        }
    }
    if !missing.is_empty() || tensors.len() < header.tensors.len() {
        let known = |name: &String| tensors.iter().any(|(_, known)| known.name == *name);
        let extra = header.tensors.keys().filter(|name| !known(name));
        return Err(SafetensorsError::Names {
            missing,
            extra: extra.map(|name| shortened(name)).collect(),
        });
    }
    tensors.sort_by_key(|(tensor, _)| tensor.data_offsets);
    let mut end = 0;
    for (tensor, parameter) in &tensors {
        let name = || parameter.name.clone();
        if tensor.dtype != DTYPE {
            return Err(SafetensorsError::Dtype {
                tensor: name(),
                got: shortened(&tensor.dtype),
            });
        }
        if tensor.shape != wide(&parameter.shape) {
            return Err(SafetensorsError::Shape {
                tensor: name(),
                expected: parameter.shape.clone(),
                got: tensor.shape.clone(),
            });
        }
        let start = end;
        end += bytes_of(parameter);
        if tensor.data_offsets != [start, end] {
            return Err(SafetensorsError::Offsets {
                tensor: name(),
                expected: [start, end],
                got: tensor.data_offsets,
            });
        }
    }
    let got = data.len() as u64;
    if end == got {
        Ok(tensors
            .into_iter()
            .map(|(_, parameter)| parameter)
            .collect())
    } else {
        Err(SafetensorsError::Length { expected: end, got })
    }
}

fn wide(shape: &[usize]) -> Vec<u64> {
    shape.iter().map(|size| *size as u64).collect()
}

fn bytes_of(parameter: &Parameter) -> u64 {
    parameter.range.len() as u64 * BYTES as u64
}
