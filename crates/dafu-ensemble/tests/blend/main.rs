//! Blends: what is learned where, what stays, and what is saved.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

#[cfg(feature = "serde")]
mod saved;

use dafu_ensemble::combine::{
    Blend, BlendFolds, BlendParams, Combination, Combiner, GreedyParams, Max, MemberScale,
    MemberScores, StackParams, Vote, VoteKind, VoteWeights,
};
use dafu_ensemble::select::{Fold, Metric, TimeFolds, validate};
use dafu_ensemble::{BoostedTreesParams, Classifier, EnsembleError, Learner, Samples};
use ndarray::{Array2, ArrayView2};
use std::sync::Mutex;

/// Answers with one column; says how many rows each was learned from.
#[derive(Debug, Clone)]
struct Column {
    place: usize,
    width: usize,
    learned: &'static Mutex<Vec<usize>>,
}

impl Column {
    fn new(column: usize) -> Self {
        Self {
            place: column,
            width: 3,
            learned: Box::leak(Box::default()),
        }
    }
}

impl Learner for Column {
    fn learn(&self, samples: &Samples<'_>) -> Result<Box<dyn Classifier>, EnsembleError> {
        self.learned.lock().unwrap().push(samples.rows().nrows());
        Ok(Box::new(self.clone()))
    }
}

impl Classifier for Column {
    fn width(&self) -> usize {
        self.width
    }

    fn log_odds_rows(
        &self,
        rows: ArrayView2<'_, f64>,
        out: &mut [f64],
    ) -> Result<(), EnsembleError> {
        for (row, out) in rows.rows().into_iter().zip(out) {
            *out = row[self.place];
        }
        Ok(())
    }

    #[cfg(feature = "serde")]
    fn to_bytes(&self) -> Result<Vec<u8>, EnsembleError> {
        saved::to_bytes(self)
    }
}

/// 30 days of 20 rows: a good column, a fair one, a constant.
struct Data {
    rows: Array2<f64>,
    frauds: Vec<bool>,
    folds: Vec<Fold>,
}

impl Data {
    fn new() -> Self {
        let frauds: Vec<bool> = (0..600).map(|row| row * 7 % 13 == 0).collect();
        let rows = Array2::from_shape_fn((600, 3), |(row, column)| {
            let label = if frauds[row] { 1.0 } else { -1.0 };
            let noise = |step: usize| (row * step % 101) as f64 / 50.0 - 1.0;
            [label + 1.5 * noise(37), label + 2.5 * noise(53), 0.5][column]
        });
        let days: Vec<i64> = (0..600).map(|row| row / 20).collect();
        let folds = TimeFolds::default().folds(2).split(&days).unwrap();
        Self {
            rows,
            frauds,
            folds,
        }
    }

    fn samples(&self) -> Samples<'_> {
        Samples::new(self.rows.view(), &self.frauds).unwrap()
    }

    fn params(&self, combination: Combination) -> BlendParams<'static> {
        let folds = BlendFolds::Given(self.folds.clone());
        let params = BlendParams::new(combination, folds);
        let params = params.member("good", Box::new(Column::new(0)));
        let params = params.member("fair", Box::new(Column::new(1)));
        params.member("constant", Box::new(Column::new(2)))
    }
}

fn combinations() -> Vec<Combination> {
    let vote = |kind, weights: &VoteWeights| Combination::Vote {
        kind,
        weights: weights.clone(),
    };
    let mut all = vec![
        Combination::Max { ranks: false },
        Combination::Max { ranks: true },
        Combination::Stack(StackParams::default()),
        Combination::Stack(StackParams::default().ranks(true)),
    ];
    for ranks in [false, true] {
        all.push(Combination::NoisyOr {
            ranks,
            strength: 0.9,
            leak: 0.001,
        });
    }
    for kind in [VoteKind::Probability, VoteKind::LogOdds, VoteKind::Rank] {
        for weights in [
            VoteWeights::Equal,
            VoteWeights::Given(vec![1.0, 2.0, 3.0]),
            VoteWeights::Gain(1.0),
            VoteWeights::Greedy(GreedyParams::default().rounds(5)),
        ] {
            all.push(vote(kind, &weights));
        }
    }
    all
}

#[test]
fn a_blend_is_its_combination_of_scores_from_the_folds() {
    let data = Data::new();
    let learners = [0, 1, 2].map(Column::new);
    let members = learners
        .each_ref()
        .map(|own| ("column", own as &dyn Learner));
    let scores = MemberScores::learn(&members, &data.samples(), &data.folds).unwrap();
    for combination in combinations() {
        let blend = data
            .params(combination.clone())
            .fit(&data.samples())
            .unwrap();
        let combiner = combination
            .fit(&scores, &Metric::average_precision())
            .unwrap();
        let mut expected = vec![0.0; 600];
        combiner
            .combine_rows(data.rows.view(), &mut expected)
            .unwrap();
        let mut got = vec![0.0; 600];
        blend.log_odds_rows(data.rows.view(), &mut got).unwrap();
        assert_eq!(got, expected, "{combination:?}");
        let row = data.rows.row(77).to_vec();
        assert_eq!(blend.log_odds_row(&row).unwrap(), expected[77]);
    }
}

#[test]
fn members_learn_on_the_folds_and_then_from_all_rows() {
    let data = Data::new();
    let fit = |combination: Combination| {
        let member = Column::new(0);
        let params = BlendParams::new(combination, BlendFolds::Given(data.folds.clone()));
        let params = params.member("one", Box::new(member.clone()));
        params.fit(&data.samples()).unwrap();
        let mut learned = member.learned.lock().unwrap().clone();
        learned.sort_unstable();
        learned
    };
    assert_eq!(
        fit(Combination::Stack(StackParams::default())),
        [140, 140, 600]
    );
    // Nothing is fitted to scores: no fold is learned.
    assert_eq!(fit(Combination::default()), [600]);
    assert_eq!(fit(Combination::Max { ranks: true }), [140, 140, 600]);
}

#[test]
fn members_without_weight_are_left_out() {
    let data = Data::new();
    let blend = data.params(Combination::Vote {
        kind: VoteKind::Rank,
        weights: VoteWeights::Gain(1.0),
    });
    let blend = blend.fit(&data.samples()).unwrap();
    assert_eq!(blend.idle(), ["constant"]);
    let names: Vec<&str> = blend.members().map(|(name, _)| name).collect();
    assert_eq!(names, ["good", "fair"]);
    assert_eq!(blend.weights().unwrap().len(), 2);
}

#[test]
fn parts_of_a_row_add_up() {
    let data = Data::new();
    let row = data.rows.row(13).to_vec();
    for combination in [
        Combination::default(),
        Combination::Stack(StackParams::default()),
        Combination::Stack(StackParams::default().ranks(true)),
    ] {
        let blend = data.params(combination).fit(&data.samples()).unwrap();
        let parts = blend.parts(&row).unwrap();
        let intercept = match blend.combiner() {
            Combiner::Stack(stack) => stack.intercept(),
            _ => 0.0,
        };
        let sum: f64 = parts
            .iter()
            .map(|part| part.weight.unwrap() * part.input)
            .sum();
        let answer = blend.log_odds_row(&row).unwrap();
        assert!((sum + intercept - answer).abs() < 1e-12);
        assert_eq!((parts[0].name, parts[0].log_odds), ("good", row[0]));
    }
    let max = data.params(Combination::Max { ranks: false });
    let max = max.fit(&data.samples()).unwrap();
    assert_eq!(max.parts(&row).unwrap()[1].weight, None);
    assert!(matches!(
        max.parts(&row[..2]),
        Err(EnsembleError::WrongWidth {
            expected: 3,
            got: 2
        })
    ));
}

#[test]
fn a_blend_is_a_learner_of_rows_in_order() {
    let data = Data::new();
    let folds = BlendFolds::InOrder {
        folds: 2,
        test: 0.2,
        gap: 0.1,
    };
    let member = Column::new(0);
    let params = BlendParams::new(Combination::Stack(StackParams::default()), folds)
        .member("one", Box::new(member.clone()))
        .member(
            "trees",
            Box::new(BoostedTreesParams::default().n_estimators(3)),
        );
    let metrics = [Metric::roc_auc()];
    let validation = validate(&params, &data.samples(), &data.folds, &metrics).unwrap();
    assert!(validation.mean("roc_auc").unwrap() > 0.7);
    // Of 140 training rows, the folds are judged with 28 after a gap of 14, and learn from 70 and 98.
    let mut learned = member.learned.lock().unwrap().clone();
    learned.sort_unstable();
    assert_eq!(learned, [70, 70, 98, 98, 140, 140]);
    let bad = |test: f64, gap: f64| {
        let folds = BlendFolds::InOrder {
            folds: 2,
            test,
            gap,
        };
        let params = BlendParams::new(Combination::Max { ranks: true }, folds);
        let params = params.member("one", Box::new(Column::new(0)));
        assert!(params.fit(&data.samples()).is_err());
    };
    bad(0.0, 0.0);
    bad(f64::NAN, 0.0);
    bad(0.5, 0.0);
    bad(0.1, 1.0);
}

#[test]
fn members_of_unlabelled_rows_are_blended() {
    let mut data = Data::new();
    data.frauds.fill(false);
    let or = Combination::NoisyOr {
        ranks: true,
        strength: 1.0,
        leak: 0.0,
    };
    let blend = data.params(or).fit(&data.samples()).unwrap();
    assert_eq!(blend.members().len(), 3);
    let stack = data.params(Combination::Stack(StackParams::default()));
    let error = stack.fit(&data.samples()).unwrap_err();
    assert_eq!(error, EnsembleError::SingleClass { class: "honest" });
}

#[test]
fn what_is_wrong_with_members_is_said_by_name() {
    let data = Data::new();
    let blank = || BlendParams::new(Combination::default(), BlendFolds::Given(Vec::new()));
    let column = || Box::new(Column::new(0));
    assert!(blank().fit(&data.samples()).is_err());
    let twice = blank().member("one", column()).member("one", column());
    assert!(matches!(
        twice.check(),
        Err(EnsembleError::MemberName { .. })
    ));
    assert!(blank().member("", column()).check().is_err());
    let trees = BoostedTreesParams::default().n_estimators(0);
    for combination in [Combination::default(), Combination::Max { ranks: true }] {
        let params = data
            .params(combination)
            .member("bad", Box::new(trees.clone()));
        match params.fit(&data.samples()) {
            Err(EnsembleError::Member { name, .. }) => assert_eq!(name, "bad"),
            other => panic!("{other:?}"),
        }
    }
    let widths = Blend::new(
        vec![
            ("a".to_owned(), column() as Box<dyn Classifier>),
            (
                "b".to_owned(),
                Box::new(Column {
                    width: 2,
                    ..Column::new(0)
                }),
            ),
        ],
        Combiner::Max(Max::new(MemberScale::LogOdds(2)).unwrap()),
        Vec::new(),
    );
    assert!(matches!(widths, Err(EnsembleError::WrongWidth { .. })));
    let given = Combination::Vote {
        kind: VoteKind::LogOdds,
        weights: VoteWeights::Given(vec![1.0]),
    };
    let error = data.params(given).fit(&data.samples());
    assert!(matches!(error, Err(EnsembleError::MemberCount { .. })));
}

#[test]
fn a_member_that_answers_no_number_is_named_with_its_row() {
    let data = Data::new();
    let mut rows = Array2::zeros((70_000, 3));
    rows[(66_000, 1)] = f64::NAN;
    let blend = data
        .params(Combination::default())
        .fit(&data.samples())
        .unwrap();
    let error = blend.log_odds_rows(rows.view(), &mut vec![0.0; 70_000]);
    assert!(matches!(
        error,
        Err(EnsembleError::MemberScore {
            row: 66_000,
            member: 1,
            ..
        })
    ));
}

#[test]
fn one_member_alone_keeps_its_answers() {
    let data = Data::new();
    let vote = Vote::new(VoteKind::LogOdds, MemberScale::LogOdds(1), &[1.0]).unwrap();
    let members = vec![(
        "one".to_owned(),
        Box::new(Column::new(1)) as Box<dyn Classifier>,
    )];
    let blend = Blend::new(members, Combiner::Vote(vote), Vec::new()).unwrap();
    let mut out = vec![0.0; 600];
    blend.log_odds_rows(data.rows.view(), &mut out).unwrap();
    assert_eq!(out, data.rows.column(1).to_vec());
}

#[test]
fn threads_do_not_change_a_blend() {
    let data = Data::new();
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let trees = BoostedTreesParams::default().n_estimators(4);
            let params = data.params(Combination::Stack(StackParams::default()));
            let blend = params
                .member("trees", Box::new(trees))
                .fit(&data.samples())
                .unwrap();
            let mut out = vec![0.0; 600];
            blend.log_odds_rows(data.rows.view(), &mut out).unwrap();
            (out, blend.combiner().clone())
        })
    };
    assert_eq!(fit(1), fit(2));
    assert_eq!(fit(1), fit(6));
}

#[test]
fn models_and_parameters_go_between_threads() {
    fn all<T: Send + Sync>() {}
    all::<Blend>();
    all::<BlendParams<'_>>();
    all::<Combiner>();
}

#[test]
fn each_week_is_combined_by_what_was_fitted_to_the_others() {
    let data = Data::new();
    let learners = [0, 1, 2].map(Column::new);
    let members = learners
        .each_ref()
        .map(|own| ("column", own as &dyn Learner));
    let scores = MemberScores::learn(&members, &data.samples(), &data.folds).unwrap();
    let metric = Metric::average_precision();
    for combination in combinations() {
        let found = combination.fit_to_others(&scores, &metric).unwrap();
        assert_eq!(found.len(), scores.weeks().len());
        for (week, found) in found.iter().enumerate() {
            // By hand: all weeks but one.
            let others = scores.weeks().iter().enumerate();
            let others = others.filter(|(other, _)| *other != week);
            let others: Vec<_> = others.map(|(_, scores)| scores.clone()).collect();
            let frauds = others.iter().flat_map(|week| &week.frauds);
            assert!(frauds.filter(|fraud| **fraud).count() >= 10);
            let expected = combination.fit(&MemberScores::new(others).unwrap(), &metric);
            assert_eq!(*found, expected.unwrap());
        }
    }
    // One week has no others.
    let one = MemberScores::new(scores.weeks()[..1].to_vec()).unwrap();
    let stack = Combination::Stack(StackParams::default());
    let found = stack.fit_to_others(&one, &metric).unwrap();
    assert_eq!(found, [stack.fit(&one, &metric).unwrap()]);
}
