//! A measure over the events of an entity.

use super::feature::field_group;
use super::field::{Key, Quantity, RecordKind};
use super::filter::Filter;
use super::span::Span;
use super::window_measure::{Measure, Subject};
use crate::FeatureError;
use dafu_core::FeatureGroup;
use std::fmt::Write;

/// A measure over the events of an entity.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Window {
    /// Whose events.
    pub by: Key,
    /// What is computed.
    pub measure: Measure,
    /// The number that the measure is about.
    #[cfg_attr(feature = "serde", serde(default))]
    pub of: Quantity,
    /// Length of the window `(t - delay - within, t - delay]`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub within: Option<Span>,
    /// How far before the event the window ends. For labels: how long they take to become known.
    #[cfg_attr(feature = "serde", serde(default))]
    pub delay: Span,
    /// Whether the event itself counts where the window reaches it. By default it does, but for measures that
    /// compare it with the others.
    #[cfg_attr(feature = "serde", serde(default))]
    pub include_self: Option<bool>,
    /// Which events count.
    #[cfg_attr(feature = "serde", serde(default))]
    pub filter: Option<Filter>,
    /// For very long windows: counts by this many tiles instead of single events, see [`Window::tiles`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub tiles: Option<u16>,
}

impl Window {
    /// A measure over the events of an entity, without a window yet.
    pub fn new(by: impl Into<Key>, measure: Measure) -> Self {
        Self {
            by: by.into(),
            measure,
            of: Quantity::Amount,
            within: None,
            delay: Span::ZERO,
            include_self: None,
            filter: None,
            tiles: None,
        }
    }

    /// Sets the length of the window.
    #[must_use]
    pub fn within(mut self, within: Span) -> Self {
        self.within = Some(within);
        self
    }

    /// Sets how far before the event the window ends.
    #[must_use]
    pub fn delay(mut self, delay: Span) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the number that the measure is about.
    #[must_use]
    pub fn of(mut self, of: Quantity) -> Self {
        self.of = of;
        self
    }

    /// Sets whether the event itself counts.
    #[must_use]
    pub fn include_self(mut self, include: bool) -> Self {
        self.include_self = Some(include);
        self
    }

    /// Sets which events count.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Cuts the window into this many tiles of equal length (2 to 1,024), which are all that is remembered: memory no
    /// longer grows with the number of events, only with the bound for late ones.
    ///
    /// The newest end is exact, but for events that come late or again: they read all of the tile of their own time. Of the oldest tile, which the window covers in part, the same part of its counts
    /// and sums is taken, and its smallest, largest and different values where it is covered by half or more. So a
    /// count is wrong by less than the number of events in that one tile. Different values are exact up to 64 in a tile,
    /// and beyond to the error of [`crate::measure::HyperLogLog`].
    #[must_use]
    pub fn tiles(mut self, tiles: u16) -> Self {
        self.tiles = Some(tiles);
        self
    }

    /// Whether the event itself is in the window.
    pub(crate) fn includes_self(&self) -> bool {
        self.include_self.unwrap_or(!self.measure.compares())
    }

    pub(super) fn name(&self) -> String {
        let mut name = format!("{}_{}", self.by, self.measure.name(&self.of));
        if let Some(within) = self.within {
            let _ = write!(name, "_{within}");
        }
        if self.delay > Span::ZERO {
            let _ = write!(name, "_delay_{}", self.delay);
        }
        name.replace("extra:", "")
    }

    pub(super) fn group(&self) -> FeatureGroup {
        let amounts = self.measure.compares() && self.measure.subject() == Subject::Quantity;
        match (&self.measure, self.measure.subject()) {
            (Measure::HourMean | Measure::HourConcentration | Measure::HourSurprise, _) => {
                FeatureGroup::Temporal
            }
            (_, Subject::Places) => FeatureGroup::Location,
            _ if amounts => FeatureGroup::Amount,
            _ => {
                let last = self.by.fields().last();
                last.map_or(FeatureGroup::Other, field_group)
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        let mut text = format!("{} of the same ", self.measure.describe(&self.of));
        let fields: Vec<String> = self.by.fields().map(ToString::to_string).collect();
        text += &fields.join(" and ");
        if let Some(within) = self.within {
            let _ = write!(text, " within {within}");
        }
        if self.delay > Span::ZERO {
            let _ = write!(text, ", at least {} ago", self.delay);
        }
        if self.measure.takes_window() && self.delay == Span::ZERO {
            let own = if self.includes_self() {
                "included"
            } else {
                "left out"
            };
            let _ = write!(text, ", this event {own}");
        }
        if let Some(filter) = &self.filter {
            let _ = write!(text, ", where {filter}");
        }
        text
    }

    pub(super) fn check(&self, name: &str, record: RecordKind) -> Result<(), FeatureError> {
        let wrong = |why| FeatureError::Feature {
            feature: name.to_owned(),
            why,
        };
        let mut fields = self.by.fields().chain(self.measure.field());
        if let Some(field) = fields.find(|field| !field.exists_in(record)) {
            return Err(FeatureError::NoSuchField {
                feature: name.to_owned(),
                field: field.to_string(),
                record,
            });
        }
        if self.measure.subject() == Subject::Quantity && !self.of.exists_in(record) {
            return Err(FeatureError::NoSuchField {
                feature: name.to_owned(),
                field: self.of.to_string(),
                record,
            });
        }
        let ensure = |holds: bool, why| if holds { Ok(()) } else { Err(wrong(why)) };
        let places = self.measure.subject() == Subject::Places;
        ensure(
            !places || record == RecordKind::Transaction,
            "only transactions have places",
        )?;
        ensure(
            self.within.is_some() == self.measure.takes_window(),
            if self.measure.takes_window() {
                "it needs `within`"
            } else {
                "its measure takes no `within`"
            },
        )?;
        let within = self.within.unwrap_or_default();
        ensure(
            self.within != Some(Span::ZERO),
            "`within` must be above zero",
        )?;
        let short = self.measure.short();
        ensure(
            short.is_none_or(|short| Span::ZERO < short && short < within),
            "the short part must be above zero and shorter than the window",
        )?;
        ensure(
            !(self.measure.compares() && self.include_self == Some(true)),
            "its measure compares the event with earlier ones, so the event cannot be included",
        )?;
        let delayed = matches!(self.measure, Measure::LastLabel { .. });
        ensure(
            self.delay == Span::ZERO || self.measure.takes_window() || delayed,
            "its measure takes no `delay`",
        )?;
        let no_filter = matches!(
            self.measure,
            Measure::SinceFirst | Measure::IsNew { .. } | Measure::Age { .. }
        );
        ensure(
            self.filter.is_none() || !no_filter,
            "its measure takes no filter",
        )?;
        if let Some(filter) = &self.filter {
            check_filter(filter, name, record)?;
        }
        check_parameters(&self.measure).map_err(wrong)?;
        let single = self.by.fields().count() == 1;
        let new_value = matches!(self.measure, Measure::IsNew { .. } | Measure::Age { .. });
        ensure(
            !new_value || single,
            "new values are those of one entity, not of a pair",
        )?;
        if let (true, Some(of)) = (new_value, self.measure.field()) {
            self.by.and(of.clone())?;
        }
        self.check_tiles().map_err(wrong)
    }

    fn check_tiles(&self) -> Result<(), &'static str> {
        let Some(tiles) = self.tiles else {
            return Ok(());
        };
        let known = matches!(
            self.measure,
            Measure::Count
                | Measure::Rate
                | Measure::Sum
                | Measure::Mean
                | Measure::Variance
                | Measure::StdDev
                | Measure::Min
                | Measure::Max
                | Measure::Quantile { .. }
                | Measure::Distinct { .. }
        );
        if !known {
            return Err("its measure needs single events, not tiles");
        }
        if !(2..=1024).contains(&tiles) {
            return Err("`tiles` must be between 2 and 1024");
        }
        if self.delay > Span::ZERO {
            return Err("a window of tiles takes no `delay`");
        }
        if self.within.unwrap_or_default().as_micros() < i64::from(tiles) {
            return Err("a tile must be at least a microsecond long");
        }
        Ok(())
    }
}

fn check_filter(filter: &Filter, name: &str, record: RecordKind) -> Result<(), FeatureError> {
    let wrong = |why| FeatureError::Feature {
        feature: name.to_owned(),
        why,
    };
    if filter.depth() > 16 {
        return Err(wrong("its filter is nested deeper than 16"));
    }
    for leaf in filter.leaves() {
        match leaf {
            Filter::AmountAtLeast(limit) | Filter::AmountBelow(limit) if !limit.is_finite() => {
                return Err(wrong("an amount of its filter is not finite"));
            }
            Filter::Is { field, .. } | Filter::Known(field) if !field.exists_in(record) => {
                return Err(FeatureError::NoSuchField {
                    feature: name.to_owned(),
                    field: field.to_string(),
                    record,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_parameters(measure: &Measure) -> Result<(), &'static str> {
    let prior = |frauds: f64, events: f64, least: f64| {
        let sound = frauds.is_finite() && events.is_finite() && events <= 1e12;
        sound && frauds >= least && events >= frauds
    };
    match *measure {
        Measure::Quantile { permille } if permille > 1000 => {
            Err("`permille` must be between 0 and 1000")
        }
        Measure::TopShare { k, .. } | Measure::Last { k } | Measure::LastLabel { k }
            if !(1..=64).contains(&k) =>
        {
            Err("`k` must be between 1 and 64")
        }
        Measure::DecayedCount { half_life } | Measure::DecayedSum { half_life }
            if half_life == Span::ZERO =>
        {
            Err("`half_life` must be above zero")
        }
        Measure::FraudRate {
            prior_frauds,
            prior_events,
        } if !prior(prior_frauds, prior_events, 0.0) => {
            Err("the prior must be finite, with 0 <= frauds <= events")
        }
        Measure::FraudRateQuantile {
            prior_frauds,
            prior_events,
            permille,
        } if !prior(prior_frauds, prior_events, 1e-3)
            || prior_events - prior_frauds < 1e-3
            || !(1..=999).contains(&permille) =>
        {
            Err("the prior needs at least 0.001 frauds and honest events, `permille` 1 to 999")
        }
        Measure::FraudTrend {
            prior_frauds,
            prior_events,
            ..
        } if !prior(prior_frauds, prior_events, 1e-9) => {
            Err("the prior must be finite, with 0 < frauds <= events")
        }
        _ => Ok(()),
    }
}
