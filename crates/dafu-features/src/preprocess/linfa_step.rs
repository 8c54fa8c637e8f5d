//! Datasets for linfa, and linfa's scalers as a step behind the preprocessor.

use crate::FeatureError;
use dafu_core::{Dataset, DatasetError, FeatureSpec, FeatureType, Schema, Unit};
use linfa::DatasetBase;
use linfa::traits::{Fit, Transformer};
use linfa_preprocessing::linear_scaling::{LinearScaler, LinearScalerParams};
use linfa_preprocessing::whitening::{FittedWhitener, Whitener};
use ndarray::{Array1, Array2};
use std::sync::Arc;

/// A dataset in linfa's form: matrix, names, weights, and the labels as targets.
///
/// Targets are `Some(true)` for fraud, `Some(false)` for legitimate, `None` where nothing is known. linfa holds weights
/// in 32 bits.
///
/// # Complexity
///
/// O(rows x features): the matrix is copied.
///
/// ```
/// use dafu_core::{Dataset, FeatureSpec, Label, Schema};
/// use ndarray::array;
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = Arc::new(Schema::new(vec![FeatureSpec::real("amount")])?);
/// let labels = vec![Label::Unknown, Label::Fraud];
/// let data = Dataset::new(schema, array![[1.0], [9.0]])?.with_labels(labels)?;
/// let data = dafu_features::to_linfa(&data);
/// assert_eq!(data.targets(), &array![None, Some(true)]);
/// assert_eq!(data.feature_names(), ["amount"]);
/// # Ok(())
/// # }
/// ```
pub fn to_linfa(data: &Dataset) -> DatasetBase<Array2<f64>, Array1<Option<bool>>> {
    let targets = match data.labels() {
        Some(labels) => labels.iter().map(|label| label.known()).collect(),
        None => Array1::from_elem(data.rows(), None),
    };
    let names = data.schema().features().iter();
    let names = names.map(|feature| feature.name.to_string()).collect();
    let linfa = DatasetBase::new(data.values().to_owned(), targets).with_feature_names(names);
    match data.weights() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "linfa's weights have 32 bits"
        )]
        Some(weights) => linfa.with_weights(weights.iter().map(|&weight| weight as f32).collect()),
        None => linfa,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Transform {
    Scaler(LinearScaler<f64>),
    Whitener(FittedWhitener<f64>),
}

/// A scaler or whitener of linfa-preprocessing, fitted on a training dataset and applied unchanged to later ones.
///
/// It scales every feature, flags and codes too, for models that want that; [`Scaling`](crate::Scaling) leaves those
/// alone. No feature may miss values.
///
/// ```
/// use dafu_core::{Dataset, FeatureSpec, Schema};
/// use dafu_features::LinfaStep;
/// use linfa_preprocessing::linear_scaling::LinearScaler;
/// use ndarray::array;
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = Arc::new(Schema::new(vec![FeatureSpec::real("amount")])?);
/// let training = Dataset::new(schema, array![[1.0], [2.0], [4.0]])?;
/// let step = LinfaStep::scaler(&LinearScaler::max_abs(), &training)?;
/// assert_eq!(step.transform(&training)?.values(), array![[0.25], [0.5], [1.0]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LinfaStep {
    transform: Transform,
    schema: Arc<Schema>,
}

impl LinfaStep {
    /// Fits a linear scaler. The features keep their names; they become real numbers without a unit.
    ///
    /// # Errors
    ///
    /// [`FeatureError::NoRows`], [`FeatureError::Dataset`] when a value is missing, [`FeatureError::Linfa`].
    pub fn scaler(
        params: &LinearScalerParams<f64>,
        training: &Dataset,
    ) -> Result<Self, FeatureError> {
        complete(training, 1)?;
        let transform = Transform::Scaler(params.fit(&to_linfa(training))?);
        let features = training.schema().features().iter().map(|feature| {
            let plain = FeatureSpec::real(Arc::clone(&feature.name)).with_unit(Unit::One);
            plain
                .with_type(FeatureType::Real)
                .with_group(feature.group)
                .with_description(format!("{}, scaled", feature.description))
        });
        let schema = Arc::new(Schema::new(features.collect())?);
        Ok(Self { transform, schema })
    }

    /// Fits a whitener. The features become the mixtures `white_0`, `white_1`, ... of all.
    ///
    /// # Errors
    ///
    /// [`FeatureError::NoRows`] for fewer than two rows, [`FeatureError::Dataset`] when a value is missing,
    /// [`FeatureError::Linfa`] when the covariance cannot be decomposed (constant or dependent features, fewer rows
    /// than features).
    pub fn whitener(params: &Whitener, training: &Dataset) -> Result<Self, FeatureError> {
        complete(training, 2)?;
        let transform = Transform::Whitener(params.fit(&to_linfa(training))?);
        let features = (0..training.schema().width()).map(|place| {
            let description = "a mixture of all features, uncorrelated, with variance 1";
            FeatureSpec::real(format!("white_{place}")).with_description(description)
        });
        let schema = Arc::new(Schema::new(features.collect())?);
        Ok(Self { transform, schema })
    }

    /// The features that come out.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Applies the step; labels, weights, times and groups are carried over.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Width`], and [`FeatureError::Dataset`] when a value is missing or becomes infinite.
    ///
    /// # Complexity
    ///
    /// O(rows x features) for scalers, O(rows x features^2) for whiteners.
    pub fn transform(&self, data: &Dataset) -> Result<Dataset, FeatureError> {
        let (expected, got) = (self.schema.width(), data.schema().width());
        if expected != got {
            return Err(FeatureError::Width { expected, got });
        }
        complete(data, 0)?;
        let values = data.values().to_owned();
        let values = match &self.transform {
            Transform::Scaler(scaler) => scaler.transform(values),
            Transform::Whitener(whitener) => whitener.transform(values),
        };
        let mut scaled = Dataset::new(Arc::clone(&self.schema), values)?;
        if let Some(labels) = data.labels() {
            scaled = scaled.with_labels(labels.to_vec())?;
        }
        if let Some(weights) = data.weights() {
            scaled = scaled.with_weights(weights.to_vec())?;
        }
        if let Some(times) = data.times() {
            scaled = scaled.with_times(times.to_vec())?;
        }
        if let Some(groups) = data.groups() {
            scaled = scaled.with_groups(groups.to_vec())?;
        }
        Ok(scaled)
    }
}

/// Whether there are enough rows and no value is missing.
fn complete(data: &Dataset, rows: usize) -> Result<(), FeatureError> {
    if data.rows() < rows {
        return Err(FeatureError::NoRows);
    }
    let values = data.values();
    match values.indexed_iter().find(|(_, value)| value.is_nan()) {
        None => Ok(()),
        Some(((row, column), &got)) => {
            let feature = data.schema().features()[column].name.to_string();
            Err(DatasetError::Value { row, feature, got }.into())
        }
    }
}
