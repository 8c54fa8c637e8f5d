//! Networks as safetensors files: what is trained here loads in `PyTorch`, and the other way round.
//!
//! A file holds the tensors of a [`Layout`](crate::network::Layout) in 32 bits, by the names and shapes of `PyTorch`'s
//! `state_dict` (both biases of each layer, gates in the order input, forget, cell, output or reset, update, new), and
//! texts beside them:
//!
//! | key | text |
//! |---|---|
//! | `format` | `pt`, by which Python's libraries know files of `PyTorch` |
//! | `dafu.config` | the [`NetworkConfig`](crate::network::NetworkConfig) as JSON |
//! | `dafu.version` | version of that text, 1 |
//! | others | [`SavedNetwork::metadata`] |
//!
//! Models of records are kept the same way, with what they read of a record and how they score among those texts:
//! [`HistoryClassifier::to_safetensors`](crate::history::HistoryClassifier::to_safetensors),
//! [`UserBehaviorAnalyzer::to_safetensors`](crate::behavior::UserBehaviorAnalyzer::to_safetensors).
//!
//! [`SavedNetwork::from_safetensors`] needs nothing but the file, [`Weights::from_safetensors`] takes files that hold a
//! `state_dict` alone, for a configuration that is at hand. Files are not trusted: damaged, incomplete or foreign ones are
//! errors that say what is wrong, memory stays within a small multiple of the file, and [`Limits::max_bytes`] bounds that.
//! Optimiser states are not saved: training that goes on from a file begins its running means anew.
//!
//! # In Python
//!
//! A file of a network that was trained here:
//!
//! ```python
//! import json
//! from safetensors import safe_open
//! from safetensors.torch import load_file
//!
//! with safe_open("fraud.safetensors", "pt") as file:
//!     config = json.loads(file.metadata()["dafu.config"])
//! network = Network(config).eval()
//! network.load_state_dict(load_file("fraud.safetensors"))
//! ```
//!
//! One of a network that was trained there, complete with its configuration:
//!
//! ```python
//! from safetensors.torch import save_file
//!
//! metadata = {"format": "pt", "dafu.config": json.dumps(config)}
//! save_file(network.float().state_dict(), "fraud.safetensors", metadata)
//! ```
//!
//! The module for both, with which the tests of this crate compare it:
//!
#![doc = "```python"]
#![doc = include_str!("../../testdata/golden/network.py")]
#![doc = "```"]
//!
//! [`Limits::max_bytes`]: dafu_core::model::Limits::max_bytes
//! [`Weights::from_safetensors`]: crate::network::Weights::from_safetensors

mod error;
mod header;
mod model;
mod network;

pub use error::SafetensorsError;
pub use network::SavedNetwork;
