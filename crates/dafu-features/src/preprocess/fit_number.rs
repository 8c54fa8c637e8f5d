//! What is learned about one number.

use super::params::{NumberImpute, PreprocessorParams, Scaling, Settings};
use super::plan::Scale;
use super::row::signed_log;
use super::stats::{Counter, Moments, NumberKey, Reservoir, quantile};
use crate::FeatureError;
use dafu_core::StableHasher;

/// Which statistics imputation and scaling need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberNeeds {
    order: bool,
    mode: bool,
}

impl NumberNeeds {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            order: settings.number_impute == NumberImpute::Median
                || settings.scaling == Scaling::Robust,
            mode: settings.number_impute == NumberImpute::MostFrequent,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct NumberFit {
    moments: Moments,
    sample: Option<Reservoir>,
    counts: Option<Counter<NumberKey, ()>>,
}

/// What was learned.
#[derive(Debug)]
pub(crate) struct FinishedNumber {
    pub(crate) fill: Option<f64>,
    pub(crate) scale: Option<Scale>,
    pub(crate) constant: bool,
    pub(crate) note: String,
    only: Option<f64>,
}

impl FinishedNumber {
    pub(crate) fn dropped_note(&self) -> String {
        match self.only {
            Some(value) => format!("dropped: every value seen is {value}"),
            None => "dropped: no row has a value".to_owned(),
        }
    }
}

impl NumberFit {
    pub(crate) fn new(needs: NumberNeeds, name: &str, params: &PreprocessorParams) -> Self {
        let seed = params.seed ^ StableHasher::hash_bytes(name.as_bytes());
        Self {
            moments: Moments::default(),
            sample: needs
                .order
                .then(|| Reservoir::new(params.exact_values, seed)),
            counts: needs.mode.then(|| Counter::new(params.max_levels)),
        }
    }

    /// Adds a number that is finite.
    pub(crate) fn push(&mut self, value: f64) {
        self.moments.push(value);
        if let Some(sample) = &mut self.sample {
            sample.push(value);
        }
        if let Some(counts) = &mut self.counts {
            counts.add(&NumberKey::new(value), || ());
        }
    }

    /// `log`: the numbers are logarithms, a constant to fill in is not.
    pub(crate) fn finish(
        &self,
        column: &str,
        settings: &Settings,
        missing: u64,
        log: bool,
    ) -> Result<FinishedNumber, FeatureError> {
        let moments = &self.moments;
        let empty = moments.count == 0;
        let sorted = self.sample.as_ref().map(Reservoir::sorted);
        let sorted = sorted.as_deref().unwrap_or_default();
        let (fill, how) = match settings.number_impute {
            NumberImpute::Keep => (None, "missing stays missing"),
            NumberImpute::Constant(value) => {
                let value = if log { signed_log(value) } else { value };
                (Some(value), "the constant")
            }
            _ if empty => (Some(0.0), "0, for want of any value:"),
            NumberImpute::Mean => (Some(moments.mean), "the mean"),
            NumberImpute::Median => (Some(quantile(sorted, 0.5)), "the median"),
            NumberImpute::MostFrequent => {
                let mode = self.counts.as_ref().and_then(Counter::most_frequent);
                (mode.map(|key| key.value()), "the most frequent value")
            }
        };
        if fill.is_some_and(|fill| !fill.is_finite()) {
            return Err(too_large(column));
        }
        let scale = scale(settings.scaling, moments, sorted).ok_or_else(|| too_large(column))?;
        let single = empty || moments.min >= moments.max;
        let filled_alike = missing == 0
            || empty
            || !matches!(
                settings.number_impute,
                NumberImpute::Keep | NumberImpute::Constant(_)
            );
        let scaled = match settings.scaling {
            Scaling::None => "taken as it is",
            Scaling::Standard => "scaled to mean 0 and standard deviation 1",
            Scaling::MinMax => "scaled to 0 for the least and 1 for the largest",
            Scaling::Robust => "scaled to median 0 and interquartile range 1",
        };
        let what = if log { "its logarithm " } else { "" };
        let filled = match fill {
            None => how.to_owned(),
            Some(fill) => format!("missing filled with {how} {fill}"),
        };
        let sampled = match &self.sample {
            Some(sample) if !sample.is_exact() => format!(
                " (median and quartiles from a uniform sample of {} values)",
                sorted.len()
            ),
            _ => String::new(),
        };
        let note = format!("{what}{scaled}, {filled}{sampled}");
        Ok(FinishedNumber {
            fill,
            scale,
            constant: single && filled_alike,
            note,
            only: (!empty).then_some(moments.min),
        })
    }
}

fn too_large(column: &str) -> FeatureError {
    FeatureError::TooLarge {
        column: column.to_owned(),
    }
}

/// The scale of values with these moments, in this order; `Some(None)` for no scaling, `None` when it is not finite.
#[expect(clippy::option_option, reason = "no scaling is no failure")]
pub(crate) fn scale(
    scaling: Scaling,
    moments: &Moments,
    sorted: &[(f64, u64)],
) -> Option<Option<Scale>> {
    let (centre, spread) = match scaling {
        Scaling::None => return Some(None),
        _ if moments.count == 0 => (0.0, 1.0),
        Scaling::Standard => (moments.mean, moments.deviation()),
        Scaling::MinMax => (moments.min, moments.max - moments.min),
        Scaling::Robust => {
            let range = quantile(sorted, 0.75) - quantile(sorted, 0.25);
            (quantile(sorted, 0.5), range)
        }
    };
    // Constant values are only moved to 0.
    let spread = if spread < f64::MIN_POSITIVE {
        1.0
    } else {
        spread
    };
    let finite = centre.is_finite() && spread.is_finite();
    finite.then_some(Some(Scale { centre, spread }))
}
