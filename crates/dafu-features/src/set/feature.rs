//! One feature: a window, a fact of the event itself, or a combination of other features.

use super::field::{Field, Key, Quantity, RecordKind};
use super::filter::Filter;
use super::span::Span;
use super::window_measure::{Measure, Subject};
use crate::FeatureError;
use dafu_core::{FeatureGroup, FeatureSpec, FeatureType, Unit};
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
    /// longer grows with the number of events.
    ///
    /// The newest end is exact. Of the oldest tile, which the window covers in part, the same part of its counts
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

    fn name(&self) -> String {
        let mut name = format!("{}_{}", self.by, self.measure.name(&self.of));
        if let Some(within) = self.within {
            let _ = write!(name, "_{within}");
        }
        if self.delay > Span::ZERO {
            let _ = write!(name, "_delay_{}", self.delay);
        }
        name.replace("extra:", "")
    }

    fn group(&self) -> FeatureGroup {
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

    fn describe(&self) -> String {
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
            let _ = write!(text, ", where {filter:?}");
        }
        text
    }

    fn check(&self, name: &str, record: RecordKind) -> Result<(), FeatureError> {
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

pub(crate) const fn field_group(field: &Field) -> FeatureGroup {
    match field {
        Field::User | Field::Card | Field::Email | Field::Action => FeatureGroup::UserBehavior,
        Field::Merchant | Field::Category => FeatureGroup::Merchant,
        Field::Device | Field::UserAgent => FeatureGroup::Device,
        Field::Ip | Field::IpPrefix | Field::EmailDomain => FeatureGroup::Network,
        Field::Country | Field::Location => FeatureGroup::Location,
        Field::Currency => FeatureGroup::Amount,
        _ => FeatureGroup::Other,
    }
}

/// A fact of the event itself.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum EventFeature {
    /// A quantity as it is.
    Value(Quantity),
    /// Natural logarithm of 1 + the amount, with its sign.
    LogAmount,
    /// The part of the amount behind the decimal point, 0 to 1.
    Cents,
    /// 1 where the amount is a whole multiple of this many major units.
    RoundAmount {
        /// Major units, at least 1.
        step: u32,
    },
    /// Zeros at the end of the amount in major units.
    TrailingZeros,
    /// How close the amount is below the nearest of some limits: 1 just below it, 0 from `share` of the limit below it
    /// on.
    JustBelow {
        /// The limits in major units.
        limits: Vec<f64>,
        /// Share of the limit, above 0 and at most 1.
        share: f64,
    },
    /// Time of day in hours with a fraction.
    Hour,
    /// Sine of the time of day on a circle.
    HourSin,
    /// Cosine of the time of day on a circle.
    HourCos,
    /// Day of the week, 0 for Monday.
    Weekday,
    /// 1 on Saturday and Sunday.
    Weekend,
    /// 1 in the night.
    Night,
    /// 1 on a holiday.
    Holiday,
    /// Days to the nearest holiday, negative after it; missing without holidays.
    DaysToHoliday,
    /// Day of the month, 1 to 31.
    DayOfMonth,
    /// Kilometres between the home of the user and the place of the payment.
    HomeDistance,
    /// 1 where the internet address is not a public one.
    IpNotPublic,
    /// 1 where the user agent is that of a program.
    Bot,
    /// 1 where the user agent is that of a phone or tablet.
    Mobile,
    /// 1 where a field has a value.
    Known(Field),
}

impl EventFeature {
    fn name(&self) -> String {
        let name = match self {
            Self::Value(quantity) => return quantity.to_string().replace("extra:", ""),
            Self::RoundAmount { step } => return format!("round_{step}"),
            Self::Known(field) => return format!("{field}_known").replace("extra:", ""),
            Self::LogAmount => "log_amount",
            Self::Cents => "cents",
            Self::TrailingZeros => "trailing_zeros",
            Self::JustBelow { .. } => "just_below_limit",
            Self::Hour => "hour",
            Self::HourSin => "hour_sin",
            Self::HourCos => "hour_cos",
            Self::Weekday => "weekday",
            Self::Weekend => "weekend",
            Self::Night => "night",
            Self::Holiday => "holiday",
            Self::DaysToHoliday => "days_to_holiday",
            Self::DayOfMonth => "day_of_month",
            Self::HomeDistance => "home_distance",
            Self::IpNotPublic => "ip_not_public",
            Self::Bot => "bot",
            Self::Mobile => "mobile",
        };
        name.to_owned()
    }

    const fn describe(&self) -> &'static str {
        match self {
            Self::Value(_) => "the quantity as it is",
            Self::LogAmount => "natural logarithm of 1 + amount",
            Self::Cents => "part of the amount behind the point",
            Self::RoundAmount { .. } => "1 where the amount is a whole multiple",
            Self::TrailingZeros => "zeros at the end of the amount",
            Self::JustBelow { .. } => "how close the amount is below a limit",
            Self::Hour => "time of day",
            Self::HourSin => "sine of the time of day",
            Self::HourCos => "cosine of the time of day",
            Self::Weekday => "day of the week, 0 for Monday",
            Self::Weekend => "1 on Saturday and Sunday",
            Self::Night => "1 in the night",
            Self::Holiday => "1 on a holiday",
            Self::DaysToHoliday => "days to the nearest holiday, negative after it",
            Self::DayOfMonth => "day of the month",
            Self::HomeDistance => "distance of the payment from the home of the user",
            Self::IpNotPublic => "1 where the internet address is not a public one",
            Self::Bot => "1 where the user agent is that of a program",
            Self::Mobile => "1 where the user agent is that of a phone or tablet",
            Self::Known(_) => "1 where the field has a value",
        }
    }

    const fn feature_type(&self) -> FeatureType {
        match self {
            Self::RoundAmount { .. }
            | Self::Weekend
            | Self::Night
            | Self::Holiday
            | Self::IpNotPublic
            | Self::Bot
            | Self::Mobile
            | Self::Known(_) => FeatureType::Flag,
            Self::TrailingZeros | Self::Weekday | Self::DaysToHoliday | Self::DayOfMonth => {
                FeatureType::Integer
            }
            _ => FeatureType::Real,
        }
    }

    const fn unit(&self) -> Unit {
        match self {
            Self::Value(quantity) => quantity_unit(quantity),
            Self::TrailingZeros => Unit::Count,
            Self::JustBelow { .. } => Unit::Share,
            Self::Hour => Unit::Hour,
            Self::DaysToHoliday => Unit::Day,
            Self::HomeDistance => Unit::Kilometre,
            _ => Unit::One,
        }
    }

    const fn group(&self) -> FeatureGroup {
        match self {
            Self::Value(Quantity::Amount)
            | Self::LogAmount
            | Self::Cents
            | Self::RoundAmount { .. }
            | Self::TrailingZeros
            | Self::JustBelow { .. } => FeatureGroup::Amount,
            Self::Value(_) => FeatureGroup::Other,
            Self::HomeDistance => FeatureGroup::Location,
            Self::IpNotPublic => FeatureGroup::Network,
            Self::Bot | Self::Mobile => FeatureGroup::Device,
            Self::Known(field) => field_group(field),
            _ => FeatureGroup::Temporal,
        }
    }

    fn check(&self, name: &str, record: RecordKind) -> Result<(), FeatureError> {
        let wrong = |why| FeatureError::Feature {
            feature: name.to_owned(),
            why,
        };
        let field = match self {
            Self::Value(quantity) if !quantity.exists_in(record) => Some(quantity.to_string()),
            Self::Known(field) if !field.exists_in(record) => Some(field.to_string()),
            Self::HomeDistance | Self::IpNotPublic | Self::Bot | Self::Mobile
                if record != RecordKind::Transaction =>
            {
                Some("place, ip or user agent".to_owned())
            }
            _ => None,
        };
        if let Some(field) = field {
            return Err(FeatureError::NoSuchField {
                feature: name.to_owned(),
                field,
                record,
            });
        }
        match self {
            Self::RoundAmount { step: 0 } => Err(wrong("`step` must be at least 1")),
            Self::JustBelow { limits, share } => {
                let limits_sound = limits.iter().all(|limit| *limit > 0.0 && *limit <= 1e11);
                if limits.is_empty() || limits.len() > 64 || !limits_sound {
                    return Err(wrong("it needs 1 to 64 limits above zero, at most 1e11"));
                }
                if !(*share > 0.0 && *share <= 1.0) {
                    return Err(wrong("`share` must be above 0 and at most 1"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

pub(crate) const fn quantity_unit(quantity: &Quantity) -> Unit {
    match quantity {
        Quantity::Amount => Unit::Money,
        Quantity::TransactionCount => Unit::Count,
        _ => Unit::One,
    }
}

/// A combination of features that stand before it in the set, by name; missing where one of them is.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Derived {
    /// `of / over`; missing where `over` is 0.
    Ratio {
        /// Above the line.
        of: String,
        /// Below the line.
        over: String,
    },
    /// `of - less`.
    Difference {
        /// From this.
        of: String,
        /// This is taken.
        less: String,
    },
    /// Root of the sum of squares of those that are not missing: how far the event is from a profile. Missing where all
    /// are.
    Distance {
        /// The features.
        of: Vec<String>,
    },
}

impl Derived {
    /// Names of the features that it is made from.
    pub fn inputs(&self) -> Vec<&str> {
        match self {
            Self::Ratio { of, over } => vec![of, over],
            Self::Difference { of, less } => vec![of, less],
            Self::Distance { of } => of.iter().map(String::as_str).collect(),
        }
    }
}

/// Where the numbers of a feature come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Definition {
    /// A measure over the events of an entity.
    Window(Window),
    /// A fact of the event itself.
    Event(EventFeature),
    /// A combination of other features.
    Derived(Derived),
}

/// One feature of a set.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "super::text::FeatureText",
        into = "super::text::FeatureText"
    )
)]
pub struct Feature {
    /// Its name; `None` takes the one that follows from its definition, such as `user_count_7d`.
    pub name: Option<String>,
    /// The part of the story that it tells; `None` takes the one that follows from its definition.
    pub group: Option<FeatureGroup>,
    /// One sentence for people; `None` takes the one that follows from its definition.
    pub description: Option<String>,
    /// Where its numbers come from.
    pub definition: Definition,
}

impl From<Window> for Feature {
    fn from(window: Window) -> Self {
        Self::new(Definition::Window(window))
    }
}

impl From<EventFeature> for Feature {
    fn from(event: EventFeature) -> Self {
        Self::new(Definition::Event(event))
    }
}

impl From<Derived> for Feature {
    fn from(derived: Derived) -> Self {
        Self::new(Definition::Derived(derived))
    }
}

impl Feature {
    fn new(definition: Definition) -> Self {
        Self {
            name: None,
            group: None,
            description: None,
            definition,
        }
    }

    /// Sets the name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the group.
    #[must_use]
    pub fn grouped(mut self, group: FeatureGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The name that it has in a set.
    pub fn full_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| match &self.definition {
            Definition::Window(window) => window.name(),
            Definition::Event(event) => event.name(),
            Definition::Derived(Derived::Ratio { of, over }) => format!("{of}_over_{over}"),
            Definition::Derived(Derived::Difference { of, less }) => format!("{of}_less_{less}"),
            Definition::Derived(Derived::Distance { of }) => format!("distance_{}", of.join("_")),
        })
    }

    pub(crate) fn check(&self, record: RecordKind) -> Result<(), FeatureError> {
        let name = self.full_name();
        match &self.definition {
            Definition::Window(window) => window.check(&name, record),
            Definition::Event(event) => event.check(&name, record),
            Definition::Derived(derived) if derived.inputs().is_empty() => {
                Err(FeatureError::Feature {
                    feature: name,
                    why: "it combines no features",
                })
            }
            Definition::Derived(_) => Ok(()),
        }
    }

    /// Name, type, unit, group and description.
    pub(crate) fn spec(&self) -> FeatureSpec {
        let name = self.full_name();
        let (feature_type, unit, group, description) = match &self.definition {
            Definition::Window(window) => (
                window.measure.feature_type(),
                window.measure.unit(quantity_unit(&window.of)),
                window.group(),
                window.describe(),
            ),
            Definition::Event(event) => (
                event.feature_type(),
                event.unit(),
                event.group(),
                event.describe().to_owned(),
            ),
            Definition::Derived(derived) => {
                let text = match derived {
                    Derived::Ratio { of, over } => format!("`{of}` over `{over}`"),
                    Derived::Difference { of, less } => format!("`{of}` less `{less}`"),
                    Derived::Distance { of } => format!("distance from a profile by {of:?}"),
                };
                (
                    FeatureType::Real,
                    Unit::One,
                    FeatureGroup::UserBehavior,
                    text,
                )
            }
        };
        FeatureSpec::real(name)
            .with_type(feature_type)
            .with_unit(unit)
            .with_group(self.group.unwrap_or(group))
            .with_nullable(true)
            .with_description(self.description.clone().unwrap_or(description))
    }
}
