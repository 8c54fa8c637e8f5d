//! What held-out users say about how surprising normal behaviour is.

use crate::data::{SequenceSet, Span};
use crate::surprise::Surprises;
use crate::{Conformal, SequenceError};
use std::ops::Range;

/// Surprises of a sequence that its statistic is the mean of.
const LARGEST: usize = 3;

/// Most events to calibrate by: more would hardly change a score, and as text they fill half of what the header of a file
/// may hold.
const MOST_EVENTS: usize = 1 << 22;

/// Histories to calibrate by: all, or every second, third, ... of them where these have too many events.
pub(super) fn thinned(histories: Vec<Span>) -> Vec<Span> {
    thinned_to(histories, MOST_EVENTS)
}

fn thinned_to(histories: Vec<Span>, most: usize) -> Vec<Span> {
    let events: usize = histories.iter().map(Span::len).sum();
    let step = events.div_ceil(most).max(1);
    histories.into_iter().step_by(step).collect()
}

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
    pub(super) fn events(&self) -> Result<ByPlace, SequenceError> {
        ByPlace::new(self.histories.iter().map(|history| {
            let numbers = history.iter();
            numbers.map(|number| f64::from(*number))
        }))
    }

    /// By sequences of up to `length` events.
    pub(super) fn sequences(&self, length: usize) -> Result<ByPlace, SequenceError> {
        let histories = self.histories.iter();
        ByPlace::new(histories.map(|history| {
            let pieces = pieces(0..history.len(), length);
            pieces.map(|piece| statistic(&history[piece]))
        }))
    }
}

/// Scores of events or sequences. Those that begin a history surprise more, as nothing is known of the user yet: they are
/// compared with such ones only, and all others with others.
///
/// Source: Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World", 2005, chapter 4 (Mondrian
/// confidence machines).
#[derive(Debug, Clone)]
pub(super) struct ByPlace {
    first: Conformal,
    later: Conformal,
}

impl ByPlace {
    /// By the numbers of each history, in their order.
    fn new<N: Iterator<Item = f64>>(
        histories: impl Iterator<Item = N>,
    ) -> Result<Self, SequenceError> {
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for mut numbers in histories {
            first.extend(numbers.next());
            later.extend(numbers);
        }
        // Where no user that was held out has a second one, beginnings are all there is to compare with.
        Ok(Self {
            later: Conformal::new(if later.is_empty() {
                first.clone()
            } else {
                later
            })?,
            first: Conformal::new(first)?,
        })
    }

    /// For what begins a history, or another one.
    pub(super) const fn of(&self, begins: bool) -> &Conformal {
        if begins { &self.first } else { &self.later }
    }
}

/// Pieces of so many events. A last one that would be shorter reaches back into the one before it, as far as there is one:
/// the fewer events a piece has, the less the largest surprises among them.
pub(super) fn pieces(events: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let length = length.max(1);
    let starts = events.clone().step_by(length);
    starts.map(move |start| {
        let end = events.end.min(start.saturating_add(length));
        events.start.max(end.saturating_sub(length))..end
    })
}

/// How unusual a sequence is: the mean of its largest surprises, none of which is NaN. One odd event happens to everybody; what a taken-over
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
    use super::{Calibration, pieces, statistic, thinned_to};
    use crate::data::Span;

    #[test]
    fn beginnings_are_compared_with_beginnings() {
        let history = |user: u8| vec![100.0 + f32::from(user), f32::from(user)];
        let histories = (0..99).map(history).collect();
        let places = Calibration { histories }.sequences(1).unwrap();
        assert!((places.of(true).p_value(150.0) - 0.5).abs() < 1e-12);
        assert!((places.of(false).p_value(50.0) - 0.5).abs() < 1e-12);
        assert!((places.of(false).p_value(150.0) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn of_too_many_histories_some_are_kept() {
        let histories: Vec<Span> = (0..10)
            .map(|user| Span::whole(user * 4..user * 4 + 4))
            .collect();
        let kept = |most| -> Vec<usize> {
            let kept = thinned_to(histories.clone(), most).into_iter();
            kept.map(|span| span.start / 4).collect()
        };
        assert_eq!(kept(40), (0..10).collect::<Vec<_>>());
        assert_eq!(kept(39), [0, 2, 4, 6, 8]);
        assert_eq!(kept(13), [0, 4, 8]);
        assert_eq!(kept(1), [0]);
        assert!(thinned_to(Vec::new(), 1).is_empty());
    }

    #[test]
    fn the_last_piece_is_as_long_as_the_others() {
        let of = |end, length| pieces(2..end, length).collect::<Vec<_>>();
        assert_eq!(of(9, 3), [2..5, 5..8, 6..9]);
        assert_eq!(of(8, 3), [2..5, 5..8]);
        assert_eq!(of(4, 3), vec![2..4; 1]);
        assert_eq!(of(2, 3), []);
    }

    #[test]
    fn the_statistic_is_the_mean_of_the_three_largest() {
        assert!((statistic(&[1.0, 9.0, -2.0, 4.0, 2.0]) - 5.0).abs() < 1e-12);
        assert!((statistic(&[1.0, -3.0]) + 1.0).abs() < 1e-12);
        assert!((statistic(&[2.5]) - 2.5).abs() < 1e-12);
    }
}
