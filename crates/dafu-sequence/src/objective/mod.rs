//! What networks are trained to make small.

mod classify;
mod likelihood;

pub use classify::{ClassLoss, ClassObjective};
pub use likelihood::{InputLikelihood, input_surprise, most_likely};
