//! Choices of rules against trying all of them.
#![allow(
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::{EntityId, EntityKey, EntityKind, Label, Timestamp, Unit};
use dafu_rules::optimize::{AlertBudget, Judged, SelectParams, Selection, Stability, WhyLeftOut};
use dafu_rules::{
    Action, Columns, Combination, Conflict, Moment, Row, Rule, RuleError, RuleMatrix, RuleSchema,
    RuleSet, RuleState, Variable,
};
use ndarray::Array2;
use proptest::prelude::*;

/// What rules say about events; each is a flag of the event.
fn matrix(fired: &[Vec<bool>], events: usize) -> (RuleMatrix, RuleSet) {
    let schema = RuleSchema::new((0..fired.len()).map(|rule| Variable::flag(format!("f{rule}"))));
    let rules = (0..fired.len()).map(|rule| Rule::new(format!("r{rule}"), format!("f{rule}"), 0.5));
    let rules = RuleSet::new(rules);
    let values = Array2::from_shape_fn((events, fired.len()), |(row, rule)| {
        f64::from(u8::from(fired[rule][row]))
    });
    let columns = (0..fired.len()).try_fold(Columns::new(events), |columns, rule| {
        columns.number(values.column(rule))
    });
    let engine = rules.compile(&schema.unwrap()).unwrap();
    (engine.evaluate_columns(&columns.unwrap()).unwrap(), rules)
}

/// Rules and labels.
fn past() -> impl Strategy<Value = (Vec<Vec<bool>>, Vec<Label>)> {
    (1..60_usize).prop_flat_map(|events| {
        let rule =
            proptest::collection::vec(prop_oneof![3 => Just(false), 1 => Just(true)], events);
        let labels = [Label::Fraud, Label::Legitimate, Label::Unknown];
        let label = (0..3_usize).prop_map(move |label| labels[label]);
        (
            proptest::collection::vec(rule, 1..7),
            proptest::collection::vec(label, events),
        )
    })
}

/// Alerts and frauds of rules together.
fn together(fired: &[Vec<bool>], labels: &[Label], rules: &[usize]) -> (usize, usize) {
    let alerts: Vec<usize> = (0..labels.len())
        .filter(|row| rules.iter().any(|rule| fired[*rule][*row]))
        .collect();
    let frauds = alerts.iter().filter(|row| labels[**row] == Label::Fraud);
    (alerts.len(), frauds.count())
}

/// Most frauds that any choice finds.
fn best(fired: &[Vec<bool>], labels: &[Label], (most, budget): (usize, usize)) -> usize {
    let choices = 0..1_usize << fired.len();
    let found = choices.map(|choice| {
        let rules: Vec<usize> = (0..fired.len())
            .filter(|rule| choice >> rule & 1 == 1)
            .collect();
        let (alerts, frauds) = together(fired, labels, &rules);
        if rules.len() <= most && alerts <= budget {
            frauds
        } else {
            0
        }
    });
    found.max().unwrap()
}

fn places(selection: &Selection) -> Vec<usize> {
    selection.kept.iter().map(|kept| kept.rule).collect()
}

proptest! {
    #[test]
    fn few_rules_find_nearly_as_much_as_the_best((fired, labels) in past(), most in 1..5_usize) {
        let (matrix, _) = matrix(&fired, labels.len());
        let params = SelectParams::default().max_rules(most);
        let selection = matrix.select(&Judged::new(&labels), &params).unwrap();
        let best = best(&fired, &labels, (most, usize::MAX));
        let found = selection.all.true_positives as f64;
        prop_assert!(found >= (1.0 - (-1.0_f64).exp()) * best as f64);
        prop_assert!(selection.kept.len() <= most);
        if most >= fired.len() {
            prop_assert_eq!(selection.all.true_positives, best);
        }
    }

    #[test]
    fn budgets_are_kept((fired, labels) in past(), budget in 0..40_usize, overlap in 0.0..=1.0_f64, floor in 0.0..0.6_f64) {
        let (matrix, rules) = matrix(&fired, labels.len());
        let judged = Judged::new(&labels);
        let params = SelectParams::default()
            .budget(AlertBudget::Total(budget))
            .max_overlap(overlap)
            .min_precision(floor);
        let selection = matrix.select(&judged, &params).unwrap();
        let kept = places(&selection);
        let (alerts, frauds) = together(&fired, &labels, &kept);
        prop_assert_eq!((selection.all.fired, selection.all.true_positives), (alerts, frauds));
        prop_assert!(alerts <= budget && selection.budget == Some(budget));
        prop_assert_eq!(selection.kept.iter().map(|kept| kept.added.fired).sum::<usize>(), alerts);
        // Each rule is kept or left out, once.
        let mut all = kept.clone();
        all.extend(selection.left_out.iter().map(|(rule, _)| *rule));
        all.sort_unstable();
        prop_assert_eq!(all, (0..fired.len()).collect::<Vec<_>>());
        prop_assert_eq!(selection.apply(&rules).rules.len(), kept.len());
        for (place, one) in kept.iter().enumerate() {
            let hits = selection.kept[place].hits;
            prop_assert!(floor == 0.0 || hits.precision() >= Some(floor));
            for two in &kept[..place] {
                let both = (0..labels.len()).filter(|row| fired[*one][*row] && fired[*two][*row]).count();
                let (either, _) = together(&fired, &labels, &[*one, *two]);
                prop_assert!(both as f64 <= overlap * either as f64);
            }
            // None is there for nothing.
            let others: Vec<usize> = kept.iter().copied().filter(|rule| rule != one).collect();
            prop_assert!(together(&fired, &labels, &others).1 < frauds);
        }
        for (rule, why) in &selection.left_out {
            let (alone, _) = together(&fired, &labels, &[*rule]);
            let mut with = kept.clone();
            with.push(*rule);
            let (more_alerts, more_frauds) = together(&fired, &labels, &with);
            match why {
                WhyLeftOut::NeverFires => prop_assert_eq!(alone, 0),
                WhyLeftOut::ImpliedBy(other) => {
                    prop_assert!(kept.contains(other));
                    prop_assert_eq!(together(&fired, &labels, &[*rule, *other]).0, together(&fired, &labels, &[*other]).0);
                }
                WhyLeftOut::AddsNothing => prop_assert_eq!(more_frauds, frauds),
                WhyLeftOut::OverBudget => prop_assert!(more_alerts > budget),
                WhyLeftOut::Overlaps(other) => prop_assert!(kept.contains(other)),
                WhyLeftOut::Imprecise => prop_assert!(floor > 0.0),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn rules_apart_find_half_of_the_best(
        sizes in proptest::collection::vec((0..5_usize, 0..5_usize), 1..7),
        budget in 0..30_usize,
    ) {
        let events: usize = sizes.iter().map(|(frauds, honest)| frauds + honest).sum();
        let (mut fired, mut labels) = (Vec::new(), Vec::new());
        for (frauds, honest) in sizes {
            let mut rule = vec![false; events];
            rule[labels.len()..labels.len() + frauds + honest].fill(true);
            labels.extend([Label::Fraud].repeat(frauds));
            labels.extend([Label::Legitimate].repeat(honest));
            fired.push(rule);
        }
        let (matrix, _) = matrix(&fired, events);
        let params = SelectParams::default().budget(AlertBudget::Total(budget));
        let selection = matrix.select(&Judged::new(&labels), &params).unwrap();
        prop_assert!(2 * selection.all.true_positives >= best(&fired, &labels, (usize::MAX, budget)));
    }
}

#[test]
fn reasons_are_told() {
    let fraud = Label::Fraud;
    let honest = Label::Legitimate;
    let labels = [fraud, fraud, fraud, honest, honest, fraud, honest, honest];
    let rule = |rows: &[usize]| (0..8).map(|row| rows.contains(&row)).collect::<Vec<bool>>();
    let fired = [
        rule(&[0, 1, 2, 3]),
        rule(&[0, 1]),
        rule(&[]),
        rule(&[2, 4]),
        rule(&[5, 6, 7]),
        rule(&[0, 1, 2, 5, 6]),
    ];
    let (matrix, _) = matrix(&fired, 8);
    let params = SelectParams::default()
        .budget(AlertBudget::Total(4))
        .min_precision(0.4);
    let selection = matrix.select(&Judged::new(&labels), &params).unwrap();
    assert_eq!(places(&selection), [0]);
    assert_eq!(
        selection.left_out,
        [
            (1, WhyLeftOut::ImpliedBy(0)),
            (2, WhyLeftOut::NeverFires),
            (3, WhyLeftOut::AddsNothing),
            (4, WhyLeftOut::Imprecise),
            (5, WhyLeftOut::OverBudget),
        ]
    );
    let wide = params
        .budget(AlertBudget::Unlimited)
        .max_overlap(0.3)
        .max_rules(1);
    let selection = matrix.select(&Judged::new(&labels), &wide).unwrap();
    assert_eq!(places(&selection), [5]);
    assert_eq!(selection.left_out[1], (1, WhyLeftOut::ImpliedBy(5)));
    assert_eq!(selection.budget, None);
}

#[test]
fn budgets_a_day_need_times() {
    let (matrix, _) = matrix(&[vec![true; 4]], 4);
    let labels = [Label::Fraud; 4];
    let params = SelectParams::default().budget(AlertBudget::PerDay(2.0));
    let error = matrix.select(&Judged::new(&labels), &params).unwrap_err();
    assert!(matches!(error, RuleError::NoTimes { .. }));
    let times = [0, 1, 2, 90_000].map(|second| Timestamp::from_seconds(second).unwrap());
    let judged = Judged::new(&labels).times(&times).unwrap();
    let selection = matrix.select(&judged, &params).unwrap();
    assert_eq!((selection.budget, selection.all.fired), (Some(4), 4));
    let less = SelectParams::default().budget(AlertBudget::PerDay(1.9));
    let selection = matrix.select(&judged, &less).unwrap();
    assert_eq!(selection.left_out, [(0, WhyLeftOut::OverBudget)]);
    for wrong in [
        SelectParams::default().budget(AlertBudget::PerDay(f64::NAN)),
        SelectParams::default().max_overlap(-0.1),
        SelectParams::default().min_precision(2.0),
        SelectParams::default().folds(101),
    ] {
        let error = matrix.select(&judged, &wrong).unwrap_err();
        assert!(matches!(error, RuleError::Parameter { .. }));
    }
    assert!(matches!(
        matrix.select(&Judged::new(&labels[..3]), &less),
        Err(RuleError::Row { .. })
    ));
    let unit = RuleSchema::new([Variable::number("x", Unit::One)]).unwrap();
    let none = RuleSet::default().compile(&unit).unwrap();
    let x = Array2::zeros((4, 1));
    let columns = Columns::new(4).number(x.column(0)).unwrap();
    let selection = none.select(&columns, &judged, &less).unwrap();
    assert!(selection.kept.is_empty() && selection.left_out.is_empty());
}

#[test]
fn rules_that_approve_stay_where_they_are() {
    let schema = RuleSchema::new([Variable::number("x", Unit::One)]).unwrap();
    let rules = RuleSet::new([
        Rule::new("some", "x > 6", 0.5).action(Action::Decline),
        Rule::new("known", "x == 7", 0.0).action(Action::Approve),
        Rule::new("all", "x > 4", 0.5).action(Action::Decline),
        Rule::new("none", "x > 8", 0.5).action(Action::Decline),
    ]);
    let x = Array2::from_shape_fn((10, 1), |(row, _)| row as f64);
    let columns = Columns::new(10).number(x.column(0)).unwrap();
    let labels: Vec<Label> = (0..10).map(|row| (row > 4).into()).collect();
    for conflict in [
        Conflict::ApproveOverrides,
        Conflict::First,
        Conflict::Strictest,
    ] {
        let rules = rules
            .clone()
            .conflict(conflict)
            .combination(Combination::Max);
        let engine = rules.compile(&schema).unwrap();
        let params = SelectParams::default();
        let selection = engine
            .select(&columns, &Judged::new(&labels), &params)
            .unwrap();
        assert_eq!(
            (places(&selection), &selection.approving),
            (vec![2], &vec![1])
        );
        assert!(
            selection
                .left_out
                .iter()
                .all(|(rule, _)| [0, 3].contains(rule))
        );
        let chosen = selection.apply(&rules);
        assert_eq!(
            chosen
                .rules
                .iter()
                .map(|rule| &*rule.id)
                .collect::<Vec<_>>(),
            ["known", "all"]
        );
        if conflict == Conflict::ApproveOverrides {
            let engine = chosen.compile(&schema).unwrap();
            let row = Row {
                numbers: &[7.0],
                texts: &[],
            };
            let report = engine.evaluate(row, &Moment::at(Timestamp::EPOCH)).unwrap();
            assert_eq!(report.action, Action::Approve);
        }
    }
}

#[test]
fn stability_is_told_by_parts_of_the_time() {
    let fraud = |row: usize| row.is_multiple_of(5);
    let labels: Vec<Label> = (0..400).map(|row| fraud(row).into()).collect();
    let fired = [
        // One that is right in every part, and one that is so in the first part alone, where it finds all.
        (0..400).map(|row| row % 10 == 0).collect::<Vec<bool>>(),
        (0..400)
            .map(|row| fraud(row) && row < 100 || row % 100 == 1)
            .collect(),
    ];
    let (matrix, _) = matrix(&fired, 400);
    let params = SelectParams::default().min_precision(0.5);
    let stability = |judged: &Judged<'_>, params: &SelectParams| {
        let selection = matrix.select(judged, params).unwrap();
        let mut kept = selection.kept;
        kept.sort_by_key(|kept| kept.rule);
        kept.into_iter()
            .map(|kept| kept.stability)
            .collect::<Vec<_>>()
    };
    let untimed = Judged::new(&labels);
    assert_eq!(stability(&untimed, &params), [None, None]);
    // The order of rows does not matter, only that of times.
    let times: Vec<Timestamp> = (0..400)
        .map(|row| Timestamp::from_seconds(row).unwrap())
        .collect();
    let judged = untimed.clone().times(&times).unwrap();
    let of = |folds, chosen, precise| {
        Some(Stability {
            folds,
            chosen,
            precise,
        })
    };
    assert_eq!(stability(&judged, &params), [of(4, 3, 4), of(4, 1, 1)]);
    assert_eq!(
        stability(&judged, &params.clone().folds(2)),
        [of(2, 2, 2), of(2, 1, 1)]
    );
    assert_eq!(stability(&judged, &params.clone().folds(0)), [None, None]);
    // Each part has its share of the budget: the second rule alone would need 21 of 16 alerts.
    let tight = params.budget(AlertBudget::Total(64));
    assert_eq!(stability(&judged, &tight), [of(4, 4, 4), of(4, 0, 1)]);
    // Parts without frauds say nothing.
    let none: Vec<Label> = (0..400)
        .map(|row| (row < 200 && fraud(row)).into())
        .collect();
    let judged = Judged::new(&none).times(&times).unwrap();
    let selection = matrix.select(&judged, &SelectParams::default()).unwrap();
    assert_eq!(selection.kept[0].stability.unwrap().folds, 2);
}

#[test]
fn rules_without_a_say_stay_what_they_are() {
    let schema = RuleSchema::new([Variable::number("x", Unit::One)]).unwrap();
    let rules = RuleSet::new([
        Rule::new("on_trial", "x > 4", 0.5).state(RuleState::Shadow),
        Rule::new("live", "x > 6", 0.5),
        Rule::new("needless", "x > 8", 0.5),
    ])
    .suppress("live", u1(), Timestamp::MAX)
    .suppress("needless", u1(), Timestamp::MAX);
    let x = Array2::from_shape_fn((10, 1), |(row, _)| row as f64);
    let columns = Columns::new(10).number(x.column(0)).unwrap();
    let labels: Vec<Label> = (0..10).map(|row| (row > 4).into()).collect();
    let engine = rules.compile(&schema).unwrap();
    let selection = engine
        .select(&columns, &Judged::new(&labels), &SelectParams::default())
        .unwrap();
    assert_eq!(
        (places(&selection), &selection.without_say),
        (vec![1], &vec![0])
    );
    // Whoever is silenced for a rule that is gone is not silenced any more.
    let chosen = selection.apply(&rules);
    assert!(chosen.compile(&schema).is_ok());
    let ids: Vec<&str> = chosen.rules.iter().map(|rule| &*rule.id).collect();
    assert_eq!(
        (ids, chosen.suppressions.len()),
        (vec!["on_trial", "live"], 1)
    );
}

fn u1() -> EntityKey {
    EntityKey {
        kind: EntityKind::User,
        id: EntityId::new("u1").unwrap(),
    }
}
