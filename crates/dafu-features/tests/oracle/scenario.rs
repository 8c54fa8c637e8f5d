//! Random sets of features, and random things that happen to an engine.

use dafu_core::{Label, Transaction, TransactionStatus};
use dafu_features::measure::{Calendar, Date};
use dafu_features::{
    Definition, Derived, EventFeature, Feature, FeatureSet, Field, Filter, Key, Labels, LatePolicy,
    Measure, Quantity, RecordKind, Span, StateLimits, Window,
};
use dafu_testkit::strategy;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::fmt::{self, Write};

/// Cases of a property: this many, or as many as `DAFU_ORACLE_CASES` asks for.
pub fn cases(plain: u32) -> u32 {
    let asked = std::env::var("DAFU_ORACLE_CASES");
    asked
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(plain)
}

/// Lengths of windows, delays and half-lives, short to long: those of [`strategy::gaps`] and others.
fn spans() -> Vec<Span> {
    let micros = |micros| Span::from_micros(micros).unwrap();
    vec![
        micros(1),
        micros(999_999),
        Span::seconds(1),
        Span::seconds(10),
        Span::minutes(30),
        Span::hours(1),
        Span::days(1),
        Span::days(7),
        Span::days(30),
    ]
}

fn fields() -> impl Strategy<Value = Field> {
    select(vec![
        Field::Merchant,
        Field::Category,
        Field::Device,
        Field::User,
        Field::Ip,
        Field::IpPrefix,
        Field::Country,
        Field::Email,
        Field::EmailDomain,
        Field::Currency,
        Field::Card,
        Field::UserAgent,
        Field::Tenant,
        Field::Extra("text".to_owned()),
    ])
}

fn keys() -> impl Strategy<Value = Key> {
    let pair = |first, second| Key::from(first).and(second).unwrap();
    prop_oneof![
        4 => Just(Key::from(Field::User)),
        2 => Just(Key::from(Field::Merchant)),
        1 => fields().prop_map(Key::from),
        1 => Just(pair(Field::User, Field::Merchant)),
        1 => Just(pair(Field::User, Field::Category)),
        1 => Just(pair(Field::Device, Field::User)),
    ]
}

/// Every measure. Short parts and half-lives are filled in later.
fn measures() -> BoxedStrategy<Measure> {
    let plain = select(vec![
        Measure::Count,
        Measure::Rate,
        Measure::Sum,
        Measure::Mean,
        Measure::Variance,
        Measure::StdDev,
        Measure::Min,
        Measure::Max,
        Measure::SinceFirst,
        Measure::SinceLast,
        Measure::GapMean,
        Measure::GapVariation,
        Measure::Ratio,
        Measure::ZScore,
        Measure::Rank,
        Measure::SameQuantity,
        Measure::Benford,
        Measure::HourMean,
        Measure::HourConcentration,
        Measure::HourSurprise,
        Measure::FraudCount,
        Measure::SinceFraud,
        Measure::DistanceFromHome,
        Measure::DistanceFromLast,
        Measure::Speed,
        Measure::ImpossibleTravel,
    ]);
    let of_field = (0..8_u8, fields(), 1..4_u8).prop_map(|(kind, of, k)| match kind {
        0 => Measure::Distinct { of },
        1 => Measure::Entropy { of },
        2 => Measure::ModeShare { of },
        3 => Measure::TopShare { of, k },
        4 => Measure::Surprise { of },
        5 => Measure::DistinctGrowth {
            of,
            short: Span::ZERO,
        },
        6 => Measure::IsNew { of },
        _ => Measure::Age { of },
    });
    let prior = select(vec![(0.1, 10.0), (1.0, 2.0), (0.5, 3.0)]);
    let of_labels = (0..3_u8, prior, 1..1000_u16).prop_map(|(kind, prior, permille)| {
        let (prior_frauds, prior_events) = prior;
        match kind {
            0 => Measure::FraudRate {
                prior_frauds,
                prior_events,
            },
            1 => Measure::FraudRateQuantile {
                prior_frauds,
                prior_events,
                permille,
            },
            _ => Measure::FraudTrend {
                short: Span::ZERO,
                prior_frauds,
                prior_events,
            },
        }
    });
    let half_life = Span::ZERO;
    prop_oneof![
        26 => plain,
        10 => of_field,
        4 => of_labels,
        1 => Just(Measure::FraudRate { prior_frauds: 0.0, prior_events: 0.0 }),
        2 => (1..4_u8).prop_map(|k| Measure::LastLabel { k }),
        2 => (1..4_u8).prop_map(|k| Measure::Last { k }),
        2 => select(vec![0, 50, 500, 990, 1000]).prop_map(|permille| Measure::Quantile { permille }),
        1 => Just(Measure::Burst { short: Span::ZERO }),
        1 => Just(Measure::DecayedCount { half_life }),
        1 => Just(Measure::DecayedSum { half_life }),
    ]
    .boxed()
}

/// Measures that follow from counts, sums and labels of windows.
fn measures_of_sums() -> BoxedStrategy<Measure> {
    let (prior_frauds, prior_events) = (0.5, 3.0);
    let short = Span::ZERO;
    select(vec![
        Measure::Count,
        Measure::Rate,
        Measure::Sum,
        Measure::Mean,
        Measure::Variance,
        Measure::StdDev,
        Measure::GapMean,
        Measure::Ratio,
        Measure::ZScore,
        Measure::Burst { short },
        Measure::FraudCount,
        Measure::FraudRate {
            prior_frauds,
            prior_events,
        },
        Measure::FraudRateQuantile {
            prior_frauds,
            prior_events,
            permille: 950,
        },
        Measure::FraudTrend {
            short,
            prior_frauds,
            prior_events,
        },
    ])
    .boxed()
}

fn filters() -> BoxedStrategy<Filter> {
    let is = |field, value: &str| Filter::Is {
        field,
        value: value.to_owned(),
    };
    let leaf = prop_oneof![
        select(vec![
            Filter::AmountAtLeast(1.0),
            Filter::AmountAtLeast(0.1),
            Filter::AmountBelow(0.0),
            Filter::AmountBelow(2.5),
            is(Field::Merchant, "m-0"),
            is(Field::Category, "cat-1"),
            is(Field::IpPrefix, "10.0.1.0"),
            is(Field::EmailDomain, "x.example"),
            is(Field::Currency, "EUR"),
            is(Field::Extra("text".to_owned()), "x-1"),
            Filter::Status(TransactionStatus::Approved),
            Filter::Night,
            Filter::Weekend,
        ]),
        fields().prop_map(Filter::Known),
    ];
    leaf.prop_recursive(2, 6, 2, |part| {
        prop_oneof![
            part.clone().prop_map(Filter::negated),
            vec(part.clone(), 0..3).prop_map(Filter::All),
            vec(part, 0..3).prop_map(Filter::Any),
        ]
    })
    .boxed()
}

/// A window that the set takes, whatever was drawn.
fn windows(measures: BoxedStrategy<Measure>, known_after: Option<Span>) -> BoxedStrategy<Window> {
    let quantity = prop_oneof![
        3 => Just(Quantity::Amount),
        1 => Just(Quantity::Extra("number".to_owned())),
    ];
    (
        (keys(), measures, quantity),
        (
            any::<Index>(),
            any::<Index>(),
            option::weighted(0.3, any::<Index>()),
        ),
        option::of(any::<bool>()),
        option::weighted(0.3, filters()),
    )
        .prop_map(
            move |((by, measure, of), (within, short, delay), include, filter)| {
                let spans = spans();
                let at = 1 + within.index(spans.len() - 1);
                let short = spans[short.index(at)];
                let mut window = Window::new(by, with_span(measure, short)).of(of);
                let (measure, delayed) = (window.measure.clone(), window.measure.takes_window());
                if delayed {
                    window = window.within(spans[at]);
                }
                if delayed || matches!(measure, Measure::LastLabel { .. }) {
                    window.delay =
                        delay.map_or(Span::ZERO, |delay| spans[delay.index(spans.len())]);
                    if matches!(
                        measure,
                        Measure::FraudRate { .. }
                            | Measure::FraudRateQuantile { .. }
                            | Measure::FraudTrend { .. }
                            | Measure::LastLabel { .. }
                    ) {
                        window.delay = window.delay.max(known_after.unwrap_or_default());
                    }
                }
                window.include_self = include.filter(|&include| !include || !measure.compares());
                let first_time = matches!(
                    measure,
                    Measure::SinceFirst | Measure::IsNew { .. } | Measure::Age { .. }
                );
                window.filter = filter.filter(|_| !first_time);
                if let Measure::IsNew { of } | Measure::Age { of } = &measure {
                    let single = if *of == Field::User {
                        Field::Merchant
                    } else {
                        Field::User
                    };
                    window.by = Key::from(single);
                }
                window
            },
        )
        .boxed()
}

fn with_span(measure: Measure, span: Span) -> Measure {
    match measure {
        Measure::DistinctGrowth { of, .. } => Measure::DistinctGrowth { of, short: span },
        Measure::Burst { .. } => Measure::Burst { short: span },
        Measure::FraudTrend {
            prior_frauds,
            prior_events,
            ..
        } => Measure::FraudTrend {
            short: span,
            prior_frauds,
            prior_events,
        },
        Measure::DecayedCount { .. } => Measure::DecayedCount { half_life: span },
        Measure::DecayedSum { .. } => Measure::DecayedSum { half_life: span },
        other => other,
    }
}

/// A set that prints in a few lines.
#[derive(Clone)]
pub struct Drawn(pub FeatureSet);

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = &self.0;
        let (cap, ttl) = (set.limits.events_per_entity, set.limits.ttl);
        let offset = set.calendar.offset_minutes;
        writeln!(
            f,
            "{:?} {:?} cap={cap} ttl={ttl:?} offset={offset}",
            set.labels, set.lateness
        )?;
        for feature in &set.features {
            writeln!(f, "    {}: {:?}", feature.full_name(), feature.definition)?;
        }
        Ok(())
    }
}

fn labels() -> BoxedStrategy<Labels> {
    prop_oneof![
        1 => Just(Labels::Events),
        2 => select(vec![Span::ZERO, Span::seconds(1), Span::hours(1), Span::days(7)])
            .prop_map(Labels::AfterDelay),
    ]
    .boxed()
}

/// Sets of one to eight windows, `f0` to `f7`, under random rules.
pub fn sets() -> BoxedStrategy<Drawn> {
    labels().prop_flat_map(sets_with).boxed()
}

/// The same with given labels.
pub fn sets_with(labels: Labels) -> BoxedStrategy<Drawn> {
    sets_of(measures(), labels)
}

/// Sets of one kind of entity and of windows that keep nothing but sums, of all events: those that a batch takes many
/// events of at once.
pub fn sets_of_sums() -> BoxedStrategy<Drawn> {
    let sets = labels().prop_flat_map(|labels| sets_of(measures_of_sums(), labels));
    (sets, keys(), any::<bool>())
        .prop_map(|(Drawn(mut set), key, ids)| {
            for feature in &mut set.features {
                if let Definition::Window(window) = &mut feature.definition {
                    window.by = key.clone();
                    window.of = Quantity::Amount;
                    window.filter = None;
                }
            }
            if !ids {
                set.duplicates_within = Span::ZERO;
            }
            Drawn(set)
        })
        .boxed()
}

/// With two holidays among the days of the events.
fn calendar(offset: i32) -> Calendar {
    let day = strategy::START / 86_400_000_000;
    let holidays = [day + 2, day + 40].map(|day| Date::new(day).unwrap());
    let calendar = Calendar::default().offset_minutes(offset);
    holidays.into_iter().fold(calendar, Calendar::holiday)
}

/// Facts of the event itself, and features made from them.
fn facts() -> BoxedStrategy<Vec<Feature>> {
    let all = vec![
        EventFeature::Value(Quantity::Amount),
        EventFeature::LogAmount,
        EventFeature::Cents,
        EventFeature::RoundAmount { step: 10 },
        EventFeature::TrailingZeros,
        EventFeature::JustBelow {
            limits: vec![10.0, 100.0, 1000.0],
            share: 0.2,
        },
        EventFeature::Hour,
        EventFeature::HourSin,
        EventFeature::HourCos,
        EventFeature::Weekday,
        EventFeature::Weekend,
        EventFeature::Night,
        EventFeature::Holiday,
        EventFeature::DaysToHoliday,
        EventFeature::DayOfMonth,
        EventFeature::HomeDistance,
        EventFeature::IpNotPublic,
        EventFeature::Bot,
        EventFeature::Mobile,
        EventFeature::Known(Field::Device),
        EventFeature::Known(Field::Ip),
    ];
    let facts = vec(select(all), 0..=4);
    (facts, any::<[Index; 3]>())
        .prop_map(|(facts, picks)| {
            let count = facts.len();
            let fact = |(place, fact)| Feature::from(fact).named(format!("fact{place}"));
            let mut features: Vec<Feature> = (0..).zip(facts).map(fact).collect();
            if count > 0 {
                let [one, two, three] = picks.map(|pick| format!("fact{}", pick.index(count)));
                let made = [
                    Derived::Ratio {
                        of: one.clone(),
                        over: two.clone(),
                    },
                    Derived::Difference {
                        of: two.clone(),
                        less: three.clone(),
                    },
                    Derived::Distance {
                        of: vec![one, two, three],
                    },
                ];
                let made = (0..).zip(made);
                features.extend(
                    made.map(|(place, made)| Feature::from(made).named(format!("made{place}"))),
                );
            }
            features
        })
        .boxed()
}

fn sets_of(measures: BoxedStrategy<Measure>, labels: Labels) -> BoxedStrategy<Drawn> {
    let known_after = match labels {
        Labels::AfterDelay(delay) => Some(delay),
        Labels::Events => None,
    };
    let lateness = (
        select(vec![
            Span::ZERO,
            Span::seconds(10),
            Span::hours(1),
            Span::days(8),
        ]),
        prop_oneof![8 => Just(LatePolicy::Insert), 1 => Just(LatePolicy::Drop)],
    );
    let cap = prop_oneof![3 => Just(4096_u32), 1 => 1..6_u32];
    let ttl = prop_oneof![
        3 => Just(None),
        1 => select(vec![Span::seconds(1), Span::hours(1), Span::days(1), Span::days(7)])
            .prop_map(Some),
    ];
    (
        (vec(windows(measures, known_after), 1..=8), facts()),
        lateness,
        (cap, ttl),
        (select(vec![0, 0, -90, 600]), any::<u64>()),
    )
        .prop_map(
            move |((windows, facts), (bound, policy), (cap, ttl), (offset, key))| {
                let named = |(place, window)| Feature::from(window).named(format!("f{place}"));
                let set = FeatureSet::new(RecordKind::Transaction)
                    .labels(labels)
                    .lateness(bound, policy)
                    .duplicates_within(Span::days(3000))
                    .limits(StateLimits {
                        events_per_entity: cap,
                        ttl,
                        ..StateLimits::default()
                    })
                    .calendar(calendar(offset))
                    .key(key)
                    .features((0..).zip(windows).map(named).collect::<Vec<Feature>>())
                    .features(facts);
                Drawn(set)
            },
        )
        .boxed()
}

/// Something that happens. Events that are named are counted from the newest taken, so that shrinking keeps them.
#[derive(Clone)]
pub enum Step {
    /// An event, this long after the newest.
    Observe(Box<Transaction>, i64),
    /// An event, this long before the newest.
    Late(Box<Transaction>, i64),
    /// An event that came before comes again.
    Duplicate(Index),
    /// A label of an event, known from this long after the newest on.
    Label(Index, Label, i64),
    /// An event is taken back.
    Reverse(Index),
    /// A value of a field is forgotten.
    Forget(Field, u8),
    /// Memory is looked through.
    Sweep,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe(tx, gap) => write!(f, "observe +{gap} us: {}", short(tx)),
            Self::Late(tx, gap) => write!(f, "late -{gap} us: {}", short(tx)),
            Self::Duplicate(of) => write!(f, "again {of:?}"),
            Self::Label(of, label, at) => write!(f, "label {of:?} {label:?} from {at:+} us on"),
            Self::Reverse(of) => write!(f, "reverse {of:?}"),
            Self::Forget(field, number) => write!(f, "forget {field} {number}"),
            Self::Sweep => write!(f, "sweep"),
        }
    }
}

/// What a transaction has, in one line.
pub fn short(tx: &Transaction) -> String {
    let mut text = format!(
        "{} {} {} {:?}",
        tx.user_id, tx.merchant_id, tx.amount, tx.is_fraud
    );
    let ids = [
        &tx.category,
        &tx.card,
        &tx.device,
        &tx.country,
        &tx.email,
        &tx.tenant,
    ];
    for id in ids.into_iter().flatten() {
        let _ = write!(text, " {id}");
    }
    text += &tx.ip.map_or(String::new(), |ip| format!(" {ip}"));
    text += &tx
        .user_agent
        .as_deref()
        .map_or(String::new(), |agent| format!(" {agent:?}"));
    for place in [tx.user_location, tx.merchant_location] {
        text += &place.map_or(" -".to_owned(), |place| {
            format!(" ({}, {})", place.latitude(), place.longitude())
        });
    }
    text += &tx
        .status
        .map_or(String::new(), |status| format!(" {status:?}"));
    for (name, value) in &tx.extras {
        let _ = write!(text, " {name}={value:?}");
    }
    text
}

pub fn steps(most: usize) -> BoxedStrategy<Vec<Step>> {
    let known = prop_oneof![
        2 => Just(0_i64),
        2 => strategy::gaps(),
        1 => strategy::gaps().prop_map(|gap| -gap),
    ];
    let label = prop_oneof![3 => Just(Label::Fraud), 1 => Just(Label::Legitimate), 1 => Just(Label::Unknown)];
    let body = || strategy::busy_transaction().prop_map(Box::new);
    let forgettable = select(vec![
        Field::User,
        Field::Merchant,
        Field::Device,
        Field::Category,
    ]);
    let step = prop_oneof![
        24 => (body(), strategy::gaps()).prop_map(|(body, gap)| Step::Observe(body, gap)),
        8 => (body(), strategy::gaps()).prop_map(|(body, gap)| Step::Late(body, gap)),
        3 => any::<Index>().prop_map(Step::Duplicate),
        6 => (any::<Index>(), label, known).prop_map(|(of, label, at)| Step::Label(of, label, at)),
        3 => any::<Index>().prop_map(Step::Reverse),
        1 => (forgettable, 0..3_u8).prop_map(|(field, number)| Step::Forget(field, number)),
        1 => Just(Step::Sweep),
    ];
    vec(step, 1..=most).boxed()
}
