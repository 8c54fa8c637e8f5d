//! Communities of weighted graphs.

mod leiden;
mod weighted;

pub use leiden::{Communities, LeidenParams};
