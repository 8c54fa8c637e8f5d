//! Combinations against scikit-learn, `SciPy` and brute force, and what holds for all of them.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

mod greedy;
mod rank_map;
mod stack;

use dafu_ensemble::combine::{
    Combination, Combiner, GreedyParams, Max, MemberScale, MemberScores, NoisyOr, Stack,
    StackParams, Vote, VoteKind, VoteWeights, WeekScores, weights_by_gain,
};
use dafu_ensemble::select::{Judged, Metric};
use dafu_ensemble::{BoostedTreesParams, EnsembleError, Learner, Samples};
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/combine.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| {
        rows[row][column]
    })
}

fn week(scores: Array2<f64>, frauds: &[bool]) -> WeekScores {
    WeekScores {
        rows: (0..frauds.len()).collect(),
        frauds: frauds.to_vec(),
        weights: None,
        scores,
    }
}

fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn close(got: f64, expected: f64, gap: f64) -> bool {
    (got - expected).abs() <= gap * (1.0 + expected.abs())
}

#[test]
fn a_soft_vote_is_that_of_scikit_learn() {
    let members: Vec<Vec<f64>> = fixture("member_chances");
    let (weights, expected): (Vec<f64>, Vec<f64>) =
        (fixture("vote_weights"), fixture("vote_chances"));
    let scores = matrix(&members).mapv(logit);
    let vote = Vote::new(VoteKind::Probability, MemberScale::LogOdds(3), &weights).unwrap();
    let mut out = vec![0.0; expected.len()];
    Combiner::Vote(vote)
        .combine_rows(scores.view(), &mut out)
        .unwrap();
    for (out, expected) in out.iter().zip(expected) {
        assert!(close(sigmoid(*out), expected, 1e-14));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_higher_score_of_a_member_never_lowers_an_answer(
        rows in proptest::collection::vec(proptest::array::uniform3(-30_f64..30.0), 2..20),
        weights in proptest::array::uniform3(0.0_f64..1.0),
        (member, more) in (0_usize..3, 0.0_f64..20.0),
    ) {
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let scores = Array2::from_shape_fn((rows.len(), 3), |(row, column)| rows[row][column]);
        for combiner in combiners(&scores, &weights) {
            for row in &rows {
                let before = combiner.combine_row(row).unwrap();
                let mut row = *row;
                row[member] += more;
                let after = combiner.combine_row(&row).unwrap();
                prop_assert!(before.is_finite() && after >= before - 1e-12 * before.abs(), "{combiner:?}");
            }
        }
    }

    #[test]
    fn answers_are_those_of_their_definitions(
        row in proptest::array::uniform3(-12_f64..12.0),
        weights in proptest::array::uniform3(0.01_f64..1.0),
        leak in 0.0_f64..0.5,
    ) {
        let scale = || MemberScale::LogOdds(3);
        let sum: f64 = weights.iter().sum();
        let mean = |of: fn(f64) -> f64| -> f64 {
            row.iter().zip(&weights).map(|(odds, weight)| weight / sum * of(*odds)).sum()
        };
        let vote = |kind| Combiner::Vote(Vote::new(kind, scale(), &weights).unwrap());
        let log_odds = vote(VoteKind::LogOdds).combine_row(&row).unwrap();
        prop_assert!(close(log_odds, mean(|odds| odds), 1e-12));
        let chance = vote(VoteKind::Probability).combine_row(&row).unwrap();
        prop_assert!(close(sigmoid(chance), mean(sigmoid), 1e-13));
        let or = Combiner::NoisyOr(NoisyOr::new(scale(), &weights, leak).unwrap());
        let honest: f64 = row.iter().zip(&weights).map(|(odds, strength)| 1.0 - strength * sigmoid(*odds)).product();
        let expected = 1.0 - (1.0 - leak) * honest;
        prop_assert!(close(sigmoid(or.combine_row(&row).unwrap()), expected, 1e-12));
        let max = Combiner::Max(Max::new(scale()).unwrap()).combine_row(&row).unwrap();
        prop_assert_eq!(max, row[0].max(row[1]).max(row[2]));
    }

    #[test]
    fn one_member_is_its_own_answer(scores in proptest::collection::vec(-600_f64..600.0, 1..30)) {
        let one = |kind| Combiner::Vote(Vote::new(kind, MemberScale::LogOdds(1), &[0.3]).unwrap());
        let or = Combiner::NoisyOr(NoisyOr::new(MemberScale::LogOdds(1), &[1.0], 0.0).unwrap());
        let max = Combiner::Max(Max::new(MemberScale::LogOdds(1)).unwrap());
        for combiner in [one(VoteKind::Probability), one(VoteKind::LogOdds), or, max] {
            for score in &scores {
                let got = combiner.combine_row(&[*score]).unwrap();
                prop_assert!(close(got, *score, 1e-12), "{combiner:?} {score} {got}");
            }
        }
    }
}

fn combiners(scores: &Array2<f64>, weights: &[f64; 3]) -> Vec<Combiner> {
    let scales = [
        MemberScale::LogOdds(3),
        MemberScale::ranks(scores.view(), None).unwrap(),
    ];
    let mut all = vec![Combiner::Vote(
        Vote::fit_ranks(scores.view(), weights).unwrap(),
    )];
    for scale in scales {
        let vote = |kind| Combiner::Vote(Vote::new(kind, scale.clone(), weights).unwrap());
        all.extend([
            vote(VoteKind::Probability),
            vote(VoteKind::LogOdds),
            Combiner::NoisyOr(NoisyOr::new(scale.clone(), weights, 0.01).unwrap()),
            Combiner::Max(Max::new(scale.clone()).unwrap()),
            Combiner::Stack(Stack::new(scale, weights.to_vec(), -2.0).unwrap()),
        ]);
    }
    all
}

#[test]
fn wrong_numbers_are_refused_by_name() {
    let scale = || MemberScale::LogOdds(2);
    let vote = |weights: &[f64]| Vote::new(VoteKind::LogOdds, scale(), weights);
    assert!(matches!(
        vote(&[1.0]),
        Err(EnsembleError::MemberCount { .. })
    ));
    for bad in [
        [0.0, 0.0],
        [-1.0, 2.0],
        [f64::NAN, 1.0],
        [f64::INFINITY, 1.0],
    ] {
        assert!(
            matches!(vote(&bad), Err(EnsembleError::MemberWeight { .. })),
            "{bad:?}"
        );
    }
    assert_eq!(vote(&[1e308, 1e308]).unwrap().weights(), [0.5, 0.5]);
    let rank = Vote::new(VoteKind::Rank, scale(), &[1.0, 1.0]);
    assert_eq!(rank, Err(EnsembleError::NoRankMaps));
    assert!(NoisyOr::new(scale(), &[1.5, 1.0], 0.0).is_err());
    assert!(NoisyOr::new(scale(), &[1.0, 1.0], 1.0).is_err());
    assert!(NoisyOr::new(scale(), &[0.0, 0.0], 0.1).is_err());
    assert!(Max::new(MemberScale::LogOdds(0)).is_err());
    assert!(Max::new(MemberScale::LogOdds(257)).is_err());
    assert!(Stack::new(scale(), vec![-0.1, 0.0], 0.0).is_err());
    assert!(Stack::new(scale(), vec![0.0, 0.0], f64::NAN).is_err());
    assert!(Stack::new(scale(), vec![0.0], 0.0).is_err());
    assert!(StackParams::default().l2(0.0).check().is_err());
    assert!(GreedyParams::default().bag_share(0.0).check().is_err());

    let max = Combiner::Max(Max::new(scale()).unwrap());
    assert!(matches!(
        max.combine_row(&[1.0]),
        Err(EnsembleError::MemberCount { .. })
    ));
    let nan = max.combine_row(&[1.0, f64::NAN]);
    assert!(matches!(
        nan,
        Err(EnsembleError::MemberScore {
            row: 0,
            member: 1,
            ..
        })
    ));
    let mut short = [0.0];
    let rows = array![[1.0, 2.0], [3.0, 4.0]];
    let error = max.combine_rows(rows.view(), &mut short);
    assert!(matches!(
        error,
        Err(EnsembleError::WrongOutputLength { .. })
    ));
}

#[test]
fn answers_to_the_surest_members_are_finite_and_in_order() {
    let weights = [0.2, 0.3, 0.5];
    let scores = Array2::from_shape_fn((4, 3), |(row, column)| (row * 3 + column) as f64);
    for combiner in combiners(&scores, &weights) {
        let mut last = f64::NEG_INFINITY;
        for odds in [
            f64::MIN,
            -800.0,
            -690.0,
            -40.0,
            0.0,
            40.0,
            690.0,
            800.0,
            f64::MAX,
        ] {
            let answer = combiner.combine_row(&[odds; 3]).unwrap();
            assert!(
                answer.is_finite() && answer >= last,
                "{combiner:?} {odds} {answer}"
            );
            last = answer;
        }
    }
}

/// Two weeks of a good member, a fair one and one that says the same of all.
fn three_members() -> MemberScores {
    let one = |shift: usize| {
        let frauds: Vec<bool> = (0..200)
            .map(|row| (row + shift).is_multiple_of(10))
            .collect();
        let scores = Array2::from_shape_fn((200, 3), |(row, member)| {
            let label = if frauds[row] { 1.0 } else { -1.0 };
            let noise = |step: usize| (((row + shift) * step) % 101) as f64 / 50.0 - 1.0;
            [2.0 * label + noise(37), label + 2.0 * noise(53), 0.7][member]
        });
        week(scores, &frauds)
    };
    MemberScores::new(vec![one(0), one(3)]).unwrap()
}

#[test]
fn weights_follow_what_members_gain() {
    let members = three_members();
    let auc = |member: usize| {
        let of = |week: &WeekScores| {
            let odds = week.scores.column(member).to_vec();
            let judged = Judged {
                rows: &week.rows,
                frauds: &week.frauds,
                log_odds: &odds,
                weights: None,
            };
            Metric::roc_auc().of(&judged).unwrap().unwrap()
        };
        members.weeks().iter().map(of).sum::<f64>() / 2.0 - 0.5
    };
    let weights = weights_by_gain(&members, &Metric::roc_auc(), 2.0).unwrap();
    assert!(close(
        weights[1] / weights[0],
        (auc(1) / auc(0)).powi(2),
        1e-12
    ));
    assert_eq!(weights[2], 0.0);
    assert_eq!(
        weights_by_gain(&members, &Metric::roc_auc(), 0.0).unwrap(),
        [1.0, 1.0, 0.0]
    );
    // Log loss gains over the share of frauds, not over one half: the constant is worse than that.
    let by_loss = weights_by_gain(&members, &Metric::log_loss(), 1.0).unwrap();
    assert!(by_loss[0] > 0.0 && by_loss[2] == 0.0);
    let constant = WeekScores {
        scores: Array2::from_elem((200, 3), (20.0_f64 / 180.0).ln() + 0.01),
        ..members.weeks()[0].clone()
    };
    let constant = MemberScores::new(vec![constant]).unwrap();
    assert_eq!(
        weights_by_gain(&constant, &Metric::log_loss(), 1.0).unwrap(),
        [1.0; 3]
    );
    let nothing = Metric::function("nothing", true, |_| Ok(1.0));
    assert_eq!(weights_by_gain(&members, &nothing, 1.0).unwrap(), [1.0; 3]);
    assert!(weights_by_gain(&members, &nothing, f64::NAN).is_err());
}

#[test]
fn threads_do_not_change_what_is_fitted() {
    let members = three_members();
    let ways = [
        Combination::Stack(StackParams::default().ranks(true)),
        Combination::Vote {
            kind: VoteKind::Rank,
            weights: VoteWeights::Greedy(GreedyParams::default().bags(4).bag_share(0.7)),
        },
    ];
    for way in ways {
        let fit = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| way.fit(&members, &Metric::average_precision()))
                .unwrap()
        };
        assert_eq!(fit(1), fit(2));
        assert_eq!(fit(1), fit(5));
    }
}

#[test]
fn weeks_without_a_class_do_not_count_in_a_metric_but_in_a_stack() {
    let mut weeks = three_members().weeks().to_vec();
    let whole = MemberScores::new(vec![weeks[0].clone()]).unwrap();
    weeks[1].frauds.fill(false);
    let half = MemberScores::new(weeks.clone()).unwrap();
    let gain = |scores: &MemberScores| weights_by_gain(scores, &Metric::roc_auc(), 1.0).unwrap();
    assert_eq!(gain(&whole), gain(&half));
    let fit = |scores: &MemberScores| StackParams::default().fit(scores).unwrap();
    assert!(fit(&half).intercept() < fit(&whole).intercept());
    weeks[0].frauds.fill(false);
    let none = MemberScores::new(weeks).unwrap();
    let error = weights_by_gain(&none, &Metric::roc_auc(), 1.0);
    assert_eq!(error, Err(EnsembleError::NoFold { skipped: 2 }));
    let error = StackParams::default().fit(&none);
    assert_eq!(error, Err(EnsembleError::SingleClass { class: "honest" }));
}

#[test]
fn scores_that_do_not_fit_are_refused() {
    let good = three_members().weeks()[0].clone();
    let refused = |week: WeekScores| assert!(MemberScores::new(vec![good.clone(), week]).is_err());
    refused(WeekScores {
        rows: vec![1],
        ..good.clone()
    });
    refused(WeekScores {
        frauds: vec![true],
        ..good.clone()
    });
    refused(WeekScores {
        weights: Some(vec![1.0]),
        ..good.clone()
    });
    refused(WeekScores {
        weights: Some(vec![-1.0; 200]),
        ..good.clone()
    });
    refused(WeekScores {
        scores: Array2::zeros((200, 2)),
        ..good.clone()
    });
    refused(WeekScores {
        scores: Array2::from_elem((200, 3), f64::NAN),
        ..good.clone()
    });
    refused(week(Array2::zeros((0, 3)), &[]));
    assert!(MemberScores::new(Vec::new()).is_err());
    assert!(MemberScores::new(vec![week(Array2::zeros((1, 0)), &[true])]).is_err());
}

#[test]
fn members_learn_on_training_rows_alone() {
    // The label is the row's number: who knows the test rows knows it all.
    let rows = Array2::from_shape_fn((600, 1), |(row, _)| (row % 60) as f64);
    let frauds: Vec<bool> = (0..600).map(|row| row % 60 > 50).collect();
    let samples = Samples::new(rows.view(), &frauds).unwrap();
    let days: Vec<i64> = (0..600).map(|row| row / 20).collect();
    let folds = dafu_ensemble::select::TimeFolds::default()
        .folds(2)
        .split(&days)
        .unwrap();
    let trees = BoostedTreesParams::default().n_estimators(3);
    let other = trees.clone().learning_rate(0.5);
    let members: [(&str, &dyn Learner); 2] = [("trees", &trees), ("other", &other)];
    let scores = MemberScores::learn(&members, &samples, &folds).unwrap();
    for (week, fold) in scores.weeks().iter().zip(&folds) {
        let pick = |rows: &[usize]| rows.iter().map(|row| frauds[*row]).collect::<Vec<_>>();
        let train = rows.select(ndarray::Axis(0), &fold.train);
        let labels = pick(&fold.train);
        let model = trees
            .fit(&Samples::new(train.view(), &labels).unwrap())
            .unwrap();
        let mut expected = vec![0.0; fold.test.len()];
        let test = rows.select(ndarray::Axis(0), &fold.test);
        model.log_odds_rows(test.view(), &mut expected).unwrap();
        assert_eq!(week.scores.column(0).to_vec(), expected);
        assert_eq!((&week.rows, &week.frauds), (&fold.test, &pick(&fold.test)));
        assert_ne!(week.scores.column(1).to_vec(), expected);
    }
}
