//! What is computed from the events of an entity.

use super::field::{Field, Quantity};
use super::span::Span;
use dafu_core::{FeatureType, Unit};

/// What is computed from the events of a window.
///
/// A measure is missing (NaN) where the event has no such entity or lacks the number or text that it is about. What it
/// is without any event in the window stands with each.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Measure {
    /// Number of events; 0 without any.
    Count,
    /// Events per hour of the window; 0 without any.
    Rate,
    /// Sum of the quantity, exact; 0 without any.
    Sum,
    /// Mean of the quantity; missing without events.
    Mean,
    /// Variance of the quantity (divided by n), exact up to one rounding; missing without events.
    Variance,
    /// Its square root.
    StdDev,
    /// Smallest quantity; missing without events.
    Min,
    /// Largest quantity; missing without events.
    Max,
    /// Quantile of the quantity to 1 % of its value; missing without events.
    ///
    /// Source: Masson, Rim, Lee, "`DDSketch`" (VLDB 2019).
    Quantile {
        /// Thousandths, 0 to 1,000: 500 is the median.
        permille: u16,
    },
    /// Different values of a field; 0 without any.
    Distinct {
        /// The field.
        of: Field,
    },
    /// Entropy of the values of a field in bits; 0 without any.
    ///
    /// Source: Shannon (1948), section 6.
    Entropy {
        /// The field.
        of: Field,
    },
    /// Share of the most frequent value among events that have the field; missing without such events. Linear in the
    /// number of different values where an event with the most frequent one has just left the window.
    ModeShare {
        /// The field.
        of: Field,
    },
    /// Share of the `k` most frequent values; missing without events that have the field. Linear in the number of
    /// different values.
    TopShare {
        /// The field.
        of: Field,
        /// How many values, 1 to 64.
        k: u8,
    },
    /// How unusual the event's own value of a field is, in bits: `-log2((c + 1) / (n + d + 1))` with `c` of `n` events
    /// having it and `d` different values. The event itself is left out.
    Surprise {
        /// The field.
        of: Field,
    },
    /// Different values of a field in the `short` last part of the window over those of the whole; missing without
    /// any.
    DistinctGrowth {
        /// The field.
        of: Field,
        /// The last part.
        short: Span,
    },
    /// The quantity of the `k`-th last event; missing where there are fewer. Takes no window.
    Last {
        /// 1 for the last event, up to 64.
        k: u8,
    },
    /// Days since the first event ever seen; missing at the first. Takes no window and no filter.
    SinceFirst,
    /// Hours since the last event; missing at the first. Takes no window.
    SinceLast,
    /// 1 at the first event of this entity with this value of a field, as far as is remembered, else 0. Takes no
    /// window and no filter.
    IsNew {
        /// The field.
        of: Field,
    },
    /// Days since the first event of this entity with this value of a field; missing at the first. Takes no window
    /// and no filter.
    Age {
        /// The field.
        of: Field,
    },
    /// Mean time between events of the window in hours; missing with fewer than two.
    GapMean,
    /// Standard deviation of the times between events over their mean; missing with fewer than three, or when all
    /// events have one time.
    GapVariation,
    /// Events per hour in the `short` last part of the window over events per hour in the whole; missing without
    /// events.
    Burst {
        /// The last part.
        short: Span,
    },
    /// Number of events, each counting half as much for every `half_life` that it is old. Takes no window.
    ///
    /// Source: Cohen and Strauss, "Maintaining time-decaying stream aggregates" (2003), exponential decay.
    DecayedCount {
        /// Time until an event counts half.
        half_life: Span,
    },
    /// Sum of the quantity, decaying likewise. Takes no window.
    DecayedSum {
        /// Time until an event counts half.
        half_life: Span,
    },
    /// The event's quantity over the mean of the others; missing without others, or when their mean is 0.
    Ratio,
    /// The event's quantity less the mean of the others, over their standard deviation; missing with fewer than two
    /// others, or when they do not differ.
    ZScore,
    /// Share of other events whose quantity is at most the event's; missing without others. Linear in their number.
    Rank,
    /// Other events with exactly the event's quantity. Linear in the number of events.
    SameQuantity,
    /// Chi-square distance of first digits of the quantity from Benford's law; missing without events.
    ///
    /// Source: Benford, "The law of anomalous numbers" (1938).
    Benford,
    /// Mean time of day on the circle in hours, 0 to 24, in the set's calendar; missing without events.
    HourMean,
    /// How much the times of day agree, 0 to 1; missing without events.
    HourConcentration,
    /// How unusual the event's time of day is among those of the others, in bits; missing without others.
    HourSurprise,
    /// Frauds known by now. As all measures of frauds, linear in the labels of the window.
    FraudCount,
    /// Share of frauds known by now: `(frauds + prior_frauds) / (events + prior_events)`, 0 without either. Whether labels
    /// are read from records or come as events of their own, [`crate::Labels`] says.
    FraudRate {
        /// Frauds assumed before any was seen.
        prior_frauds: f64,
        /// Events assumed before any was seen.
        prior_events: f64,
    },
    /// A quantile of the fraud share under the same prior (Beta-Binomial): both ends make an interval.
    FraudRateQuantile {
        /// Frauds assumed before any was seen, above 0.
        prior_frauds: f64,
        /// Events assumed before any was seen, more than `prior_frauds`.
        prior_events: f64,
        /// Thousandths, 1 to 999.
        permille: u16,
    },
    /// Natural logarithm of the smoothed fraud rate in the `short` last part of the window over that in the whole.
    FraudTrend {
        /// The last part.
        short: Span,
        /// Frauds assumed before any was seen, above 0.
        prior_frauds: f64,
        /// Events assumed before any was seen.
        prior_events: f64,
    },
    /// Days since the last event that is known by now to be a fraud; missing without one. Takes no window.
    SinceFraud,
    /// Whether the `k`-th last event that is at least `delay` old is known by now to be a fraud: 1 or 0, missing where
    /// there are fewer events. Takes no window. Linear in the number of labels held.
    LastLabel {
        /// 1 for the last event, up to 64.
        k: u8,
    },
    /// Kilometres from the robust centre (medians of latitude and longitude) of the places of the others; missing
    /// without others. Linear in the number of events.
    DistanceFromHome,
    /// Kilometres from the place of the last event; missing at the first. Takes no window.
    DistanceFromLast,
    /// Speed in km/h that the way from the last event asks for; missing at the first. Takes no window.
    Speed,
    /// 1 where that way cannot be made: faster than 1,000 km/h after 25 km of uncertainty are taken off. Takes no
    /// window.
    ImpossibleTravel,
}

/// What a measure is about, besides events and their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nothing else.
    Events,
    /// The quantity.
    Quantity,
    /// A field.
    Field,
    /// Labels.
    Labels,
    /// Places.
    Places,
}

impl Measure {
    /// Whether it looks at the events of a window; the others look at the whole history that is remembered.
    pub const fn takes_window(&self) -> bool {
        !matches!(
            self,
            Self::Last { .. }
                | Self::SinceFirst
                | Self::SinceLast
                | Self::IsNew { .. }
                | Self::Age { .. }
                | Self::DecayedCount { .. }
                | Self::DecayedSum { .. }
                | Self::SinceFraud
                | Self::LastLabel { .. }
                | Self::DistanceFromLast
                | Self::Speed
                | Self::ImpossibleTravel
        )
    }

    /// Whether it compares the event with earlier ones, so that the event itself can never be among them.
    pub const fn compares(&self) -> bool {
        matches!(
            self,
            Self::Surprise { .. }
                | Self::Ratio
                | Self::ZScore
                | Self::Rank
                | Self::SameQuantity
                | Self::HourSurprise
                | Self::DistanceFromHome
        ) || !self.takes_window()
    }

    pub(crate) const fn subject(&self) -> Subject {
        match self {
            Self::Sum
            | Self::Mean
            | Self::Variance
            | Self::StdDev
            | Self::Min
            | Self::Max
            | Self::Quantile { .. }
            | Self::Last { .. }
            | Self::DecayedSum { .. }
            | Self::Ratio
            | Self::ZScore
            | Self::Rank
            | Self::SameQuantity
            | Self::Benford => Subject::Quantity,
            Self::Distinct { .. }
            | Self::Entropy { .. }
            | Self::ModeShare { .. }
            | Self::TopShare { .. }
            | Self::Surprise { .. }
            | Self::DistinctGrowth { .. }
            | Self::IsNew { .. }
            | Self::Age { .. } => Subject::Field,
            Self::FraudCount
            | Self::FraudRate { .. }
            | Self::FraudRateQuantile { .. }
            | Self::FraudTrend { .. }
            | Self::SinceFraud
            | Self::LastLabel { .. } => Subject::Labels,
            Self::DistanceFromHome
            | Self::DistanceFromLast
            | Self::Speed
            | Self::ImpossibleTravel => Subject::Places,
            _ => Subject::Events,
        }
    }

    /// The field that it is about.
    pub const fn field(&self) -> Option<&Field> {
        match self {
            Self::Distinct { of }
            | Self::Entropy { of }
            | Self::ModeShare { of }
            | Self::TopShare { of, .. }
            | Self::Surprise { of }
            | Self::DistinctGrowth { of, .. }
            | Self::IsNew { of }
            | Self::Age { of } => Some(of),
            _ => None,
        }
    }

    /// The last part of the window that it looks at besides the whole.
    pub const fn short(&self) -> Option<Span> {
        match self {
            Self::DistinctGrowth { short, .. }
            | Self::Burst { short }
            | Self::FraudTrend { short, .. } => Some(*short),
            _ => None,
        }
    }

    /// Unit of the answer, the quantity being in this unit.
    pub(crate) const fn unit(&self, quantity: Unit) -> Unit {
        match self {
            Self::Count
            | Self::Distinct { .. }
            | Self::SameQuantity
            | Self::FraudCount
            | Self::DecayedCount { .. } => Unit::Count,
            Self::Rate => Unit::PerHour,
            Self::Sum
            | Self::Mean
            | Self::StdDev
            | Self::Min
            | Self::Max
            | Self::Quantile { .. }
            | Self::Last { .. }
            | Self::DecayedSum { .. } => quantity,
            Self::ModeShare { .. }
            | Self::TopShare { .. }
            | Self::DistinctGrowth { .. }
            | Self::Rank
            | Self::HourConcentration
            | Self::FraudRate { .. }
            | Self::FraudRateQuantile { .. } => Unit::Share,
            Self::SinceFirst | Self::Age { .. } | Self::SinceFraud => Unit::Day,
            Self::SinceLast | Self::GapMean | Self::HourMean => Unit::Hour,
            Self::DistanceFromHome | Self::DistanceFromLast => Unit::Kilometre,
            Self::Speed => Unit::KilometrePerHour,
            _ => Unit::One,
        }
    }

    pub(crate) const fn feature_type(&self) -> FeatureType {
        match self {
            Self::Count | Self::Distinct { .. } | Self::SameQuantity | Self::FraudCount => {
                FeatureType::Integer
            }
            Self::IsNew { .. } | Self::LastLabel { .. } | Self::ImpossibleTravel => {
                FeatureType::Flag
            }
            _ => FeatureType::Real,
        }
    }

    /// The middle of a name: `count`, `mean_amount`, `distinct_merchant`.
    pub(crate) fn name(&self, of: &Quantity) -> String {
        let quantity = match of {
            Quantity::Extra(name) => name.clone(),
            other => other.to_string(),
        };
        let field = |prefix: &str, field: &Field| match field {
            Field::Extra(name) => format!("{prefix}_{name}"),
            field => format!("{prefix}_{field}"),
        };
        match self {
            Self::Count => "count".to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Sum => format!("sum_{quantity}"),
            Self::Mean => format!("mean_{quantity}"),
            Self::Variance => format!("variance_{quantity}"),
            Self::StdDev => format!("std_{quantity}"),
            Self::Min => format!("min_{quantity}"),
            Self::Max => format!("max_{quantity}"),
            Self::Quantile { permille: 500 } => format!("median_{quantity}"),
            Self::Quantile { permille } => format!("q{permille}_{quantity}"),
            Self::Distinct { of } => field("distinct", of),
            Self::Entropy { of } => field("entropy", of),
            Self::ModeShare { of } => field("mode_share", of),
            Self::TopShare { of, k } => field(&format!("top{k}_share"), of),
            Self::Surprise { of } => field("surprise", of),
            Self::DistinctGrowth { of, short } => field("growth", of) + &format!("_{short}"),
            Self::Last { k } => format!("{quantity}_lag{k}"),
            Self::SinceFirst => "days_since_first".to_owned(),
            Self::SinceLast => "hours_since_last".to_owned(),
            Self::IsNew { of } => field("new", of),
            Self::Age { of } => field("age", of),
            Self::GapMean => "gap_mean".to_owned(),
            Self::GapVariation => "gap_variation".to_owned(),
            Self::Burst { short } => format!("burst_{short}"),
            Self::DecayedCount { half_life } => format!("decayed_count_{half_life}"),
            Self::DecayedSum { half_life } => format!("decayed_sum_{quantity}_{half_life}"),
            Self::Ratio => format!("{quantity}_ratio"),
            Self::ZScore => format!("{quantity}_zscore"),
            Self::Rank => format!("{quantity}_rank"),
            Self::SameQuantity => format!("same_{quantity}"),
            Self::Benford => "benford".to_owned(),
            Self::HourMean => "hour_mean".to_owned(),
            Self::HourConcentration => "hour_concentration".to_owned(),
            Self::HourSurprise => "hour_surprise".to_owned(),
            Self::FraudCount => "frauds".to_owned(),
            Self::FraudRate { .. } => "fraud_rate".to_owned(),
            Self::FraudRateQuantile { permille, .. } => format!("fraud_rate_q{permille}"),
            Self::FraudTrend { short, .. } => format!("fraud_trend_{short}"),
            Self::SinceFraud => "days_since_fraud".to_owned(),
            Self::LastLabel { k } => format!("label_lag{k}"),
            Self::DistanceFromHome => "distance_from_home".to_owned(),
            Self::DistanceFromLast => "distance_from_last".to_owned(),
            Self::Speed => "speed".to_owned(),
            Self::ImpossibleTravel => "impossible_travel".to_owned(),
        }
    }

    /// The beginning of a description, without entity and window.
    pub(crate) fn describe(&self, of: &Quantity) -> String {
        match self {
            Self::Count => "number of events".to_owned(),
            Self::Rate => "events per hour".to_owned(),
            Self::Sum => format!("sum of {of}"),
            Self::Mean => format!("mean {of}"),
            Self::Variance => format!("variance of {of}"),
            Self::StdDev => format!("standard deviation of {of}"),
            Self::Min => format!("smallest {of}"),
            Self::Max => format!("largest {of}"),
            Self::Quantile { permille } => {
                format!("{} % quantile of {of}", f64::from(*permille) / 10.0)
            }
            Self::Distinct { of } => format!("different values of {of}"),
            Self::Entropy { of } => format!("entropy of {of} in bits"),
            Self::ModeShare { of } => format!("share of the most frequent {of}"),
            Self::TopShare { of, k } => format!("share of the {k} most frequent values of {of}"),
            Self::Surprise { of } => format!("surprise of this {of} in bits"),
            Self::DistinctGrowth { of, short } => {
                format!("share of different values of {of} that were seen in the last {short}")
            }
            Self::Last { k } => format!("{of} {k} events ago"),
            Self::SinceFirst => "days since the first event".to_owned(),
            Self::SinceLast => "hours since the last event".to_owned(),
            Self::IsNew { of } => format!("1 where this {of} was not seen before"),
            Self::Age { of } => format!("days since this {of} was first seen"),
            Self::GapMean => "mean hours between events".to_owned(),
            Self::GapVariation => "variation of the times between events".to_owned(),
            Self::Burst { short } => format!("rate of the last {short} over the rate"),
            Self::DecayedCount { half_life } => {
                format!("number of events, halved every {half_life}")
            }
            Self::DecayedSum { half_life } => format!("sum of {of}, halved every {half_life}"),
            Self::Ratio => format!("this {of} over the mean"),
            Self::ZScore => format!("this {of} less the mean, in standard deviations"),
            Self::Rank => format!("share of events with at most this {of}"),
            Self::SameQuantity => format!("other events with exactly this {of}"),
            Self::Benford => format!("chi-square of the first digits of {of} against Benford"),
            Self::HourMean => "mean time of day".to_owned(),
            Self::HourConcentration => "agreement of the times of day".to_owned(),
            Self::HourSurprise => "surprise of this time of day in bits".to_owned(),
            Self::FraudCount => "frauds known by now".to_owned(),
            Self::FraudRate { .. } => "smoothed share of frauds known by now".to_owned(),
            Self::FraudRateQuantile { permille, .. } => format!(
                "{} % quantile of the share of frauds known by now",
                f64::from(*permille) / 10.0
            ),
            Self::FraudTrend { short, .. } => {
                format!("logarithm of the fraud rate of the last {short} over the rate")
            }
            Self::SinceFraud => "days since the last fraud known by now".to_owned(),
            Self::LastLabel { k } => format!("known label {k} events ago"),
            Self::DistanceFromHome => "distance from the centre of places".to_owned(),
            Self::DistanceFromLast => "distance from the last place".to_owned(),
            Self::Speed => "speed from the last place".to_owned(),
            Self::ImpossibleTravel => "1 where the way from the last place is too fast".to_owned(),
        }
    }
}
