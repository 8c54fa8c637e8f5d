//! What held-out users say about how surprising normal behaviour is.

use crate::data::SequenceSet;
use crate::surprise::Surprises;
use crate::{Conformal, SequenceError};

/// Surprises of a sequence that its statistic is the mean of.
const LARGEST: usize = 3;

/// How surprising the events of held-out users are, user after user.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub(crate) struct Calibration {
    histories: Vec<Vec<f32>>,
}

impl Calibration {
    /// From the surprises of the scored events of some users, a sequence each.
    pub(super) fn new(set: SequenceSet<'_>, surprises: &Surprises) -> Self {
        let mut numbers = (0..surprises.len()).map(|event| surprises.event(event));
        let events = set.events();
        let histories = set.spans().iter().map(|span| {
            let scored = (span.scored_from..span.end).filter(|event| events.scorable(*event));
            numbers.by_ref().take(scored.count()).collect()
        });
        Self {
            histories: histories.collect(),
        }
    }

    /// By single events.
    pub(super) fn events(&self) -> Result<Conformal, SequenceError> {
        Conformal::new(
            self.histories
                .iter()
                .flatten()
                .map(|number| f64::from(*number))
                .collect(),
        )
    }

    /// By sequences of up to `length` events.
    pub(super) fn sequences(&self, length: usize) -> Result<Conformal, SequenceError> {
        let pieces = self
            .histories
            .iter()
            .flat_map(|history| history.chunks(length.max(1)));
        Conformal::new(pieces.map(statistic).collect())
    }
}

/// How unusual a sequence is: the mean of its largest surprises. One odd event happens to everybody; what a taken-over
/// account does is odd several times over.
pub(super) fn statistic(surprises: &[f32]) -> f64 {
    let mut largest = [f32::NEG_INFINITY; LARGEST];
    for number in surprises {
        let mut number = *number;
        for place in &mut largest {
            if number > *place {
                std::mem::swap(&mut number, place);
            }
        }
    }
    let count = surprises.len().clamp(1, LARGEST);
    let sum: f64 = largest[..count]
        .iter()
        .map(|number| f64::from(*number))
        .sum();
    sum / count as f64
}

#[cfg(test)]
mod tests {
    use super::statistic;

    #[test]
    fn the_statistic_is_the_mean_of_the_three_largest() {
        assert!((statistic(&[1.0, 9.0, -2.0, 4.0, 2.0]) - 5.0).abs() < 1e-12);
        assert!((statistic(&[1.0, -3.0]) + 1.0).abs() < 1e-12);
        assert!((statistic(&[2.5]) - 2.5).abs() < 1e-12);
    }
}
