//! Learning how users behave.

use super::analyzer::UserBehaviorAnalyzer;
use super::calibration::{Calibration, thinned};
use super::params::{BehaviorParams, CheckedBehaviorParams};
use crate::SequenceError;
use crate::data::{Events, SequenceSet, Span};
use crate::encode::{Histories, Record};
use crate::native::NativeBackend;
use crate::network::Backend;
use crate::training::{Training, TrainingMonitor};
use dafu_core::{StableHasher, Timestamp};
use std::hash::Hasher;

impl BehaviorParams {
    /// Learns from the records before `boundary`, or from all. Events that are labelled as fraud, and those after them of
    /// the same user, are left out: what is learned is how normal users behave. Labels are taken as known: blank those that
    /// were not known at the boundary.
    ///
    /// # Errors
    ///
    /// When parameters are out of range, a record cannot be read, there are too few users to learn from and to hold out, or
    /// training diverges.
    pub fn fit<R: Record>(
        &self,
        records: &[R],
        boundary: Option<Timestamp>,
    ) -> Result<UserBehaviorAnalyzer, SequenceError> {
        let histories = Histories::new(records);
        self.check()?.fit(&histories, boundary, &NativeBackend, &())
    }
}

impl CheckedBehaviorParams {
    /// As [`BehaviorParams::fit`], of records grouped by any key, on a backend, and tells `monitor` how far training has
    /// come.
    ///
    /// # Errors
    ///
    /// As [`BehaviorParams::fit`], and those of the backend.
    pub fn fit<R: Record, B: Backend>(
        &self,
        histories: &Histories<'_, R>,
        boundary: Option<Timestamp>,
        backend: &B,
        monitor: &dyn TrainingMonitor,
    ) -> Result<UserBehaviorAnalyzer, SequenceError> {
        let users = Users::new(self, histories, boundary);
        let encoder = self.encoder.check()?.fit_where(histories, |user, event| {
            users.shares[user] != Share::Calibration && event < users.ends[user]
        })?;
        let events = histories.encode(&encoder)?;
        let train = users.pieces(&events, self.model.sequence_length);
        let validation = users.histories(&events, Share::Validation);
        let held_out = thinned(users.histories(&events, Share::Calibration));
        let held_out = SequenceSet::new(&events, &held_out)?;
        if held_out.scored().next().is_none() {
            return Err(SequenceError::Empty {
                what: "no user with normal events is held out for calibration: raise `calibration_share`, or give more users",
            });
        }
        if train.is_empty() {
            return Err(SequenceError::Empty {
                what: "no user with normal events is left to learn from: lower `calibration_share`, or give more users",
            });
        }
        let mut training = Training::new(SequenceSet::new(&events, &train)?).monitor(monitor);
        if !validation.is_empty() {
            training = training.validation(SequenceSet::new(&events, &validation)?);
        }
        let model = self.model.check()?.fit_next_event(backend, &training)?;
        let calibration = Calibration::new(held_out, &model.surprises(held_out)?);
        UserBehaviorAnalyzer::from_parts(encoder, model, calibration)
    }
}

/// What a user's events are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    Train,
    Validation,
    /// Neither weights nor scales nor the number of epochs may depend on them: only then are they like users to come.
    Calibration,
}

/// Users by their share, and where their normal events end.
struct Users {
    shares: Vec<Share>,
    ends: Vec<usize>,
}

impl Users {
    fn new<R: Record>(
        params: &BehaviorParams,
        histories: &Histories<'_, R>,
        boundary: Option<Timestamp>,
    ) -> Self {
        let normal = |event: &usize| {
            let record = histories.record_of(*event);
            record.is_some_and(|record| {
                record.label() != Some(true) && boundary.is_none_or(|end| record.time() < end)
            })
        };
        let users = 0..histories.entities();
        let ends = users.clone().map(|user| {
            let events = histories.entity(user);
            events.start + events.take_while(normal).count()
        });
        let shares = users.map(|user| share(params, histories.entity_name(user)));
        Self {
            shares: shares.collect(),
            ends: ends.collect(),
        }
    }

    /// Normal events of each user of a share.
    fn of<'a>(&'a self, events: &'a Events, share: Share) -> impl Iterator<Item = (usize, usize)> {
        let users = self.shares.iter().enumerate();
        let users = users.filter(move |(_, of_user)| **of_user == share);
        let ranges = users.map(|(user, _)| (events.entity(user).start, self.ends[user]));
        ranges.filter(|(start, end)| start < end)
    }

    /// Histories in pieces to learn from. One that begins in the middle of a history is read from a little earlier on.
    fn pieces(&self, events: &Events, length: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        for (start, end) in self.of(events, Share::Train) {
            spans.extend((start..end).step_by(length).map(|from| Span {
                start: start.max(from.saturating_sub(length / 2)),
                scored_from: from,
                end: end.min(from + length),
            }));
        }
        spans
    }

    /// Whole histories.
    fn histories(&self, events: &Events, share: Share) -> Vec<Span> {
        self.of(events, share)
            .map(|(start, end)| Span::whole(start..end))
            .collect()
    }
}

/// The share of a user: by a hash of the name, so that it does not depend on who else there is.
fn share(params: &BehaviorParams, name: Option<&str>) -> Share {
    let hash = StableHasher::default()
        .text(name.unwrap_or_default())
        .number(params.model.seed)
        .finish();
    let at = dafu_core::random::Stream::new(hash, 0, 0).unit();
    if at < params.calibration_share {
        Share::Calibration
    } else if at < params.calibration_share + params.validation_share {
        Share::Validation
    } else {
        Share::Train
    }
}

#[cfg(test)]
mod tests {
    use super::{BehaviorParams, Share, share};

    #[test]
    fn shares_are_as_large_as_asked_for() {
        let params = BehaviorParams::default();
        for seed in 0..5 {
            let params = params.clone().model(params.model.clone().seed(seed));
            let shares: Vec<_> = (0..2_000)
                .map(|user| share(&params, Some(&format!("user-{user:03}"))))
                .collect();
            for (share, expected) in [
                (Share::Train, 0.7),
                (Share::Validation, 0.1),
                (Share::Calibration, 0.2),
            ] {
                let count = shares.iter().filter(|other| **other == share).count() as f64;
                let expected = expected * 2_000.0;
                // Four deviations of a count.
                assert!(
                    (count - expected).abs() < 4.0 * expected.sqrt(),
                    "{share:?} {count}"
                );
            }
        }
    }
}
