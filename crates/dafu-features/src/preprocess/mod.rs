//! Preprocessing of single rows: imputation, encoding, scaling, calendar features.

mod fit;
mod fit_number;
mod fit_text;
#[cfg(feature = "linfa")]
mod linfa_step;
mod model;
mod params;
mod plan;
mod report;
mod row;
#[cfg(feature = "serde")]
mod save;
mod stats;

pub use fit::Fitter;
#[cfg(feature = "linfa")]
pub use linfa_step::{LinfaStep, to_linfa};
pub use model::Preprocessor;
pub use params::{
    AmountFeatures, CheckedPreprocessorParams, ColumnParams, Constants, Encoding, Folds, Indicator,
    Infinite, NumberImpute, PreprocessorParams, Scaling, TextImpute, TimeFeature,
};
pub use report::{ColumnReport, FitReport};
