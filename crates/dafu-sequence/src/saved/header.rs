//! The header of a safetensors file: JSON that names each tensor's type, shape and place.
//!
//! Source: "Safetensors", format, github.com/huggingface/safetensors. Stricter than that: no name may stand twice, and
//! nothing but the three fields of a tensor is known.

use super::error::{SafetensorsError, shortened};
use dafu_core::model::Limits;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// Longest header that other readers accept.
const MAX_HEADER: u64 = 100_000_000;
/// Most tensors: more than any network has.
const MAX_TENSORS: usize = 1024;
/// Most texts beside the tensors.
pub(super) const MAX_METADATA: usize = 256;
/// Most dimensions of a tensor, as in `PyTorch`.
const MAX_DIMENSIONS: usize = 64;
/// The key of the texts.
const METADATA: &str = "__metadata__";
/// Headers end with spaces, so that tensors begin on a multiple of this.
const ALIGNMENT: usize = 8;

/// Type, shape and place of a tensor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorInfo {
    pub(super) dtype: String,
    #[serde(deserialize_with = "shape")]
    pub(super) shape: Vec<u64>,
    /// First byte among those after the header, and one after the last.
    pub(super) data_offsets: [u64; 2],
}

/// Everything before the numbers, by rising names.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    /// Reads a header, and gives back the bytes after it.
    ///
    /// Memory grows with the bytes that are there, not with what they promise: names and shapes have at most eight times
    /// the bytes of the header.
    pub(super) fn read<'a>(
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<(Self, &'a [u8]), SafetensorsError> {
        let got = bytes.len() as u64;
        if got > limits.max_bytes {
            let limit = limits.max_bytes;
            return Err(SafetensorsError::TooLarge { got, limit });
        }
        let (length, rest) = bytes
            .split_first_chunk::<8>()
            .ok_or(SafetensorsError::Format)?;
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER || rest.first() != Some(&b'{') {
            return Err(SafetensorsError::Format);
        }
        let cut = SafetensorsError::HeaderLength {
            expected: length,
            got: rest.len() as u64,
        };
        let length = usize::try_from(length).map_err(|_| cut.clone())?;
        let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
        let header = serde_json::from_slice(header).map_err(|error| SafetensorsError::Header {
            what: shortened(&error.to_string()),
        })?;
        Ok((header, data))
    }

    /// The header's bytes, its length first.
    pub(super) fn write(&self) -> Result<Vec<u8>, SafetensorsError> {
        let failed = |what: String| SafetensorsError::Header { what };
        let mut json = serde_json::to_vec(self).map_err(|error| failed(error.to_string()))?;
        json.resize(json.len().next_multiple_of(ALIGNMENT), b' ');
        let length = json.len() as u64;
        if length > MAX_HEADER {
            return Err(failed(format!(
                "{length} bytes are more than the {MAX_HEADER} that readers accept: keep less metadata, or calibrate by fewer events"
            )));
        }
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.append(&mut json);
        Ok(bytes)
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(METADATA, &self.metadata)?;
        for (name, tensor) in &self.tensors {
            map.serialize_entry(name, tensor)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut metadata: Option<Texts> = None;
                let mut tensors = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name != METADATA {
                        insert(&mut tensors, MAX_TENSORS, name, || map.next_value())?;
                    } else if metadata.replace(map.next_value()?).is_some() {
                        return Err(A::Error::custom("`__metadata__` stands there twice"));
                    }
                }
                let metadata = metadata.map(|texts| texts.0).unwrap_or_default();
                Ok(Header { metadata, tensors })
            }
        }

        deserializer.deserialize_map(Parts)
    }
}

/// Texts by name.
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> Visitor<'de> for Parts {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    insert(&mut texts, MAX_METADATA, name, || map.next_value())?;
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_map(Parts)
    }
}

/// Adds something under a name that is new.
fn insert<V, E: Error>(
    map: &mut BTreeMap<String, V>,
    most: usize,
    name: String,
    value: impl FnOnce() -> Result<V, E>,
) -> Result<(), E> {
    if map.len() == most {
        return Err(E::custom(format!("more than {most} entries")));
    }
    match map.entry(name) {
        Entry::Occupied(entry) => {
            let name = shortened(entry.key());
            Err(E::custom(format!("{name:?} stands there twice")))
        }
        Entry::Vacant(entry) => {
            entry.insert(value()?);
            Ok(())
        }
    }
}

/// Reads not too many numbers.
fn shape<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Numbers;

    impl<'de> Visitor<'de> for Numbers {
        type Value = Vec<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_DIMENSIONS} numbers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u64>, A::Error> {
            let mut numbers = Vec::new();
            while numbers.len() < MAX_DIMENSIONS {
                match list.next_element()? {
                    Some(number) => numbers.push(number),
                    None => return Ok(numbers),
                }
            }
            match list.next_element::<IgnoredAny>()? {
                None => Ok(numbers),
                Some(_) => Err(A::Error::invalid_length(MAX_DIMENSIONS + 1, &self)),
            }
        }
    }

    deserializer.deserialize_seq(Numbers)
}
