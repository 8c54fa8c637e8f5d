//! Batch and stream beyond plain windows of transactions: windows of tiles, behaviour events and daily summaries.
#![allow(clippy::unwrap_used, reason = "tests")]

mod oracle;
mod ways;

use dafu_core::table::ColumnData;
use dafu_core::{
    BehaviorEvent, Column, Currency, DailySummary, EntityId, Money, Role, Score, Table, Timestamp,
};
use dafu_features::{
    Definition, Feature, FeatureSet, Field, LatePolicy, Measure, Span, StateLimits,
};
use dafu_testkit::strategy::{START, busy_transaction};
use oracle::scenario::{Drawn, cases, sets};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;
use std::collections::BTreeMap;
use ways::{Kind, arrivals, cuts, same};

/// The measures that windows of tiles give.
fn measures_of_tiles() -> BoxedStrategy<Measure> {
    let plain = select(vec![
        Measure::Count,
        Measure::Rate,
        Measure::Sum,
        Measure::Mean,
        Measure::Variance,
        Measure::StdDev,
        Measure::Min,
        Measure::Max,
    ]);
    let of = select(vec![Field::Merchant, Field::User, Field::Device]);
    prop_oneof![
        8 => plain,
        1 => select(vec![0, 500, 990]).prop_map(|permille| Measure::Quantile { permille }),
        2 => of.prop_map(|of| Measure::Distinct { of }),
    ]
    .boxed()
}

/// A window cut into tiles, under what else was drawn for it.
fn cut(feature: &Feature, measure: Measure, within: Span, tiles: u16) -> Feature {
    let mut feature = feature.clone();
    if let Definition::Window(window) = &mut feature.definition {
        window.measure = measure;
        window.within = Some(window.within.unwrap_or(within).max(within));
        (window.delay, window.tiles) = (Span::ZERO, Some(tiles));
    }
    feature
}

/// Random sets in which most windows are cut into tiles, and at least one is.
fn sets_of_tiles() -> BoxedStrategy<Drawn> {
    let within = select(vec![Span::seconds(10), Span::hours(1), Span::days(30)]);
    let tiles = select(vec![2, 3, 7, 24, 1024]);
    let tiled = option::weighted(0.8, (measures_of_tiles(), within, tiles));
    (sets(), vec(tiled, 8))
        .prop_map(|(Drawn(set), tiled)| {
            let mut cut_set = set.clone();
            let features = cut_set.features.iter_mut();
            for (feature, tiled) in features.zip(tiled) {
                let Some((measure, within, tiles)) = tiled else {
                    continue;
                };
                let cut = cut(feature, measure, within, tiles);
                let alone = FeatureSet {
                    features: vec![cut.clone()],
                    ..set.clone()
                };
                // Not where tiles are too short for the bound of late events, or an entity counts itself.
                if alone.check().is_ok() {
                    *feature = cut;
                }
            }
            Drawn(cut_set)
        })
        .prop_filter("no window of tiles", |Drawn(set)| {
            set.features.iter().any(|feature| {
                matches!(&feature.definition, Definition::Window(window) if window.tiles.is_some())
            })
        })
        .boxed()
}

fn ids(kind: &'static str, most: u8) -> BoxedStrategy<EntityId> {
    let id = move |number| EntityId::new(format!("{kind}-{number}")).unwrap();
    (0..most).prop_map(id).boxed()
}

/// Amounts of few values, so that they tie.
fn amounts() -> BoxedStrategy<Money> {
    let minor = prop_oneof![6 => 0_i64..400, 1 => -300_i64..0, 1 => 0_i64..100_000_000];
    (minor, select(vec!["EUR", "EUR", "JPY", "XXX"]))
        .prop_map(|(minor, code)| Money::from_minor(minor, Currency::new(code).unwrap()))
        .boxed()
}

fn start() -> Timestamp {
    Timestamp::from_micros(START).unwrap()
}

fn behavior_events() -> BoxedStrategy<BehaviorEvent> {
    let device = option::weighted(0.75, ids("d", 2));
    let location = option::weighted(0.75, ids("l", 2));
    let amount = option::of(amounts());
    (ids("u", 3), ids("a", 3), device, location, amount)
        .prop_map(
            |(user_id, action_type, device_id, location, amount)| BehaviorEvent {
                user_id,
                timestamp: start(),
                action_type,
                device_id,
                location,
                amount,
                extras: BTreeMap::new(),
            },
        )
        .boxed()
}

fn daily_summaries() -> BoxedStrategy<DailySummary> {
    let count = prop_oneof![6 => 0_u32..4, 1 => any::<u32>()];
    let risk = option::weighted(0.75, 0_u8..=4);
    (ids("u", 3), count, amounts(), risk)
        .prop_map(|(user_id, transaction_count, daily_amount, risk)| {
            let risk_score = risk.map(|fourths| Score::new(f64::from(fourths) / 4.0).unwrap());
            DailySummary {
                timestamp: start(),
                user_id,
                transaction_count,
                daily_amount,
                risk_score,
                extras: BTreeMap::new(),
            }
        })
        .boxed()
}

fn column(name: &str, role: Role, data: ColumnData) -> Column {
    Column {
        name: name.into(),
        role,
        data,
    }
}

fn numbers(values: impl Iterator<Item = f64>) -> ColumnData {
    ColumnData::Number(values.collect())
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ColumnData {
    ColumnData::Text(values.collect())
}

/// A table of the columns that every kind of record has, and of others.
fn table<T: Kind>(
    records: &[T],
    user: fn(&T) -> &EntityId,
    amount: (&str, fn(&T) -> Option<Money>),
    others: impl IntoIterator<Item = Column>,
) -> Table {
    let times = records.iter().map(|record| Some(record.time())).collect();
    let users = records.iter().map(|record| Some(user(record).as_str()));
    let (name, amount) = amount;
    let amounts = || records.iter().map(amount);
    let currencies: Vec<_> = amounts().map(|money| Some(money?.currency())).collect();
    let codes = currencies.iter().map(|code| Some(code.as_ref()?.code()));
    let majors = amounts().map(|money| money.map_or(f64::NAN, Money::major));
    let mut columns = vec![
        column("timestamp", Role::Time, ColumnData::Time(times)),
        column("user_id", Role::User, texts(users)),
        column(name, Role::Amount, numbers(majors)),
        column("currency", Role::Currency, texts(codes)),
    ];
    columns.extend(others);
    Table::new(columns, (1..=records.len() as u64).collect()).unwrap()
}

impl Kind for BehaviorEvent {
    fn line(&self) -> String {
        format!("{self:?}")
    }

    fn place(&mut self, _: usize, at: Timestamp) {
        self.timestamp = at;
    }

    fn table(records: &[Self]) -> Table {
        let all = || records.iter();
        let actions = all().map(|event| Some(event.action_type.as_str()));
        let devices = all().map(|event| Some(event.device_id.as_ref()?.as_str()));
        let places = all().map(|event| Some(event.location.as_ref()?.as_str()));
        let others = [
            column("action_type", Role::Category, texts(actions)),
            column("device_id", Role::Device, texts(devices)),
            column("location", Role::Category, texts(places)),
        ];
        let amount: fn(&Self) -> _ = |event| event.amount;
        table(records, |event| &event.user_id, ("amount", amount), others)
    }
}

impl Kind for DailySummary {
    fn line(&self) -> String {
        format!("{self:?}")
    }

    fn place(&mut self, _: usize, at: Timestamp) {
        self.timestamp = at;
    }

    fn table(records: &[Self]) -> Table {
        let all = || records.iter();
        let counts = all().map(|day| f64::from(day.transaction_count));
        let scores = all().map(|day| day.risk_score.map_or(f64::NAN, Score::get));
        let others = [
            column("transaction_count", Role::Numeric, numbers(counts)),
            column("risk_score", Role::Numeric, numbers(scores)),
        ];
        let amount: fn(&Self) -> _ = |day| Some(day.daily_amount);
        table(
            records,
            |day| &day.user_id,
            ("daily_amount", amount),
            others,
        )
    }
}

/// A set that comes with the crate, with bounds and without.
fn bounded(set: FeatureSet) -> BoxedStrategy<Drawn> {
    let limits = (
        select(vec![2, 5, 4096]),
        select(vec![None, Some(Span::days(1))]),
    );
    (limits, select(vec![Span::ZERO, Span::days(1)]))
        .prop_map(move |((events_per_entity, ttl), late)| {
            let limits = StateLimits {
                events_per_entity,
                ttl,
                ..StateLimits::default()
            };
            let set = set.clone().limits(limits);
            Drawn(set.lateness(late, LatePolicy::Insert))
        })
        .boxed()
}

proptest! {
    #![proptest_config(Config { cases: cases(400), failure_persistence: None, ..Config::default() })]

    #[test]
    fn windows_of_tiles_give_the_same_bits_however_events_are_handed_over(
        set in sets_of_tiles(),
        records in arrivals(busy_transaction(), 60),
        cuts in cuts(),
    ) {
        same(&set.0, &records.0, &cuts)?;
    }
}

proptest! {
    #![proptest_config(Config { cases: cases(200), failure_persistence: None, ..Config::default() })]

    #[test]
    fn behavior_events_give_the_same_bits_however_they_are_handed_over(
        set in bounded(FeatureSet::behavior()),
        records in arrivals(behavior_events(), 60),
        cuts in cuts(),
    ) {
        same(&set.0, &records.0, &cuts)?;
    }

    #[test]
    fn daily_summaries_give_the_same_bits_however_they_are_handed_over(
        set in bounded(FeatureSet::daily()),
        records in arrivals(daily_summaries(), 60),
        cuts in cuts(),
    ) {
        same(&set.0, &records.0, &cuts)?;
    }
}

#[cfg(feature = "parallel")]
#[test]
fn windows_of_tiles_give_the_same_bits_on_four_threads() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4);
    let pool = pool.build().unwrap();
    let records = ways::many(3000);
    let mut runner = TestRunner::deterministic();
    for _ in 0..10 {
        let set = sets_of_tiles().new_tree(&mut runner).unwrap().current();
        pool.install(|| same(&set.0, &records, &ways::LARGE))
            .unwrap();
    }
}
