//! Users of a Bitcoin market from the ratings that they give, where `DAFU_DATA` names the folder of all data.
//!
//! Nothing was fitted on the 316 labels, but they were looked at more than once. First, with all settings fixed before: the paper's
//! REV2, and REV2 with uniform priors, each rating counting (0.87). Then days as evidence, company and moderation; these were
//! chosen among the users without a label (last test here), not by what is printed for the 316. Company alone, best on the 316,
//! was not best there, and is not the default.
//!
//! `DAFU_DATA=DATA cargo test --release -p dafu-graph --test bitcoin_otc -- --nocapture`
#![allow(
    clippy::float_cmp,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

use dafu_core::metrics::{Bootstrap, Interval, roc_auc};
use dafu_core::{EntityId, Timestamp};
use dafu_graph::{RatingEvidence, RatingNetwork, Rev2Params};
use flate2::read::GzDecoder;
use std::fs::File;
use std::path::PathBuf;

type Rating = (EntityId, EntityId, f64, Timestamp);

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("DAFU_DATA").map(|folder| PathBuf::from(folder).join("graph"));
    if folder.is_none() {
        println!("skipped: DAFU_DATA is not set");
    }
    folder
}

fn ratings(folder: &std::path::Path) -> Vec<Rating> {
    let file = File::open(folder.join("bitcoin_otc_ratings.csv.gz")).unwrap();
    let mut reader = csv::Reader::from_reader(GzDecoder::new(file));
    let row = |row: Result<csv::StringRecord, _>| {
        let row = row.unwrap();
        let seconds: f64 = row[3].parse().unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "whole microseconds")]
        let at = Timestamp::from_micros((seconds * 1e6) as i64).unwrap();
        let id = |text: &str| EntityId::new(text).unwrap();
        (id(&row[0]), id(&row[1]), row[2].parse().unwrap(), at)
    };
    reader.records().map(row).collect()
}

/// Users and whether they are frauds.
fn labels(folder: &std::path::Path) -> (Vec<EntityId>, Vec<bool>) {
    let mut reader = csv::Reader::from_path(folder.join("bitcoin_otc_ground_truth.csv")).unwrap();
    let row = |row: Result<csv::StringRecord, _>| {
        let row = row.unwrap();
        (EntityId::new(&row[0]).unwrap(), &row[1] == "-1")
    };
    reader.records().map(row).unzip()
}

fn network<'a>(ratings: impl IntoIterator<Item = &'a Rating>) -> RatingNetwork {
    let mut network = RatingNetwork::new(-10.0, 10.0).unwrap();
    for (user, item, rating, at) in ratings {
        network.rate(user, item, *rating, *at).unwrap();
    }
    network
}

fn auc(name: &str, labels: &[bool], scores: &[f64]) -> Interval {
    let auc = roc_auc(labels, scores, None).unwrap();
    let bootstrap = Bootstrap::default().resamples(2000);
    let resampler = bootstrap.resampler(labels, None).unwrap();
    let drawn = (0..2000).map(|number| {
        let resample = resampler.draw(number);
        roc_auc(&resample.gather(labels), &resample.gather(scores), None).unwrap()
    });
    let interval = bootstrap.interval(auc, drawn.collect());
    println!(
        "{name:55} {:.4} ({:.4} to {:.4})",
        interval.value, interval.lower, interval.upper
    );
    interval
}

/// The reversed fairness averaged over the settings of the paper.
fn published(network: &RatingNetwork, users: &[EntityId]) -> Vec<f64> {
    let mut scores = vec![0.0; users.len()];
    let levels = [0.0, 1.0, 2.0];
    for alpha in levels {
        for beta in levels {
            for share in [0.0, 1.0 / 3.0, 0.5, 2.0 / 3.0] {
                let params = Rev2Params::published(alpha, beta).user_share(share);
                let found = params.run(network).unwrap();
                for (score, user) in scores.iter_mut().zip(users) {
                    *score -= found.fairness_of(network, user);
                }
            }
        }
    }
    scores
}

#[test]
fn ratings_given_alone_tell_frauds_on_bitcoin_otc() {
    let Some(folder) = folder() else { return };
    let ratings = ratings(&folder);
    let (users, frauds) = labels(&folder);
    assert_eq!((ratings.len(), users.len()), (35_592, 316));
    let network = network(&ratings);
    let score = |of: &dyn Fn(&EntityId) -> f64| users.iter().map(of).collect::<Vec<f64>>();
    let place = |of: &[f64], user: &EntityId, unknown: f64| {
        network.user(user).map_or(unknown, |place| of[place])
    };
    let given = network.given();
    let scores = score(&|user| {
        -network
            .user(user)
            .map_or(0.0, |place| f64::from(given[place]))
    });
    let counted = auc("number of ratings given, reversed", &frauds, &scores);
    assert!((counted.value - 0.80).abs() < 0.01);
    let received = network.mean_received();
    let scores = score(&|user| -network.item(user).map_or(0.0, |place| received[place]));
    auc(
        "mean rating received, reversed (labels stem from it)",
        &frauds,
        &scores,
    );
    auc(
        "REV2 as published, mean of 36 settings",
        &frauds,
        &published(&network, &users),
    );

    let params = Rev2Params::default();
    let found = params.run(&network).unwrap();
    println!("{} iterations", found.iterations);
    let scores = score(&|user| -found.fairness_of(&network, user));
    let fairness = auc("REV2, the defaults", &frauds, &scores);
    let each = params.evidence(RatingEvidence::Each).run(&network).unwrap();
    let scores = score(&|user| -each.fairness_of(&network, user));
    auc("REV2, the defaults, each rating counting", &frauds, &scores);
    let moderation = network.moderation();
    let scores = score(&|user| -place(&moderation, user, 0.5));
    auc("moderation", &frauds, &scores);
    let behaving = params.run_with(&network, &moderation).unwrap();
    let scores = score(&|user| -behaving.fairness_of(&network, user));
    auc(
        "REV2, the defaults, moderation as behaviour",
        &frauds,
        &scores,
    );
    let risk = params.giver_risk(&network).unwrap();
    let scores = score(&|user| -place(&risk.company, user, 0.0));
    auc("company", &frauds, &scores);
    let scores = score(&|user| risk.risk_of(&network, user));
    let both = auc("giver risk: fairness and company", &frauds, &scores);
    assert!(fairness.value >= 0.85, "{fairness:?}");
    assert!(both.value >= 0.90, "{both:?}");
}

/// What a user received has no part in his score: each user is scored in a network without it.
#[test]
fn they_do_where_nothing_received_is_seen() {
    let Some(folder) = folder() else { return };
    let ratings = ratings(&folder);
    let (users, frauds) = labels(&folder);
    let all = network(&ratings);
    let params = Rev2Params::default().tolerance(1e-6);
    let found = params.run(&all).unwrap();
    let mut fairness = Vec::new();
    let mut both = Vec::new();
    let (mut moved, mut received) = (0.0_f64, 0);
    for user in &users {
        if all.user(user).is_none() {
            fairness.push(-found.unknown_fairness);
            both.push(0.5);
            continue;
        }
        let network = network(ratings.iter().filter(|rating| rating.1 != *user));
        received += ratings.len() - network.len();
        let risk = params.giver_risk(&network).unwrap();
        let place = network.user(user);
        if let Some(place) = place {
            moved = moved.max((risk.fairness[place] - found.fairness_of(&all, user)).abs());
        }
        fairness.push(-place.map_or(0.5, |place| risk.fairness[place]));
        both.push(risk.risk_of(&network, user));
    }
    println!("{received} ratings received left out; fairness moves by {moved:.6} at most");
    let fairness = auc("REV2, the defaults, nothing received", &frauds, &fairness);
    auc("giver risk, nothing received", &frauds, &both);
    assert!(fairness.value >= 0.85, "{fairness:?}");
}

/// Fairness and company were put together because that is better where nobody was labelled: for users outside the ground truth
/// who received at least three ratings, to find those whose mean is below 0.
#[test]
fn fairness_and_company_together_are_better_among_users_without_a_label() {
    let Some(folder) = folder() else { return };
    let ratings = ratings(&folder);
    let (labelled, _) = labels(&folder);
    let labelled: std::collections::BTreeSet<EntityId> = labelled.into_iter().collect();
    let network = network(&ratings);
    let mut counts = vec![0; network.items().len()];
    for rating in &ratings {
        counts[network.item(&rating.1).unwrap()] += 1;
    }
    let received = network.mean_received();
    let others: Vec<usize> = (0..counts.len())
        .filter(|item| counts[*item] >= 3 && !labelled.contains(&network.items()[*item]))
        .collect();
    let bad: Vec<bool> = others.iter().map(|item| received[*item] < 0.0).collect();
    let risk = Rev2Params::default().giver_risk(&network).unwrap();
    let of = |scores: &[f64], unknown: f64| -> Vec<f64> {
        let place = |item: &usize| network.user(&network.items()[*item]);
        let scores = others
            .iter()
            .map(|item| place(item).map_or(unknown, |place| -scores[place]));
        scores.collect()
    };
    println!("{} users", others.len());
    let each = Rev2Params::default().evidence(RatingEvidence::Each);
    let each = each.run(&network).unwrap();
    let each = auc(
        "others: each rating counting",
        &bad,
        &of(&each.fairness, -0.5),
    );
    let given: Vec<f64> = network
        .given()
        .iter()
        .map(|given| f64::from(*given))
        .collect();
    auc(
        "others: number of ratings given, reversed",
        &bad,
        &of(&given, 0.0),
    );
    let fairness = auc("others: fairness", &bad, &of(&risk.fairness, -0.5));
    let company = auc("others: company", &bad, &of(&risk.company, 0.0));
    let trust: Vec<f64> = risk.risk.iter().map(|risk| -risk).collect();
    let both = auc("others: giver risk", &bad, &of(&trust, risk.unknown));
    assert!(fairness.value > each.value);
    assert!(both.value > fairness.value && both.value > company.value);
}
