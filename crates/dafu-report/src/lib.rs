//! Four-panel figures, HTML reports and exports for fraud detection runs.

mod advance;
mod error;
mod figure;
mod ink;
mod number;
mod panel;
mod plot;
#[cfg(feature = "png")]
mod raster;
mod scale;
mod scene;
mod svg;

pub use error::ReportError;
#[cfg(feature = "png")]
pub use figure::render_png;
pub use figure::{Figure, Panel, render_svg};
