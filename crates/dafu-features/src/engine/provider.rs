//! Windows for rules: core's requests, answered by features.

use super::FeatureEngine;
use crate::FeatureError;
use crate::set::{Definition, Feature, Field, Filter, Measure, Span, Window};
use dafu_core::{Aggregate, FeatureRow, Transaction, WindowProvider, WindowRequest};
use std::sync::Arc;

/// The window that answers a request.
impl TryFrom<&WindowRequest> for Window {
    type Error = FeatureError;

    /// # Errors
    ///
    /// [`FeatureError::Feature`] for an aggregate that no measure computes, and for lengths that a [`Span`] cannot have.
    fn try_from(request: &WindowRequest) -> Result<Self, FeatureError> {
        let measure = match request.aggregate {
            Aggregate::Count => Measure::Count,
            Aggregate::Sum => Measure::Sum,
            Aggregate::Mean => Measure::Mean,
            Aggregate::Max => Measure::Max,
            Aggregate::Distinct(kind) => Measure::Distinct {
                of: Field::try_from(kind)?,
            },
            _ => {
                return Err(FeatureError::Feature {
                    feature: format!("{:?}", request.aggregate),
                    why: "no measure of this crate computes it",
                });
            }
        };
        let window = Window::new(Field::try_from(request.by)?, measure);
        let within = Span::try_from(request.within)?;
        let window = window.within(within).include_self(request.include_self);
        Ok(match request.status {
            Some(status) => window.filter(Filter::Status(status)),
            None => window,
        })
    }
}

/// Rules ask for windows before the first event; what the set does not have yet is added to it.
impl WindowProvider for FeatureEngine {
    type Error = FeatureError;

    /// # Errors
    ///
    /// [`FeatureError::TooLateToAdd`] for a window that the set does not have once events were observed; otherwise as
    /// [`FeatureEngine::new`].
    fn prepare(&mut self, request: &WindowRequest) -> Result<usize, FeatureError> {
        let wanted = Window::try_from(request)?;
        let same = |feature: &Feature| match &feature.definition {
            Definition::Window(window) => {
                let named = Window {
                    include_self: Some(window.includes_self()),
                    ..window.clone()
                };
                named == wanted
            }
            _ => false,
        };
        if let Some(found) = self.plan.set.features.iter().position(same) {
            return Ok(found);
        }
        if self.memory.sequence > 0 {
            return Err(FeatureError::TooLateToAdd {
                feature: Feature::from(wanted).full_name(),
            });
        }
        let slot = self.plan.set.features.len();
        let mut feature = Feature::from(wanted);
        if self.plan.set.by_name(&feature.full_name()).is_some() {
            feature = feature.named(format!("window_{slot}"));
        }
        *self = Self::new(&self.plan.set.clone().feature(feature))?;
        Ok(slot)
    }

    /// Takes the answer from a row of this engine's own features; without one it looks at what is remembered, which
    /// costs what [`FeatureEngine::peek`] does.
    fn window(
        &self,
        slot: usize,
        event: &Transaction,
        row: Option<&FeatureRow<'_>>,
    ) -> Result<Option<f64>, FeatureError> {
        let width = self.plan.schema.width();
        let unknown = FeatureError::UnknownSlot { slot, width };
        if slot >= width {
            return Err(unknown);
        }
        let own = row.filter(|row| Arc::ptr_eq(row.schema(), &self.plan.schema));
        let value = if let Some(row) = own {
            row.values()[slot]
        } else {
            let mut row = vec![f64::NAN; width];
            self.peek(event, &mut row)?;
            row[slot]
        };
        Ok((!value.is_nan()).then_some(value))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        FeatureEngine, FeatureError, FeatureSet, Field, Measure, RecordKind, Span, Window,
    };
    use dafu_core::{
        Aggregate, Currency, EntityKind, Money, Transaction, TransactionStatus, WindowProvider,
        WindowRequest,
    };
    use std::time::Duration;

    fn request(aggregate: Aggregate, hours: u64) -> WindowRequest {
        WindowRequest {
            aggregate,
            by: EntityKind::User,
            within: Duration::from_secs(hours * 3600),
            include_self: true,
            status: None,
        }
    }

    fn payment(minute: u32, merchant: &str) -> Transaction {
        let paid = Money::from_minor(1000, Currency::NONE);
        let at = format!("2026-03-01T12:{minute:02}:00Z").parse().unwrap();
        let id = format!("t-{minute}").parse().unwrap();
        Transaction::new(
            id,
            "u".parse().unwrap(),
            paid,
            merchant.parse().unwrap(),
            at,
        )
    }

    #[test]
    fn windows_of_the_set_are_found_and_others_added() {
        let count = Window::new(Field::User, Measure::Count).within(Span::hours(1));
        let set = FeatureSet::new(RecordKind::Transaction).feature(count);
        let mut engine = FeatureEngine::new(&set).unwrap();
        assert_eq!(engine.prepare(&request(Aggregate::Count, 1)).unwrap(), 0);
        let merchants = request(Aggregate::Distinct(EntityKind::Merchant), 1);
        assert_eq!(engine.prepare(&merchants).unwrap(), 1);
        assert_eq!(engine.prepare(&merchants).unwrap(), 1);

        engine.observe(&payment(0, "a")).unwrap();
        let second = payment(1, "b");
        let seen = engine.peek(&second, &mut [0.0; 2]);
        assert!(seen.is_ok());
        assert_eq!(engine.window(0, &second, None).unwrap(), Some(2.0));
        assert_eq!(engine.window(1, &second, None).unwrap(), Some(2.0));
        // Of both payments none was declined, and how they ended is not said.
        let mut declined = request(Aggregate::Count, 1);
        declined.status = Some(TransactionStatus::Declined);
        let mut other = FeatureEngine::new(&set).unwrap();
        let slot = other.prepare(&declined).unwrap();
        let mut refused = payment(0, "a");
        refused.status = Some(TransactionStatus::Declined);
        other.observe(&refused).unwrap();
        other.observe(&payment(1, "a")).unwrap();
        assert_eq!(
            other.window(slot, &payment(2, "a"), None).unwrap(),
            Some(1.0)
        );
        let mut copy = engine.clone();
        let row = copy.observe(&second).unwrap().row;
        assert_eq!(engine.window(1, &second, Some(&row)).unwrap(), Some(2.0));
        assert!(matches!(
            engine.prepare(&request(Aggregate::Sum, 1)),
            Err(FeatureError::TooLateToAdd { .. })
        ));
        assert!(matches!(
            engine.window(2, &second, None),
            Err(FeatureError::UnknownSlot { slot: 2, width: 2 })
        ));
    }
}
