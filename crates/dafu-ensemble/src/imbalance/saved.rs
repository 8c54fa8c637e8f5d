//! Saving and loading of bags.

use super::{Average, BalancedBagging, MAX_BAGS, Member};
use crate::{Classifier, EnsembleError, saved};
use dafu_core::model::Limits;
use std::sync::Arc;

const VERSION: u16 = 1;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct SavedBags {
    width: u32,
    average: SavedAverage,
    shifts: Vec<f64>,
    /// Each model in its own envelope.
    models: Vec<Vec<u8>>,
}

/// Apart from [`Average`], so that its order can never change what a file says.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum SavedAverage {
    LogOdds,
    Probability,
}

impl BalancedBagging {
    /// Kind of the saved model in its envelope.
    pub const KIND: &'static str = "dafu.balanced_bagging";

    /// The model as bytes, those of each bag's model within.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NotSaved`] when the models of the bags have no format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnsembleError> {
        let models = self.members.iter().map(|member| member.model.to_bytes());
        let bags = SavedBags {
            width: u32::try_from(self.width).unwrap_or(u32::MAX),
            average: match self.average {
                Average::LogOdds => SavedAverage::LogOdds,
                Average::Probability => SavedAverage::Probability,
            },
            shifts: self.members.iter().map(|member| member.shift).collect(),
            models: models.collect::<Result<_, _>>()?,
        };
        saved::encode(Self::KIND, VERSION, &bags)
    }

    /// Reads bytes, trusting nothing in them; `read` reads the model of a bag.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Envelope`] or [`EnsembleError::Damaged`] when the bytes are no sound model of this kind, and the errors of `read`.
    ///
    /// ```
    /// use dafu_ensemble::{
    ///     BalancedBagging, BalancedBaggingParams, Classifier, LogisticRegression, LogisticRegressionParams, Samples,
    /// };
    /// use ndarray::array;
    ///
    /// let rows = array![[1.0], [2.0], [3.0], [4.0]];
    /// let samples = Samples::new(rows.view(), &[true, false, false, false])?;
    /// let model = BalancedBaggingParams::new(LogisticRegressionParams::default()).fit(&samples)?;
    /// let loaded = BalancedBagging::from_bytes(&model.to_bytes()?, |bytes| {
    ///     Ok(Box::new(LogisticRegression::from_bytes(bytes)?) as Box<dyn Classifier>)
    /// })?;
    /// assert_eq!(loaded.len(), model.len());
    /// # Ok::<(), dafu_ensemble::EnsembleError>(())
    /// ```
    pub fn from_bytes(
        bytes: &[u8],
        read: impl Fn(&[u8]) -> Result<Box<dyn Classifier>, EnsembleError>,
    ) -> Result<Self, EnsembleError> {
        Self::from_bytes_within(bytes, &Limits::default(), read)
    }

    /// As [`BalancedBagging::from_bytes`], within limits of your own.
    ///
    /// # Errors
    ///
    /// As [`BalancedBagging::from_bytes`].
    pub fn from_bytes_within(
        bytes: &[u8],
        limits: &Limits,
        read: impl Fn(&[u8]) -> Result<Box<dyn Classifier>, EnsembleError>,
    ) -> Result<Self, EnsembleError> {
        let bags: SavedBags = saved::decode(Self::KIND, VERSION, bytes, limits)?;
        let width = bags.width as usize;
        let sound = (1..=MAX_BAGS).contains(&bags.models.len())
            && bags.shifts.len() == bags.models.len()
            // Shares of rows have logarithms of this size.
            && bags.shifts.iter().all(|shift| shift.abs() <= 1e3);
        saved::check(sound, "bags that no fit gives")?;
        let mut members = Vec::with_capacity(bags.models.len());
        for (model, shift) in bags.models.iter().zip(bags.shifts) {
            let model = read(model)?;
            saved::check(model.width() == width, "models of different width")?;
            members.push(Member {
                model: Arc::from(model),
                shift,
            });
        }
        Ok(Self {
            width,
            average: match bags.average {
                SavedAverage::LogOdds => Average::LogOdds,
                SavedAverage::Probability => Average::Probability,
            },
            members,
        })
    }
}
