//! Combinations against scikit-learn, `SciPy` and brute force, and what holds for all of them.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests; the same bits are asked for"
)]

use dafu_ensemble::combine::{
    Combination, Combiner, GreedyParams, MAX_KNOTS, Max, MemberScale, MemberScores, NoisyOr,
    RankMap, Stack, StackParams, Vote, VoteKind, VoteWeights, WeekScores, greedy_selection,
    weights_by_gain,
};
use dafu_ensemble::select::{Judged, Metric};
use dafu_ensemble::{BoostedTreesParams, EnsembleError, Learner, Samples};
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let all: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/combine.json")).unwrap();
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
fn ranks_are_those_of_scipy() {
    let (values, ranks): (Vec<f64>, Vec<f64>) = (fixture("values"), fixture("ranks"));
    let map = RankMap::fit(&values, None).unwrap();
    for (value, rank) in values.iter().zip(&ranks) {
        assert!(close(map.rank(*value), *rank, 1e-14));
        assert!(close(map.log_odds(*value), logit(*rank), 1e-13));
    }
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

#[derive(serde::Deserialize)]
struct Coefficients {
    coef: Vec<f64>,
    intercept: f64,
}

fn stacked(contrary: bool) -> (Stack, Coefficients) {
    let mut scores = matrix(&fixture::<Vec<Vec<f64>>>("scores"));
    if contrary {
        let column: Vec<f64> = fixture("contrary");
        scores.column_mut(2).assign(&ndarray::Array1::from(column));
    }
    let frauds: Vec<bool> = fixture("frauds");
    let weights: Vec<f64> = fixture("weights");
    let params = StackParams::default().l2(fixture("l2"));
    // Two weeks: together they are the rows of the fixture.
    let part = |rows: std::ops::Range<usize>| WeekScores {
        rows: rows.clone().collect(),
        frauds: frauds[rows.clone()].to_vec(),
        weights: Some(weights[rows.clone()].to_vec()),
        scores: scores.select(ndarray::Axis(0), &rows.collect::<Vec<_>>()),
    };
    let scores = MemberScores::new(vec![part(0..15), part(15..40)]).unwrap();
    let expected = if contrary { "contrary_stack" } else { "stack" };
    (params.fit(&scores).unwrap(), fixture(expected))
}

#[test]
fn a_stack_is_the_logistic_regression_of_scikit_learn_where_no_weight_is_negative() {
    let (stack, expected) = stacked(false);
    for (got, expected) in stack.weights().iter().zip(&expected.coef) {
        assert!(close(*got, *expected, 1e-6), "{got} {expected}");
    }
    assert!(close(stack.intercept(), expected.intercept, 1e-6));
}

#[test]
fn a_stack_has_the_bounded_optimum_of_scipy() {
    let (stack, expected) = stacked(true);
    assert_eq!(stack.weights()[2], 0.0);
    for (got, expected) in stack.weights().iter().zip(&expected.coef) {
        assert!(close(*got, *expected, 1e-5), "{got} {expected}");
    }
    assert!(close(stack.intercept(), expected.intercept, 1e-5));
}

/// The share of lower scores and half the share of equal ones, by weight.
fn plain_rank(scores: &[f64], weights: &[f64], at: f64) -> f64 {
    let part = |row: usize| match scores[row].total_cmp(&at) {
        std::cmp::Ordering::Less => weights[row],
        std::cmp::Ordering::Equal => weights[row] / 2.0,
        std::cmp::Ordering::Greater => 0.0,
    };
    (0..scores.len()).map(part).sum::<f64>() / weights.iter().sum::<f64>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ranks_of_fitted_scores_are_counted(
        rows in proptest::collection::vec((-20_i32..20, 0_u8..4), 1..60),
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 4.0).collect();
        let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        match RankMap::fit(&scores, Some(&weights)) {
            Ok(map) => for (score, weight) in scores.iter().zip(&weights) {
                if *weight > 0.0 {
                    prop_assert!(close(map.rank(*score), plain_rank(&scores, &weights, *score), 1e-14));
                }
            },
            Err(error) => {
                prop_assert_eq!(error, EnsembleError::NoRows);
                prop_assert!(weights.iter().all(|weight| *weight == 0.0));
            }
        }
    }

    #[test]
    fn ranks_increase_strictly_and_stay_inside(
        scores in proptest::collection::vec(-1e3_f64..1e3, 1..40),
        at in proptest::collection::vec(-3e3_f64..3e3, 2..40),
    ) {
        let map = RankMap::fit(&scores, None).unwrap();
        let mut at = at;
        at.extend(&scores);
        at.sort_by(f64::total_cmp);
        at.dedup();
        for pair in at.windows(2).filter(|pair| pair[1] - pair[0] > 1e-6) {
            prop_assert!(map.rank(pair[0]) < map.rank(pair[1]));
            prop_assert!(map.log_odds(pair[0]) < map.log_odds(pair[1]));
        }
        for at in at.iter().chain(&[f64::MIN, f64::MAX]) {
            prop_assert!(map.rank(*at) > 0.0 && map.rank(*at) < 1.0);
            prop_assert!(map.log_odds(*at).is_finite());
        }
    }

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

    #[test]
    fn no_slope_is_left_in_a_stack(
        rows in proptest::collection::vec((proptest::array::uniform3(-4_i32..4), any::<bool>()), 4..40),
        (size, wide) in (1.0_f64..200.0, prop_oneof![Just(1e-6), Just(1.0), Just(1e3)]),
        twins in any::<bool>(),
    ) {
        let frauds: Vec<bool> = rows.iter().map(|row| row.1).collect();
        prop_assume!(frauds.contains(&true) && frauds.contains(&false));
        let input = |row: usize, member: usize| {
            // Members may be the same, or say the same of all rows.
            let member = if twins { 0 } else { member };
            (f64::from(rows[row].0[member]) * size).clamp(-700.0, 700.0)
        };
        let scores = Array2::from_shape_fn((rows.len(), 3), |(row, member)| input(row, member));
        let members = MemberScores::new(vec![week(scores, &frauds)]).unwrap();
        let stack = StackParams::default().l2(wide).fit(&members).unwrap();
        let mut slopes = [0.0; 4];
        for (row, fraud) in frauds.iter().enumerate() {
            let odds: f64 = (0..3).map(|member| stack.weights()[member] * input(row, member)).sum();
            let wrong = sigmoid(odds + stack.intercept()) - f64::from(u8::from(*fraud));
            slopes[3] += wrong;
            for (member, slope) in slopes.iter_mut().take(3).enumerate() {
                *slope += wrong * input(row, member);
            }
        }
        // Slopes are sums of numbers up to 700.
        let none = 1e-5 * size;
        prop_assert!(slopes[3].abs() < none, "{slopes:?}");
        for (slope, weight) in slopes.iter().zip(stack.weights()) {
            let slope = slope + wide * weight;
            prop_assert!(slope > -none && (*weight == 0.0 || slope < none), "{slopes:?} {stack:?}");
        }
    }

    #[test]
    fn selection_is_the_one_found_by_hand(
        rows in proptest::collection::vec((proptest::array::uniform3(-4_i32..4), any::<bool>()), 8..24),
        split in 3_usize..5,
        (start, rounds) in (0_usize..4, 1_usize..6),
        kind in prop_oneof![Just(VoteKind::LogOdds), Just(VoteKind::Probability)],
    ) {
        let frauds: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let both = |frauds: &[bool]| frauds.contains(&true) && frauds.contains(&false);
        prop_assume!(both(&frauds[..split]) && both(&frauds[split..]));
        let scores = Array2::from_shape_fn((rows.len(), 3), |(row, member)| f64::from(rows[row].0[member]));
        let (first, second) = scores.view().split_at(ndarray::Axis(0), split);
        let weeks = vec![
            week(first.to_owned(), &frauds[..split]),
            week(second.to_owned(), &frauds[split..]),
        ];
        let members = MemberScores::new(weeks.clone()).unwrap();
        let metric = Metric::log_loss();
        let params = GreedyParams::default().sorted_start(start).rounds(rounds);
        let scale = MemberScale::LogOdds(3);
        let found = greedy_selection(&members, (kind, &scale), &metric, &params).unwrap();
        let (weights, value) = by_hand(&weeks, kind, (start, rounds));
        for (found, expected) in found.weights.iter().zip(&weights) {
            prop_assert!(close(*found, *expected, 1e-12), "{:?} {weights:?}", found);
        }
        prop_assert!(close(found.value, value, 1e-12));
    }
}

/// Mean log loss over the weeks of members chosen so often.
fn loss_of(weeks: &[WeekScores], kind: VoteKind, counts: [usize; 3]) -> f64 {
    let all: usize = counts.iter().sum();
    let of_week = |week: &WeekScores| {
        let rows = week.scores.rows().into_iter().zip(&week.frauds);
        let losses = rows.map(|(row, fraud)| {
            let mean = |of: fn(f64) -> f64| -> f64 {
                let parts = row
                    .iter()
                    .zip(counts)
                    .map(|(odds, count)| count as f64 * of(*odds));
                parts.sum::<f64>() / all as f64
            };
            let chance = match kind {
                VoteKind::LogOdds => sigmoid(mean(|odds| odds)),
                _ => mean(sigmoid),
            };
            -(if *fraud { chance } else { 1.0 - chance }).ln()
        });
        losses.sum::<f64>() / week.frauds.len() as f64
    };
    weeks.iter().map(of_week).sum::<f64>() / weeks.len() as f64
}

/// Caruana et al. (2004), sections 2.1 and 2.2, over all members; equal losses go to the first member.
fn by_hand(
    weeks: &[WeekScores],
    kind: VoteKind,
    (start, rounds): (usize, usize),
) -> (Vec<f64>, f64) {
    let better = |new: f64, old: f64| new < old - 1e-12;
    let one = |member: usize| {
        let mut counts = [0; 3];
        counts[member] = 1;
        counts
    };
    let mut order = [0, 1, 2];
    order.sort_by(|a, b| {
        let (a, b) = (loss_of(weeks, kind, one(*a)), loss_of(weeks, kind, one(*b)));
        if better(a, b) {
            std::cmp::Ordering::Less
        } else if better(b, a) {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        }
    });
    let (mut best, mut best_counts) = (f64::INFINITY, [0; 3]);
    let mut counts = [0; 3];
    for member in order.into_iter().take(start) {
        counts[member] += 1;
        let loss = loss_of(weeks, kind, counts);
        if better(loss, best) {
            (best, best_counts) = (loss, counts);
        }
    }
    counts = best_counts;
    for _ in 0..rounds {
        let with = |member: usize| {
            let mut counts = counts;
            counts[member] += 1;
            counts
        };
        let mut next = 0;
        for member in 1..3 {
            if better(
                loss_of(weeks, kind, with(member)),
                loss_of(weeks, kind, with(next)),
            ) {
                next = member;
            }
        }
        counts = with(next);
        let loss = loss_of(weeks, kind, counts);
        if better(loss, best) {
            (best, best_counts) = (loss, counts);
        }
    }
    let all: usize = best_counts.iter().sum();
    (
        best_counts.map(|count| count as f64 / all as f64).to_vec(),
        best,
    )
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
fn a_map_of_many_scores_keeps_few_knots_and_stays_close() {
    let scores: Vec<f64> = (0_i32..50_000).map(|at| f64::from(at).powi(3)).collect();
    let map = RankMap::fit(&scores, None).unwrap();
    assert!(map.scores().len() <= MAX_KNOTS && map.scores().len() > 700);
    let weights = vec![1.0; scores.len()];
    for at in [
        0, 1, 10, 777, 25_000, 40_000, 49_000, 49_900, 49_990, 49_998, 49_999,
    ] {
        let expected = plain_rank(&scores, &weights, scores[at]);
        assert!((map.rank(scores[at]) - expected).abs() < 1.0 / 512.0);
        // As close where frauds are: within a twentieth of the distance to the end.
        assert!(
            (map.log_odds(scores[at]) - logit(expected)).abs() < 0.05,
            "{at}"
        );
    }
    let again = RankMap::from_knots(map.scores().to_vec(), map.ranks().to_vec());
    assert_eq!(again.unwrap(), map);
}

#[test]
fn a_constant_score_has_the_middle_rank() {
    let map = RankMap::fit(&[4.0; 9], None).unwrap();
    assert_eq!((map.rank(4.0), map.log_odds(4.0)), (0.5, 0.0));
    assert!(map.rank(3.9) < 0.5 && map.rank(4.1) > 0.5);
    let zeros = RankMap::fit(&[0.0, -0.0], None).unwrap();
    assert_eq!(zeros.rank(-0.0), 0.5);
}

#[test]
fn maps_that_are_not_sound_are_refused() {
    let refused = |scores: &[f64], ranks: &[f64]| {
        let map = RankMap::from_knots(scores.to_vec(), ranks.to_vec());
        assert!(matches!(map, Err(EnsembleError::Knots { .. })));
    };
    refused(&[], &[]);
    refused(&[1.0], &[0.1, 0.2]);
    refused(&[1.0, 1.0], &[0.1, 0.2]);
    refused(&[1.0, 2.0], &[0.2, 0.2]);
    refused(&[1.0, f64::INFINITY], &[0.1, 0.2]);
    refused(&[f64::NAN], &[0.1]);
    refused(&[1.0], &[0.0]);
    refused(&[1.0], &[1.0]);
    refused(&[1.0], &[f64::NAN]);
    let scores: Vec<f64> = (0..1_025).map(f64::from).collect();
    let ranks: Vec<f64> = (0..1_025).map(|at| f64::from(at + 1) / 2_000.0).collect();
    refused(&scores, &ranks);
    assert!(RankMap::fit(&[f64::NAN], None).is_err());
    assert!(RankMap::fit(&[1.0], Some(&[1.0, 2.0])).is_err());
    assert!(RankMap::fit(&[1.0], Some(&[-1.0])).is_err());
    assert!(RankMap::fit(&[1.0, 2.0], Some(&[1e308, 1e308])).is_err());
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
fn bags_choose_among_their_members_and_are_averaged() {
    let members = three_members();
    let scale = MemberScale::LogOdds(3);
    let select = |params: &GreedyParams| {
        let metric = Metric::average_precision();
        greedy_selection(&members, (VoteKind::LogOdds, &scale), &metric, params).unwrap()
    };
    // Bags of one member each choose it: the weights are how often each was drawn.
    let bags = GreedyParams::default().bags(300).bag_share(0.34).seed(4);
    let drawn = select(&bags).weights;
    assert!(
        drawn.iter().all(|weight| (weight - 1.0 / 3.0).abs() < 0.1),
        "{drawn:?}"
    );
    assert_eq!(select(&bags), select(&bags));
    assert_ne!(drawn, select(&bags.clone().seed(5)).weights);
    let whole = select(&GreedyParams::default());
    assert!(whole.weights[0] > whole.weights[2]);
    assert!(close(whole.weights.iter().sum(), 1.0, 1e-12));
    let ranked = greedy_selection(
        &members,
        (VoteKind::Rank, &scale),
        &Metric::roc_auc(),
        &GreedyParams::default(),
    );
    assert_eq!(ranked, Err(EnsembleError::NoRankMaps));
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
fn members_that_say_the_same_share_the_weight() {
    let good = three_members().weeks()[0].clone();
    let column = good.scores.column(0).to_vec();
    let twice = Array2::from_shape_fn((200, 2), |(row, _)| column[row]);
    let twice = MemberScores::new(vec![week(twice, &good.frauds)]).unwrap();
    let stack = StackParams::default().fit(&twice).unwrap();
    assert!(close(stack.weights()[0], stack.weights()[1], 1e-6));
    let one = Array2::from_shape_fn((200, 1), |(row, _)| column[row]);
    let one = MemberScores::new(vec![week(one, &good.frauds)]).unwrap();
    // Two weights of half the size cost half the penalty.
    let alone = StackParams::default().l2(0.5).fit(&one).unwrap();
    assert!(close(
        stack.weights().iter().sum(),
        alone.weights()[0],
        1e-6
    ));
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
