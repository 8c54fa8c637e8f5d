//! Scores to ranks.

use crate::{close, fixture, logit};
use dafu_ensemble::EnsembleError;
use dafu_ensemble::combine::{MAX_KNOTS, RankMap};
use proptest::prelude::*;

#[test]
fn ranks_are_those_of_scipy() {
    let (values, ranks): (Vec<f64>, Vec<f64>) = (fixture("values"), fixture("ranks"));
    let map = RankMap::fit(&values, None).unwrap();
    for (value, rank) in values.iter().zip(&ranks) {
        assert!(close(map.rank(*value), *rank, 1e-14));
        assert!(close(map.log_odds(*value), logit(*rank), 1e-13));
    }
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
