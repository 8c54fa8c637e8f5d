//! The backend over libtorch, by the crate `tch`: the same models and weights, on CPUs and on CUDA.
//!
//! ```no_run
//! use dafu_sequence::SequenceParams;
//! use dafu_sequence::torch::TorchBackend;
//! # fn run(training: &dafu_sequence::training::Training<'_>) -> Result<(), dafu_sequence::SequenceError> {
//! let params = SequenceParams::default().hidden_units(512).check()?;
//! let model = params.fit_classifier(&TorchBackend::best(), training)?;
//! // From here on it is a model like any other: answers are computed in plain Rust.
//! # Ok(())
//! # }
//! ```
//!
//! On a CPU the native backend is about twice as fast (`benches/peers/run.sh sequence`); a GPU pays for wide layers and large
//! batches. Steps of dropout are drawn by libtorch: with dropout, both backends train alike but not the same.

mod adam;
mod batch;
mod network;

use crate::SequenceError;
use crate::network::{Backend, NetworkConfig, Weights};
pub use network::TorchNetwork;
use tch::{Cuda, Device};

/// libtorch on one device.
#[derive(Debug, Clone, Copy)]
pub struct TorchBackend {
    device: Device,
}

impl TorchBackend {
    /// On the CPU, by the threads that libtorch was told to use.
    pub const fn cpu() -> Self {
        Self {
            device: Device::Cpu,
        }
    }

    /// On a GPU, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such GPU, or libtorch was built without CUDA.
    pub fn cuda(index: usize) -> Result<Self, SequenceError> {
        let count = usize::try_from(Cuda::device_count()).unwrap_or(0);
        if !Cuda::is_available() || index >= count {
            return Err(SequenceError::Backend {
                what: format!("GPU {index} is not there: libtorch sees {count}"),
            });
        }
        Ok(Self {
            device: Device::Cuda(index),
        })
    }

    /// On the first GPU, or on the CPU where there is none.
    pub fn best() -> Self {
        Self {
            device: Device::cuda_if_available(),
        }
    }
}

impl Backend for TorchBackend {
    type Network = TorchNetwork;

    fn network(
        &self,
        config: &NetworkConfig,
        weights: &Weights,
    ) -> Result<TorchNetwork, SequenceError> {
        TorchNetwork::new(self.device, config, weights)
    }
}

/// An error of libtorch.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: tch::TchError) -> SequenceError {
    SequenceError::Backend {
        what: error.to_string(),
    }
}

/// A size or an index as libtorch counts.
fn long(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
