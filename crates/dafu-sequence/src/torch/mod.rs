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
//! It is for GPUs, which pay for wide layers and large batches. Dropout is drawn by libtorch: with it, both backends train
//! alike but not the same.
//!
//! **Random numbers.** Each step of a training with dropout seeds libtorch's own generator (`tch::manual_seed`), of which a
//! process has one: a program that draws from it besides has to seed it again after a training. Trainings side by side wait for
//! each other while they draw, so that each is the same as by itself.
//!
//! # Where programs find libtorch
//!
//! `LIBTORCH` says where it is while a program is built. When it runs, the loader looks for `libtorch_cpu.so` and those
//! beside it, and the build script of a library cannot tell it where: tests and examples of this package have the path in
//! them, programs that depend on it do not. Either let a build script put it there, with `torch-sys` among the
//! dependencies, as only those who depend on it themselves are told the folder:
//!
//! ```toml
//! [dependencies]
//! dafu-sequence = { version = "0.1.0", features = ["tch"] }
//! torch-sys = { version = "=0.26.0", default-features = false }
//! ```
//!
//! ```ignore
//! // build.rs
//! fn main() {
//!     if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
//!         println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
//!     }
//! }
//! ```
//!
//! or start it with `LD_LIBRARY_PATH="$LIBTORCH/lib"`. That reaches the programs that it starts as well.

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
        what: format!("libtorch: {error}"),
    }
}

/// A size or an index as libtorch counts.
fn long(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
