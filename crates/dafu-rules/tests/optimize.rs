//! Backtests and overlaps against counting row by row.
#![allow(
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp, Unit};
use dafu_rules::optimize::{Goal, Hits, Judged, WeightParams};
use dafu_rules::{
    Action, Columns, Combination, Conflict, Moment, Row, Rule, RuleEngine, RuleError, RuleSchema,
    RuleSet, RuleState, Variable,
};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

#[derive(Debug)]
struct Past {
    numbers: Array2<f64>,
    labels: Vec<Label>,
    amounts: Vec<f64>,
    times: Vec<Timestamp>,
}

impl Past {
    fn columns(&self) -> Columns<'_> {
        let columns = Columns::new(self.labels.len()).times(&self.times).unwrap();
        let columns = columns.number(self.numbers.column(0)).unwrap();
        columns.number(self.numbers.column(1)).unwrap()
    }

    fn judged(&self) -> Judged<'_> {
        Judged::new(&self.labels)
            .amounts(&self.amounts)
            .unwrap()
            .times(&self.times)
            .unwrap()
    }

    /// Whether a rule fires for an event, asked of that event alone.
    fn fires(&self, engine: &RuleEngine, rule: usize, row: usize) -> bool {
        let numbers = self.numbers.row(row).to_vec();
        let row_values = Row {
            numbers: &numbers,
            texts: &[],
        };
        let report = engine
            .evaluate(row_values, &Moment::at(self.times[row]))
            .unwrap();
        report.fired().any(|fired| fired == rule)
    }

    fn hits(&self, rows: impl Fn(usize) -> bool) -> Hits {
        let fired: Vec<usize> = (0..self.labels.len()).filter(|row| rows(*row)).collect();
        let with = |label| {
            fired
                .iter()
                .filter(|row| self.labels[**row] == label)
                .count()
        };
        Hits {
            fired: fired.len(),
            true_positives: with(Label::Fraud),
            false_positives: with(Label::Legitimate),
        }
    }
}

/// Events in order of time, or in any order: these are counted in different ways.
fn past() -> impl Strategy<Value = Past> {
    (unsorted(), any::<bool>()).prop_map(|(mut past, sorted)| {
        if sorted {
            past.times.sort();
        }
        past
    })
}

fn unsorted() -> impl Strategy<Value = Past> {
    let event = (
        0..12_u32,
        prop_oneof![Just(f64::NAN), (0..12_u32).prop_map(f64::from)],
        0..3_usize,
        0..40_i64,
    );
    proptest::collection::vec(event, 1..150).prop_map(|events| {
        let labels = [Label::Fraud, Label::Legitimate, Label::Unknown];
        Past {
            numbers: Array2::from_shape_fn((events.len(), 2), |(row, column)| match column {
                0 => f64::from(events[row].0),
                _ => events[row].1,
            }),
            labels: events.iter().map(|event| labels[event.2]).collect(),
            amounts: events.iter().map(|event| f64::from(event.0)).collect(),
            times: events
                .iter()
                .map(|event| Timestamp::from_seconds(1_772_839_800 + event.3 * 43_200).unwrap())
                .collect(),
        }
    })
}

fn schema() -> RuleSchema {
    RuleSchema::new([
        Variable::number("a", Unit::Kilometre),
        Variable::number("b", Unit::One).nullable(),
    ])
    .unwrap()
}

fn engine(thresholds: &[(u32, u32)]) -> RuleEngine {
    let schema = schema();
    let rules = thresholds
        .iter()
        .enumerate()
        .map(|(place, (a, b))| Rule::new(place.to_string(), format!("a >= {a} and b <= {b}"), 0.5));
    RuleSet::new(rules).compile(&schema).unwrap()
}

proptest! {
    #[test]
    fn backtests_count_what_rows_say(
        past in past(),
        thresholds in proptest::collection::vec((0..13_u32, 0..13_u32), 1..5),
    ) {
        let engine = engine(&thresholds);
        let rules = thresholds.len();
        let backtest = engine.backtest(&past.columns(), &past.judged()).unwrap();
        let frauds = past.labels.iter().filter(|label| **label == Label::Fraud).count();
        let honest = past.labels.iter().filter(|label| **label == Label::Legitimate).count();
        prop_assert_eq!((backtest.events, backtest.frauds), (past.labels.len(), frauds));
        let any = |row: usize, rules: usize| (0..rules).any(|rule| past.fires(&engine, rule, row));
        prop_assert_eq!(backtest.all, past.hits(|row| any(row, rules)));
        for (rule, got) in backtest.rules.iter().enumerate() {
            let fires = |row: usize| past.fires(&engine, rule, row);
            let hits = past.hits(fires);
            prop_assert_eq!(got.hits, hits);
            prop_assert_eq!(got.marginal, past.hits(|row| fires(row) && !any(row, rule)));
            let labelled = hits.true_positives + hits.false_positives;
            let ratio = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
            prop_assert_eq!(got.precision, ratio(hits.true_positives, labelled));
            prop_assert_eq!(got.recall, ratio(hits.true_positives, frauds));
            prop_assert_eq!(got.false_positive_rate, ratio(hits.false_positives, honest));
            if let (Some(lift), Some(precision)) = (got.lift, got.precision) {
                prop_assert!((lift * frauds as f64 / (frauds + honest) as f64 - precision).abs() < 1e-12);
            }
            let fired: Vec<usize> = (0..past.labels.len()).filter(|row| fires(*row)).collect();
            let caught: f64 = fired.iter().filter(|row| past.labels[**row] == Label::Fraud).map(|row| past.amounts[*row]).sum();
            prop_assert!((got.amount_caught - caught).abs() < 1e-9);
            let times = || fired.iter().map(|row| past.times[*row]);
            prop_assert_eq!(got.fired_between, times().min().zip(times().max()));
            prop_assert_eq!(got.weeks.iter().map(|week| week.events).sum::<usize>(), past.labels.len());
            prop_assert_eq!(got.weeks.iter().map(|week| week.hits.fired).sum::<usize>(), hits.fired);
            prop_assert_eq!(got.weeks.iter().map(|week| week.hits.true_positives).sum::<usize>(), hits.true_positives);
            prop_assert!(got.drift.is_none_or(|drift| (0.0..=1.0).contains(&drift)));
        }
    }

    #[test]
    fn overlaps_are_those_of_sets(
        past in past(),
        thresholds in proptest::collection::vec((0..13_u32, 0..13_u32), 1..6),
    ) {
        let engine = engine(&thresholds);
        let overlap = engine.overlap(&past.columns()).unwrap();
        let rows = past.labels.len();
        let sets: Vec<Vec<usize>> = (0..thresholds.len())
            .map(|rule| (0..rows).filter(|row| past.fires(&engine, rule, *row)).collect())
            .collect();
        let fired: Vec<usize> = (0..sets.len()).filter(|rule| !sets[*rule].is_empty()).collect();
        prop_assert_eq!(overlap.pairs.len(), fired.len() * fired.len().saturating_sub(1) / 2);
        prop_assert_eq!(overlap.never_fired.len(), sets.len() - fired.len());
        for pair in &overlap.pairs {
            let (left, right) = (&sets[pair.left], &sets[pair.right]);
            let both = left.iter().filter(|row| right.contains(row)).count();
            prop_assert_eq!(pair.both, both);
            prop_assert!((pair.jaccard - both as f64 / (left.len() + right.len() - both) as f64).abs() < 1e-12);
            prop_assert!((pair.left_in_right - both as f64 / left.len() as f64).abs() < 1e-12);
            prop_assert!((pair.right_in_left - both as f64 / right.len() as f64).abs() < 1e-12);
        }
        for rule in fired {
            let before = |row: &usize| (0..rule).any(|other| sets[other].contains(row));
            prop_assert_eq!(overlap.never_added.contains(&rule), sets[rule].iter().all(before));
        }
        for (rule, other) in &overlap.implied {
            prop_assert!(sets[*rule].iter().all(|row| sets[*other].contains(row)));
        }
    }

    #[test]
    fn sweeps_are_backtests_of_changed_rules(past in past(), current in 0..12_u32) {
        let condition = format!("a >= {current}000m and b <= 5 or b > 10");
        let set = RuleSet::new([Rule::new("r", condition, 0.5)]);
        let sweep = set.sweep(("r", 0), &schema(), &past.columns(), (&past.judged(), None)).unwrap();
        prop_assert_eq!(sweep.current, f64::from(current) * 1000.0);
        prop_assert!(sweep.points.iter().any(|point| point.value == sweep.current));
        prop_assert!(sweep.points.is_sorted_by(|left, right| left.value < right.value));
        // Every distance there is, is tried, in metres.
        for row in 0..past.labels.len() {
            let metres = past.numbers[[row, 0]] * 1000.0;
            prop_assert!(sweep.points.iter().any(|point| (point.value - metres).abs() < 1e-6), "{}", metres);
        }
        for point in &sweep.points {
            let hits = past.hits(|row| {
                let (a, b) = (past.numbers[[row, 0]] * 1000.0, past.numbers[[row, 1]]);
                a >= point.value && b <= 5.0 || b > 10.0
            });
            prop_assert_eq!(point.hits, hits);
        }
        let budget = past.labels.len() / 3;
        let within = sweep.points.iter().filter(|point| point.hits.fired <= budget);
        let most = within.map(|point| point.hits.true_positives).max();
        prop_assert_eq!(sweep.best(Goal::AlertBudget(budget)).map(|point| point.hits.true_positives), most);
        for pair in sweep.pareto().windows(2) {
            prop_assert!(pair[0].hits.fired < pair[1].hits.fired);
            prop_assert!(pair[0].hits.true_positives < pair[1].hits.true_positives);
        }
    }

    #[test]
    fn decisions_of_many_are_those_of_each(
        past in past(),
        rules in proptest::collection::vec((0..13_u32, 0..5_usize, 0..3_i32, 0..4_usize), 1..6),
        combination in 0..4_usize,
        conflict in 0..3_usize,
    ) {
        let set = set_of(&rules, combination, conflict);
        let engine = set.compile(&schema()).unwrap();
        let matrix = engine.evaluate_columns(&past.columns()).unwrap();
        let decisions = engine.decisions(&matrix);
        let other = set_of(&rules[..1], combination, conflict).compile(&schema()).unwrap();
        let what_if = engine.what_if(&past.columns(), (&other, &past.columns()), &past.judged()).unwrap();
        let mut changed = 0;
        for row in 0..past.labels.len() {
            let numbers = past.numbers.row(row).to_vec();
            let values = Row { numbers: &numbers, texts: &[] };
            let moment = Moment::at(past.times[row]);
            let report = engine.evaluate(values, &moment).unwrap();
            prop_assert_eq!(decisions.risk_scores[row].to_bits(), report.risk_score.get().to_bits());
            prop_assert_eq!(decisions.decided_by[row].map(|place| place as usize), report.decided_by);
            prop_assert_eq!(&engine.action_of(decisions.decided_by[row]), &report.action);
            let then = other.evaluate(values, &moment).unwrap();
            if then.action != report.action {
                changed += 1;
                let transition = what_if.transitions.iter().find(|transition| {
                    (&transition.from, &transition.to) == (&report.action, &then.action)
                });
                prop_assert!(transition.is_some());
            }
        }
        prop_assert_eq!(what_if.changed(), changed);
        let both = what_if.stricter().chain(what_if.milder());
        prop_assert_eq!(both.map(|transition| transition.hits.fired).sum::<usize>(), changed);
    }
}

fn set_of(rules: &[(u32, usize, i32, usize)], combination: usize, conflict: usize) -> RuleSet {
    let combinations = [
        Combination::Max,
        Combination::CappedSum,
        Combination::NoisyOr,
        Combination::WeightedSum,
    ];
    let conflicts = [
        Conflict::Strictest,
        Conflict::First,
        Conflict::ApproveOverrides,
    ];
    let actions = [
        Action::Approve,
        Action::Review,
        Action::Decline,
        Action::FlagForReview,
        Action::Challenge,
    ];
    let rules = rules
        .iter()
        .enumerate()
        .map(|(place, (a, action, priority, kind))| {
            let rule = Rule::new(
                place.to_string(),
                format!("a >= {a}"),
                0.1 + 0.2 * f64::from(a % 4),
            )
            .action(actions[*action].clone())
            .weight(f64::from(a % 3))
            .priority(*priority);
            match kind {
                0 => rule.state(RuleState::Shadow),
                1 => rule.effective(Some(Timestamp::from_seconds(1_773_000_000).unwrap()), None),
                _ => rule,
            }
        });
    RuleSet::new(rules)
        .combination(combinations[combination])
        .conflict(conflicts[conflict])
}

#[test]
fn what_cannot_be_swept_is_an_error() {
    let past = Past {
        numbers: Array2::zeros((1, 2)),
        labels: vec![Label::Fraud],
        amounts: vec![1.0],
        times: vec![Timestamp::EPOCH],
    };
    let set = RuleSet::new([Rule::new("r", "b > 2 * a / 1km", 0.5)]);
    let sweep = |rule, literal, values| {
        set.sweep(
            (rule, literal),
            &schema(),
            &past.columns(),
            (&past.judged(), values),
        )
    };
    assert!(matches!(
        sweep("x", 0, None),
        Err(RuleError::UnknownRule { .. })
    ));
    assert!(matches!(
        sweep("r", 2, None),
        Err(RuleError::Literal { literal: 2, .. })
    ));
    let error = sweep("r", 0, None).unwrap_err().to_string();
    assert!(error.contains("name values to try"), "{error}");
    let points = sweep("r", 0, Some(&[3.0, f64::NAN, -1.0])).unwrap().points;
    assert_eq!(
        points.iter().map(|point| point.value).collect::<Vec<_>>(),
        [-1.0, 2.0, 3.0]
    );
}

#[test]
fn sweeps_know_which_variable_a_number_belongs_to() {
    let hour = |event: usize| (event % 7) as f64;
    let past = Past {
        numbers: Array2::from_shape_fn((40, 2), |(event, column)| match column {
            0 => 100.0 + 25.0 * event as f64,
            _ => hour(event),
        }),
        labels: (0..40).map(|event| (event % 4 == 0).into()).collect(),
        amounts: vec![1.0; 40],
        times: vec![Timestamp::EPOCH; 40],
    };
    let schema = RuleSchema::new([
        Variable::number("amount", Unit::Money),
        Variable::number("hours", Unit::Hour),
    ])
    .unwrap();
    let values = |condition: &str, literal| {
        let set = RuleSet::new([Rule::new("r", condition, 0.5)]);
        let judged = past.judged();
        let sweep = set.sweep(("r", literal), &schema, &past.columns(), (&judged, None));
        let points = sweep.map(|sweep| sweep.points);
        points.map(|points| points.iter().map(|point| point.value).collect::<Vec<_>>())
    };
    let hours: Vec<f64> = (0..7).map(f64::from).collect();
    for (condition, literal) in [
        ("amount > 500 and hours > 1h", 1),
        ("hours > 1h and amount > 500", 0),
        ("amount > 1 and (hours < 1h) == true", 1),
        ("not (amount > 1 or 1h >= hours)", 1),
    ] {
        assert_eq!(values(condition, literal).unwrap(), hours, "{condition}");
    }
    // Of two ends of a range the other one is no reason to give up, and what never holds is left out.
    let amounts: Vec<f64> = (0..40_u32)
        .map(|event| f64::from(100 + 25 * event))
        .collect();
    for (condition, literal) in [
        ("amount between 100 and 500", 1),
        ("100 <= amount <= 500", 1),
        ("amount > 99 and amount < 500", 1),
    ] {
        let values = values(condition, literal).unwrap();
        assert!(
            amounts.iter().all(|amount| values.contains(amount)),
            "{condition}: {values:?}"
        );
    }
    let lower = values("amount between 100 and 500", 0).unwrap();
    assert_eq!((lower.first(), lower.last()), (Some(&100.0), Some(&500.0)));
}

#[test]
fn sweeps_of_windows_look_into_their_own_column() {
    let events = 12;
    let [few, many] =
        [1.0, 100.0].map(|by| Array1::from_shape_fn(events, |event| by * event as f64));
    let labels: Vec<Label> = (0..events).map(|event| (event > 6).into()).collect();
    let condition = "count(tx, by=user, within=1h) > 2 and count(tx, by=user, within=7d) > 1";
    let set = RuleSet::new([Rule::new("r", condition, 0.5)]);
    let columns = Columns::new(events).number(few.view()).unwrap();
    let columns = columns.number(many.view()).unwrap();
    let schema = RuleSchema::default();
    let sweep = set.sweep(("r", 1), &schema, &columns, (&Judged::new(&labels), None));
    let last = sweep.unwrap().points.last().map(|point| point.value);
    assert_eq!(last, Some(1100.0));
}

#[test]
fn weeks_begin_at_midnight_before_the_first_event() {
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let past = Past {
        numbers: Array2::zeros((4, 2)),
        labels: vec![
            Label::Fraud,
            Label::Legitimate,
            Label::Unknown,
            Label::Fraud,
        ],
        amounts: vec![5.0, 6.0, 7.0, f64::NAN],
        times: [
            "2026-03-01T23:00:00Z",
            "2026-03-07T23:59:59Z",
            "2026-03-08T00:00:00Z",
            "2026-03-10T01:00:00Z",
        ]
        .map(day)
        .into(),
    };
    let backtest = engine(&[(0, 0)])
        .backtest(&past.columns(), &past.judged())
        .unwrap();
    let rule = &backtest.rules[0];
    assert_eq!(
        rule.weeks
            .iter()
            .map(|week| (week.number, week.hits.fired))
            .collect::<Vec<_>>(),
        [(0, 2), (1, 2)]
    );
    assert_eq!(rule.alerts_per_day, Some(0.4));
    assert_eq!(
        (
            rule.hits.unlabelled(),
            rule.amount_caught,
            rule.amount_share
        ),
        (1, 5.0, Some(1.0))
    );
    assert_eq!(rule.drift, Some(0.0));
    let table = backtest.to_string();
    assert!(
        table.contains("0.667") && table.ends_with("4 of 4 events, precision 0.667, recall 1.000"),
        "{table}"
    );
    assert!(
        engine(&[(0, 0)])
            .backtest(&past.columns(), &Judged::new(&past.labels[1..]))
            .is_err()
    );
}

#[test]
fn weeks_without_events_take_no_room() {
    let events = [Timestamp::MIN, Timestamp::EPOCH, Timestamp::MAX];
    for times in [events, [events[2], events[0], events[1]]] {
        let past = Past {
            numbers: Array2::zeros((3, 2)),
            labels: vec![Label::Fraud; 3],
            amounts: vec![1.0; 3],
            times: times.into(),
        };
        let backtest = engine(&[(0, 0)]).backtest(&past.columns(), &past.judged());
        let backtest = backtest.unwrap();
        let weeks = &backtest.rules[0].weeks;
        assert_eq!(weeks.len(), 3);
        assert!(weeks[0].number == 0 && weeks.is_sorted_by_key(|week| week.number));
        assert!(
            weeks
                .iter()
                .all(|week| (week.events, week.hits.fired) == (1, 1))
        );
        assert_eq!(backtest.rules[0].drift, Some(0.0));
    }
}

#[test]
fn shares_of_nothing_are_no_numbers() {
    let past = Past {
        numbers: Array2::zeros((2, 2)),
        labels: vec![Label::Legitimate, Label::Unknown],
        amounts: vec![1.0; 2],
        times: vec![Timestamp::EPOCH; 2],
    };
    let backtest = engine(&[(5, 0)]).backtest(&past.columns(), &past.judged());
    let table = backtest.unwrap().to_string();
    assert!(
        table.ends_with("0 of 2 events, precision -, recall -"),
        "{table}"
    );
}

/// A rule with dates among events whose times are said in one place only.
#[test]
fn times_are_taken_from_where_they_are_said() {
    use dafu_rules::optimize::{AlertBudget, SelectParams};
    use dafu_rules::{ListKind, Rule, RuleList, RuleSet};

    let schema = RuleSchema::new([Variable::number("amount", Unit::Money)]).unwrap();
    let day = |day: i64| Timestamp::from_seconds(day * 86_400).unwrap();
    let times: Vec<Timestamp> = (0..20).map(day).collect();
    let amounts = Array1::from_elem(20, 50.0);
    let labels: Vec<Label> = (0..20).map(|row| Label::from(row % 2 == 0)).collect();
    let set = RuleSet::new([
        Rule::new("dated", "amount > 10", 0.5).effective(Some(day(5)), None),
        Rule::new("undated", "amount > 10", 0.5),
    ]);
    let engine = set.compile(&schema).unwrap();
    let columns = || Columns::new(20).number(amounts.view()).unwrap();
    let judged = || Judged::new(&labels);
    let fired = |columns: &Columns<'_>, judged: &Judged<'_>| {
        let backtest = engine.backtest(columns, judged).unwrap();
        let rules = backtest.rules.iter();
        rules
            .map(|rule| (rule.hits.fired, rule.alerts_per_day.is_some()))
            .collect::<Vec<_>>()
    };
    let expected = [(15, true), (20, true)];
    let timed = columns().times(&times).unwrap();
    assert_eq!(fired(&timed, &judged()), expected);
    assert_eq!(
        fired(&columns(), &judged().times(&times).unwrap()),
        expected
    );
    let budget = SelectParams::default().budget(AlertBudget::PerDay(100.0));
    assert!(engine.select(&timed, &judged(), &budget).is_ok());

    let nowhere = engine
        .backtest(&columns(), &judged())
        .unwrap_err()
        .to_string();
    assert_eq!(
        nowhere,
        "events have no times, without which there is no rule with dates, nor a member of a list that leaves: give them, or \
         choose something else"
    );
    let leaves = RuleSet::new([Rule::new("listed", "amount > 10", 0.5)])
        .list(RuleList::new("names", ListKind::Watch).entry("x", Some(day(9))));
    assert!(
        leaves
            .compile(&schema)
            .unwrap()
            .evaluate_columns(&columns())
            .is_err()
    );
}

#[test]
fn sweeps_leave_other_rules_and_their_silence_alone() {
    let past = Past {
        numbers: Array2::from_shape_fn((10, 1), |(row, _)| row as f64 / 10.0),
        labels: (0..10).map(|row| (row > 6).into()).collect(),
        amounts: vec![1.0; 10],
        times: vec![Timestamp::EPOCH; 10],
    };
    let schema = RuleSchema::new([Variable::number("share", Unit::Share)]).unwrap();
    let set = RuleSet::new([
        Rule::new("large", "share > 0.5", 0.5),
        Rule::new("huge", "share > 0.8", 0.5),
    ])
    .suppress("huge", u1(), Timestamp::MAX);
    let columns = Columns::new(10).number(past.numbers.column(0)).unwrap();
    let sweep = set.sweep(("large", 0), &schema, &columns, (&past.judged(), None));
    let sweep = sweep.unwrap();
    assert_eq!(sweep.current, 0.5);
    let values: Vec<f64> = sweep.points.iter().map(|point| point.value).collect();
    assert!(values.contains(&0.3) && values.contains(&0.9), "{values:?}");
}

#[test]
fn rules_that_approve_find_no_fraud() {
    let past = Past {
        numbers: Array2::from_shape_fn((10, 2), |(row, _)| row as f64),
        labels: (0..10).map(|row| (row > 6).into()).collect(),
        amounts: vec![1.0; 10],
        times: vec![Timestamp::EPOCH; 10],
    };
    let set = RuleSet::new([
        Rule::new("known", "a > 5km", 0.0).action(Action::Approve),
        Rule::new("live", "a > 6km", 0.5),
    ]);
    let engine = set.compile(&schema()).unwrap();
    let backtest = engine.backtest(&past.columns(), &past.judged()).unwrap();
    assert_eq!(backtest.rules[0].marginal, Hits::default());
    assert_eq!(
        (
            backtest.rules[1].marginal.true_positives,
            backtest.all.fired
        ),
        (3, 3)
    );
    let overlap = engine.overlap(&past.columns()).unwrap();
    assert!(overlap.never_added.is_empty() && overlap.implied.is_empty());
    let weights = engine
        .weights(&past.columns(), &past.judged(), &WeightParams::default())
        .unwrap();
    assert!(
        weights.points[0] == 0 && weights.points[1] > 0,
        "{weights:?}"
    );
}

fn u1() -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: EntityId::new("u1").unwrap(),
    }
}
