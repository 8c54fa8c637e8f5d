//! From records to numbers: imputation, encoding, scaling and time features, fitted on training rows only.

mod error;
mod geo;
mod preprocess;

pub use error::FeatureError;
pub use geo::haversine_km;
pub use preprocess::{
    AmountFeatures, CheckedPreprocessorParams, ColumnParams, ColumnReport, Constants, Encoding,
    FitReport, Fitter, Folds, Indicator, Infinite, NumberImpute, Preprocessor, PreprocessorParams,
    Scaling, TextImpute, TimeFeature,
};
