//! Sets that are good to begin with.

use super::event_feature::EventFeature;
use super::feature::{Derived, Feature};
use super::feature_set::FeatureSet;
use super::field::{Field, Key, Quantity, RecordKind};
use super::span::Span;
use super::window::Window;
use super::window_measure::Measure;
use dafu_core::FeatureGroup;

const HOUR: Span = Span::hours(1);
const DAY: Span = Span::days(1);
const WEEK: Span = Span::days(7);
const MONTH: Span = Span::days(30);
const FOUR_WEEKS: Span = Span::days(28);

/// Priors of fraud rates: one fraud in a hundred, worth ten events.
const PRIOR: (f64, f64) = (0.1, 10.0);

fn over(by: impl Into<Key>, measure: Measure, within: Span) -> Feature {
    Window::new(by, measure).within(within).into()
}

fn ever(by: impl Into<Key>, measure: Measure) -> Feature {
    Window::new(by, measure).into()
}

fn fraud_rate(by: Field, within: Span, delay: Span) -> Feature {
    let (prior_frauds, prior_events) = PRIOR;
    let measure = Measure::FraudRate {
        prior_frauds,
        prior_events,
    };
    Window::new(by, measure).within(within).delay(delay).into()
}

/// A key of two fields; the first alone where both are the same.
fn pair(first: Field, second: Field) -> Key {
    let key = Key::from(first);
    key.and(second).unwrap_or(key)
}

impl FeatureSet {
    /// The features of the Fraud Detection Handbook: twelve windows, the amount, and flags for weekend and night.
    ///
    /// Labels are known seven days after the event. The night is before seven in the morning, UTC.
    ///
    /// Source: Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection -
    /// Practical Handbook" (2022), chapter 3.
    pub fn handbook() -> Self {
        let delay = WEEK;
        let windows = [DAY, WEEK, MONTH];
        let user = |measure: Measure| windows.map(|w| over(Field::User, measure.clone(), w));
        let merchant = |measure: Measure| {
            windows.map(|within| {
                let window = Window::new(Field::Merchant, measure.clone());
                Feature::from(window.within(within).delay(delay))
            })
        };
        let rate = Measure::FraudRate {
            prior_frauds: 0.0,
            prior_events: 0.0,
        };
        Self::new(RecordKind::Transaction)
            .labels(super::Labels::AfterDelay(delay))
            .features(user(Measure::Count))
            .features(user(Measure::Mean))
            .features(merchant(Measure::Count))
            .features(merchant(rate))
            .features([
                EventFeature::Value(Quantity::Amount),
                EventFeature::Weekend,
                EventFeature::Night,
            ])
    }

    /// A good default for transactions: amounts, times, and what user, merchant, device and network did before, with
    /// labels that take seven days to become known.
    ///
    /// Fields that a source does not have leave their features missing; the rest is not touched by it. Where labels
    /// stand on the records, set [`super::Labels::AfterDelay`].
    pub fn standard() -> Self {
        Self::standard_with_delay(WEEK)
    }

    /// As [`FeatureSet::standard`], with labels that take this long to become known.
    pub fn standard_with_delay(label_delay: Span) -> Self {
        Self::new(RecordKind::Transaction)
            .features(event_features())
            .features(user_counts())
            .features(user_amounts())
            .features(user_habits())
            .features(places())
            .features(merchant(label_delay))
            .features(devices(label_delay))
            .features(peers(label_delay))
    }

    /// A good default for behaviour events: how often, at what times, which actions, devices and places.
    pub fn behavior() -> Self {
        let user = || Field::User;
        let action = || pair(Field::User, Field::Action);
        let fields = [Field::Action, Field::Device, Field::Location];
        let new = fields.clone().map(|of| ever(user(), Measure::IsNew { of }));
        let age = fields.clone().map(|of| ever(user(), Measure::Age { of }));
        let distinct = fields
            .clone()
            .map(|of| over(user(), Measure::Distinct { of }, DAY));
        let surprise = fields.map(|of| over(user(), Measure::Surprise { of }, MONTH));
        Self::new(RecordKind::BehaviorEvent)
            .features([EventFeature::HourSin, EventFeature::HourCos])
            .features([EventFeature::Weekend, EventFeature::Night])
            .features([HOUR, DAY, WEEK].map(|w| over(user(), Measure::Count, w)))
            .features([HOUR, DAY].map(|w| over(action(), Measure::Count, w)))
            .feature(ever(user(), Measure::SinceFirst))
            .feature(ever(user(), Measure::SinceLast))
            .feature(ever(action(), Measure::SinceLast))
            .feature(over(user(), Measure::GapMean, WEEK))
            .feature(over(user(), Measure::GapVariation, WEEK))
            .feature(over(user(), Measure::Burst { short: HOUR }, WEEK))
            .features(new)
            .features(age)
            .features(distinct)
            .features(surprise)
            .feature(over(user(), Measure::Entropy { of: Field::Action }, WEEK))
            .feature(over(user(), Measure::HourSurprise, MONTH))
            .feature(over(user(), Measure::HourConcentration, MONTH))
            .feature(over(
                Field::Device,
                Measure::Distinct { of: Field::User },
                WEEK,
            ))
            .feature(over(
                Field::Location,
                Measure::Distinct { of: Field::User },
                WEEK,
            ))
            .feature(over(user(), Measure::Mean, MONTH))
            .feature(over(user(), Measure::ZScore, MONTH))
    }

    /// A good default for daily summaries: each day against the weeks before it.
    pub fn daily() -> Self {
        let user = || Field::User;
        let of = |quantity: Quantity, measure: Measure, within: Span| {
            Feature::from(Window::new(user(), measure).of(quantity).within(within))
        };
        let lag = |quantity: Quantity, k: u8| {
            Feature::from(Window::new(user(), Measure::Last { k }).of(quantity))
        };
        let mut set = Self::new(RecordKind::DailySummary).features([
            EventFeature::Value(Quantity::Amount),
            EventFeature::Value(Quantity::TransactionCount),
            EventFeature::Value(Quantity::RiskScore),
            EventFeature::Weekday,
            EventFeature::Weekend,
            EventFeature::DayOfMonth,
        ]);
        for quantity in [
            Quantity::Amount,
            Quantity::TransactionCount,
            Quantity::RiskScore,
        ] {
            set = set
                .features([WEEK, FOUR_WEEKS].map(|w| of(quantity.clone(), Measure::Mean, w)))
                .feature(of(quantity.clone(), Measure::StdDev, FOUR_WEEKS))
                .feature(of(quantity.clone(), Measure::Max, FOUR_WEEKS))
                .feature(of(quantity.clone(), Measure::Ratio, WEEK))
                .feature(of(quantity.clone(), Measure::ZScore, FOUR_WEEKS))
                .feature(of(quantity.clone(), Measure::Rank, FOUR_WEEKS))
                .features([1, 7].map(|k| lag(quantity.clone(), k)));
        }
        set.feature(over(user(), Measure::Count, FOUR_WEEKS))
            .feature(ever(user(), Measure::SinceLast))
            .feature(ever(user(), Measure::SinceFirst))
            .feature(
                Feature::from(Derived::Ratio {
                    of: "user_mean_amount_7d".to_owned(),
                    over: "user_mean_amount_28d".to_owned(),
                })
                .named("amount_trend"),
            )
    }
}

fn event_features() -> Vec<EventFeature> {
    vec![
        EventFeature::Value(Quantity::Amount),
        EventFeature::LogAmount,
        EventFeature::Cents,
        EventFeature::RoundAmount { step: 10 },
        EventFeature::TrailingZeros,
        EventFeature::JustBelow {
            limits: vec![100.0, 250.0, 500.0, 1000.0, 3000.0, 5000.0, 10_000.0],
            share: 0.05,
        },
        EventFeature::HourSin,
        EventFeature::HourCos,
        EventFeature::Weekday,
        EventFeature::Weekend,
        EventFeature::Night,
        EventFeature::Holiday,
        EventFeature::HomeDistance,
        EventFeature::IpNotPublic,
        EventFeature::Bot,
        EventFeature::Mobile,
    ]
}

fn user_counts() -> Vec<Feature> {
    let user = || Field::User;
    let mut features = vec![
        over(user(), Measure::Rate, HOUR).named("transactions_per_hour"),
        ever(user(), Measure::SinceFirst),
        ever(user(), Measure::SinceLast),
        over(user(), Measure::GapMean, MONTH),
        over(user(), Measure::GapVariation, MONTH),
        over(user(), Measure::Burst { short: DAY }, MONTH),
        ever(user(), Measure::DecayedCount { half_life: DAY }),
        over(Field::Card, Measure::Count, HOUR),
        over(Field::Card, Measure::Count, DAY),
    ];
    features.extend([HOUR, DAY, WEEK, MONTH].map(|w| over(user(), Measure::Count, w)));
    features
}

fn user_amounts() -> Vec<Feature> {
    let user = || Field::User;
    let category = || pair(Field::User, Field::Category);
    let mut features: Vec<Feature> = Vec::new();
    features.extend([DAY, WEEK].map(|w| over(user(), Measure::Sum, w)));
    features.extend([DAY, WEEK, MONTH].map(|w| over(user(), Measure::Mean, w)));
    features.extend([
        over(user(), Measure::StdDev, MONTH),
        over(user(), Measure::Max, MONTH),
        over(user(), Measure::Quantile { permille: 500 }, MONTH),
        over(user(), Measure::Ratio, WEEK),
        over(user(), Measure::Ratio, MONTH),
        over(user(), Measure::ZScore, MONTH),
        over(user(), Measure::Rank, MONTH),
        over(user(), Measure::SameQuantity, DAY),
        over(user(), Measure::Benford, MONTH),
        ever(user(), Measure::Last { k: 1 }),
        ever(user(), Measure::DecayedSum { half_life: DAY }),
        over(category(), Measure::Count, MONTH),
        over(category(), Measure::Ratio, MONTH),
    ]);
    features
}

fn user_habits() -> Vec<Feature> {
    let user = || Field::User;
    let new = [
        Field::Merchant,
        Field::Category,
        Field::Device,
        Field::Country,
        Field::Currency,
    ];
    let age = [Field::Merchant, Field::Device];
    let mut features: Vec<Feature> = Vec::new();
    features.extend(new.map(|of| ever(user(), Measure::IsNew { of })));
    features.extend(age.map(|of| ever(user(), Measure::Age { of })));
    features.extend([
        over(
            user(),
            Measure::Distinct {
                of: Field::Merchant,
            },
            DAY,
        ),
        over(
            user(),
            Measure::Distinct {
                of: Field::Merchant,
            },
            MONTH,
        ),
        over(
            user(),
            Measure::ModeShare {
                of: Field::Merchant,
            },
            MONTH,
        ),
        over(
            user(),
            Measure::Entropy {
                of: Field::Category,
            },
            MONTH,
        ),
        over(
            user(),
            Measure::Surprise {
                of: Field::Category,
            },
            MONTH,
        ),
        over(user(), Measure::Distinct { of: Field::Device }, MONTH),
        over(user(), Measure::Distinct { of: Field::Ip }, DAY),
        over(user(), Measure::Distinct { of: Field::Country }, DAY),
        over(user(), Measure::HourSurprise, MONTH),
        over(user(), Measure::HourConcentration, MONTH),
        Feature::from(Derived::Distance {
            of: vec![
                "user_amount_zscore_30d".to_owned(),
                "user_hour_surprise_30d".to_owned(),
                "user_surprise_category_30d".to_owned(),
            ],
        })
        .named("profile_distance"),
    ]);
    features
}

fn places() -> Vec<Feature> {
    vec![
        over(Field::User, Measure::DistanceFromHome, MONTH).named("distance_from_home"),
        ever(Field::User, Measure::DistanceFromLast),
        ever(Field::User, Measure::Speed),
        ever(Field::User, Measure::ImpossibleTravel),
    ]
}

fn merchant(delay: Span) -> Vec<Feature> {
    let merchant = || Field::Merchant;
    let (prior_frauds, prior_events) = PRIOR;
    let late = |measure: Measure, within: Span| {
        Feature::from(Window::new(merchant(), measure).within(within).delay(delay))
    };
    let end = |permille: u16| Measure::FraudRateQuantile {
        prior_frauds,
        prior_events,
        permille,
    };
    let mut features: Vec<Feature> = Vec::new();
    features.extend([DAY, WEEK, MONTH].map(|w| over(merchant(), Measure::Count, w)));
    features.extend([
        over(merchant(), Measure::Mean, WEEK),
        over(merchant(), Measure::ZScore, MONTH),
        over(merchant(), Measure::Burst { short: DAY }, MONTH),
        over(merchant(), Measure::Distinct { of: Field::User }, DAY),
        over(
            merchant(),
            Measure::DistinctGrowth {
                of: Field::User,
                short: DAY,
            },
            MONTH,
        ),
        ever(merchant(), Measure::SinceFirst),
    ]);
    features.extend([DAY, WEEK, FOUR_WEEKS].map(|w| fraud_rate(merchant(), w, delay)));
    features.extend([
        late(end(50), FOUR_WEEKS),
        late(end(950), FOUR_WEEKS),
        late(
            Measure::FraudTrend {
                short: WEEK,
                prior_frauds,
                prior_events,
            },
            FOUR_WEEKS,
        ),
        ever(merchant(), Measure::SinceFraud),
        Window::new(merchant(), Measure::LastLabel { k: 1 })
            .delay(delay)
            .into(),
        Window::new(merchant(), Measure::LastLabel { k: 2 })
            .delay(delay)
            .into(),
    ]);
    features
}

fn devices(delay: Span) -> Vec<Feature> {
    let users = |by: Field, within: Span| {
        over(by, Measure::Distinct { of: Field::User }, within).grouped(FeatureGroup::Network)
    };
    vec![
        over(Field::Device, Measure::Count, DAY),
        users(Field::Device, DAY),
        users(Field::Device, MONTH),
        ever(Field::Device, Measure::SinceFirst),
        fraud_rate(Field::Device, FOUR_WEEKS, delay),
        over(Field::Ip, Measure::Count, HOUR),
        users(Field::Ip, DAY),
        over(
            Field::Ip,
            Measure::DistinctGrowth {
                of: Field::User,
                short: HOUR,
            },
            DAY,
        ),
        users(Field::IpPrefix, DAY),
        fraud_rate(Field::IpPrefix, FOUR_WEEKS, delay),
    ]
}

fn peers(delay: Span) -> Vec<Feature> {
    let rate = |by: &str| format!("{by}_fraud_rate_28d_delay_{delay}");
    vec![
        fraud_rate(Field::Category, FOUR_WEEKS, delay),
        over(Field::Category, Measure::Ratio, MONTH),
        Feature::from(Derived::Ratio {
            of: rate("merchant"),
            over: rate("category"),
        })
        .named("merchant_risk_over_peers")
        .grouped(FeatureGroup::Merchant),
        fraud_rate(Field::User, FOUR_WEEKS, delay),
        ever(Field::User, Measure::SinceFraud),
    ]
}
