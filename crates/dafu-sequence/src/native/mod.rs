//! The backend in plain Rust, which needs nothing beside it.

mod adam;
mod alternatives;
mod attention;
mod attribution;
mod buffer;
mod chunk;
mod dropout;
mod gru;
mod inference;
mod lstm;
mod math;
mod matmul;
mod network;
mod packed;
mod recurrent;
mod step;
#[cfg(test)]
mod tests;
mod transpose;

pub use alternatives::Alternatives;
pub use attribution::{Attribution, Baseline};
pub use network::{NativeBackend, NativeNetwork};
pub use step::{StepNetwork, StepScratch};

/// Sequences that go through the network side by side. Fixed, so that sums do not depend on the number of threads.
const LANES: usize = 64;
/// Steps that answers are computed in at a time. Even, so that a step has the same parity in its block as in its sequence.
const BLOCK: usize = 64;
/// Numbers of the widest vector; columns are computed in multiples of it.
const VECTOR: usize = 16;
