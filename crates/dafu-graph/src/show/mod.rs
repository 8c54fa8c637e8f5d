//! Rings and graphs for other programs and for the eye.

mod export;
mod picture;
mod words;

pub use export::GraphFormat;
pub(crate) use words::kind_words;
