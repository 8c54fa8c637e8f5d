//! REV2 against its equations, and what its parameters promise.
#![allow(clippy::float_cmp, clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, Timestamp};
use dafu_graph::{GraphError, OwnRating, RatingEvidence, RatingNetwork, Rev2Params, Rev2Prior};
use proptest::prelude::*;

/// User, item, rating from -1 to 1, day.
type Ratings = Vec<(usize, usize, f64, i64)>;

fn id(number: usize) -> EntityId {
    EntityId::new(format!("n{number}")).unwrap()
}

fn network(ratings: &Ratings) -> RatingNetwork {
    let mut network = RatingNetwork::new(-1.0, 1.0).unwrap();
    for (user, item, value, day) in ratings {
        let at = Timestamp::from_seconds(day * 86_400 + 5).unwrap();
        network.rate(&id(*user), &id(*item), *value, at).unwrap();
    }
    network
}

fn ratings() -> impl Strategy<Value = Ratings> {
    let value = (-10..=10_i32).prop_map(|value| f64::from(value) / 10.0);
    proptest::collection::vec((0..6_usize, 0..5_usize, value, 0..3_i64), 1..40)
}

/// The equations, by brute force, from another start.
struct Naive {
    fairness: Vec<f64>,
    goodness: Vec<f64>,
    reliability: Vec<f64>,
}

fn naive(params: &Rev2Params, ratings: &Ratings, behavior: &[f64]) -> Naive {
    let mut found = Naive {
        fairness: vec![0.3; 6],
        goodness: vec![-0.2; 5],
        reliability: vec![0.1; ratings.len()],
    };
    let given: Vec<usize> = (0..6)
        .filter(|user| ratings.iter().any(|rating| rating.0 == *user))
        .collect();
    let received: Vec<usize> = (0..5)
        .filter(|item| ratings.iter().any(|rating| rating.1 == *item))
        .collect();
    let mean = |places: &[usize], of: &[f64]| {
        places.iter().map(|place| of[*place]).sum::<f64>() / places.len() as f64
    };
    for _ in 0..3000 {
        let mu = match params.goodness_prior {
            Rev2Prior::Fixed(prior) => prior,
            _ => mean(&received, &found.goodness),
        };
        let goodness = |item: usize, without: Option<usize>| {
            let mut sum = params.goodness_weight * mu;
            let mut count = params.goodness_weight;
            for (place, rating) in ratings.iter().enumerate() {
                if rating.1 == item && Some(rating.0) != without {
                    sum += found.reliability[place] * rating.2;
                    count += 1.0;
                }
            }
            if count > 0.0 { sum / count } else { mu }
        };
        let news: Vec<f64> = (0..5).map(|item| goodness(item, None)).collect();
        let of: Vec<f64> = ratings
            .iter()
            .map(|rating| {
                let own = params.own == OwnRating::LeftOut;
                let goodness = goodness(rating.1, own.then_some(rating.0));
                let agreement = 1.0 - (rating.2 - goodness).abs() / 2.0;
                params.user_share * found.fairness[rating.0] + (1.0 - params.user_share) * agreement
            })
            .collect();
        let mu = match params.fairness_prior {
            Rev2Prior::Fixed(prior) => prior,
            _ => mean(&given, &found.fairness),
        };
        found.fairness = (0..6)
            .map(|user| {
                let mut sum = params.fairness_weight * mu;
                let mut count = params.fairness_weight;
                if let Some(normal) = behavior.get(user).filter(|normal| !normal.is_nan()) {
                    sum += params.behavior_weight * normal;
                    count += params.behavior_weight;
                }
                for (place, rating) in ratings.iter().enumerate() {
                    if rating.0 == user {
                        let day = |other: &&(usize, usize, f64, i64)| {
                            (other.0, other.3) == (rating.0, rating.3)
                        };
                        let evidence = match params.evidence {
                            RatingEvidence::Days => 1.0 / ratings.iter().filter(day).count() as f64,
                            _ => 1.0,
                        };
                        sum += evidence * of[place];
                        count += evidence;
                    }
                }
                sum / count
            })
            .collect();
        found.goodness = news;
        found.reliability = of;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_fixed_point_solves_the_equations(
        ratings in ratings(),
        alpha in 0..3_u8,
        beta in 0..3_u8,
        published in any::<bool>(),
        share in 0..3_u8,
        behaves in any::<bool>(),
    ) {
        let params = if published {
            Rev2Params::published(f64::from(alpha), f64::from(beta))
        } else {
            Rev2Params::default()
                .fairness(Rev2Prior::Fixed(0.4), f64::from(alpha))
                .goodness(Rev2Prior::Fixed(0.1), f64::from(beta))
        };
        let params = params.user_share(f64::from(share) / 4.0).tolerance(1e-13).max_iterations(10_000);
        let network = network(&ratings);
        let behavior: Vec<f64> = if behaves { vec![0.9, 0.1, f64::NAN, 0.5, 0.0, 1.0] } else { Vec::new() };
        let places: Vec<f64> = network.users().iter().filter_map(|user| {
            behavior.get(user.as_str().trim_start_matches('n').parse::<usize>().unwrap()).copied()
        }).collect();
        let found = params.run_with(&network, &places).unwrap();
        prop_assert!(found.converged);
        let expected = naive(&params, &ratings, &behavior);
        for user in 0..6 {
            if let Some(place) = network.user(&id(user)) {
                prop_assert!((found.fairness[place] - expected.fairness[user]).abs() < 1e-9);
                prop_assert!((0.0..=1.0).contains(&found.fairness[place]));
            }
        }
        for item in 0..5 {
            if let Some(place) = network.item(&id(item)) {
                prop_assert!((found.goodness[place] - expected.goodness[item]).abs() < 1e-9);
            }
        }
        for (one, other) in found.reliability.iter().zip(&expected.reliability) {
            prop_assert!((one - other).abs() < 1e-9);
        }
    }

    #[test]
    fn company_is_the_mean_goodness_of_those_who_are_praised(ratings in ratings()) {
        let network = network(&ratings);
        let company = network.company();
        for user in 0..6 {
            let Some(place) = network.user(&id(user)) else { continue };
            let (mut sum, mut count) = (0.0, 2.0);
            for rating in ratings.iter().filter(|rating| rating.0 == user && rating.2 > 0.0) {
                let others: Vec<f64> = ratings.iter().filter(|other| other.1 == rating.1 && other.0 != user).map(|other| other.2).collect();
                sum += others.iter().sum::<f64>() / (others.len() as f64 + 2.0);
                count += 1.0;
            }
            prop_assert!((company[place] - sum / count).abs() < 1e-12);
        }
        let risk = Rev2Params::default().giver_risk(&network).unwrap();
        prop_assert!(risk.risk.iter().all(|risk| (0.0..=1.0).contains(risk)));
    }

    #[test]
    fn ratings_received_do_not_move_the_company_of_a_user(ratings in ratings(), value in -1.0..1.0_f64) {
        let before = network(&ratings);
        // Users and items have the same ids: somebody new rates n0.
        let mut more = ratings.clone();
        more.push((77, 0, value, 0));
        let after = network(&more);
        let users = ratings.iter().filter(|rating| rating.1 == 0).map(|rating| rating.0);
        let raters: Vec<usize> = users.collect();
        let place = before.user(&id(0));
        prop_assume!(place.is_some() && !raters.contains(&0));
        let place = place.unwrap();
        prop_assert_eq!(before.company()[place], after.company()[place]);
    }
}

#[test]
fn empty_networks_have_no_scores_but_an_opinion_of_strangers() {
    let network = RatingNetwork::new(1.0, 5.0).unwrap();
    assert!(network.is_empty());
    let risk = Rev2Params::default().giver_risk(&network).unwrap();
    assert_eq!((risk.risk.len(), risk.unknown), (0, 0.5));
    assert_eq!(risk.risk_of(&network, &id(0)), 0.5);
    let published = Rev2Params::published(0.0, 0.0).run(&network).unwrap();
    assert_eq!(published.unknown_fairness, 0.5);
}

#[test]
fn a_rating_that_nobody_confirms_has_the_prior_beside_it() {
    // Without any smoothing there is nothing to compare it with but the mean.
    let network = network(&vec![(0, 0, 1.0, 0)]);
    let params = Rev2Params::published(0.0, 0.0);
    let included = params.run(&network).unwrap();
    assert!((included.fairness[0] - 1.0).abs() < 1e-6 && (included.goodness[0] - 1.0).abs() < 1e-6);
    let left_out = Rev2Params::default().run(&network).unwrap();
    // F = (2 x 0.5 + R) / 3 and R = F / 2 + (1 - 1 / 2) / 2.
    assert!((left_out.fairness[0] - 0.5).abs() < 1e-8);
}

#[test]
fn hubs_and_bursts_take_linear_time() {
    let ratings: Ratings = (0..50_000)
        .flat_map(|number| [(number + 1, 0, 0.5, 0), (0, number + 1, -1.0, 0)])
        .collect();
    let network = network(&ratings);
    let found = Rev2Params::default().run(&network).unwrap();
    assert!(found.converged && found.iterations < 100);
    let hub = network.user(&id(0)).unwrap();
    // Nobody else rates what the hub rates, so that it half agrees.
    assert!((found.fairness[hub] - 0.5).abs() < 1e-8);
    assert!(found.goodness[0] > 0.25, "{}", found.goodness[0]);
}

#[test]
fn wrong_input_is_named() {
    let text = |params: Rev2Params| params.check().unwrap_err().to_string();
    let params = Rev2Params::default();
    assert_eq!(
        text(params.user_share(1.0)),
        "`user_share` must be at least 0 and below 1, got 1"
    );
    assert_eq!(
        text(params.fairness(Rev2Prior::Fixed(2.0), 1.0)),
        "`fairness_prior` must be at least 0 and at most 1, got 2"
    );
    assert_eq!(
        text(params.goodness(Rev2Prior::Mean, f64::NAN)),
        "`goodness_weight` must be at least 0 and at most 1000000, got NaN"
    );
    assert!(text(params.tolerance(0.0)).starts_with("`tolerance`"));
    assert!(text(params.max_iterations(0)).starts_with("`max_iterations`"));
    assert!(RatingNetwork::new(1.0, 1.0).is_err() && RatingNetwork::new(f64::NAN, 1.0).is_err());
    let network = network(&vec![(0, 0, 1.0, 0)]);
    let wrong = params.run_with(&network, &[0.5, 0.5]).unwrap_err();
    assert!(matches!(
        wrong,
        GraphError::Parameter {
            name: "behavior",
            ..
        }
    ));
    assert!(params.run_with(&network, &[1.5]).is_err());
}

#[test]
fn ratings_are_sent_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<RatingNetwork>();
    check::<Rev2Params>();
    check::<dafu_graph::Rev2>();
    check::<dafu_graph::GiverRisk>();
}
