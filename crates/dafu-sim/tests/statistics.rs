//! Shares, delays and habits against their definitions, within bounds from theory.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{EntityId, TransactionStatus};
use dafu_sim::{LabelDelay, Scenario, ScenarioRates, SimulatedTransaction, SimulatorParams};
use std::collections::{BTreeMap, BTreeSet};

fn simulate(params: &SimulatorParams) -> Vec<SimulatedTransaction> {
    params.simulator().unwrap().with_truth().collect()
}

/// Fraudulent payments of a scenario, ordinary payments, over three seeds.
fn counts(scenario: Scenario, rate: f64) -> (f64, f64) {
    let (mut fraud, mut ordinary) = (0.0, 0.0);
    for seed in 0..3 {
        let rates = ScenarioRates::only(scenario, rate);
        let params = SimulatorParams::default()
            .users(1_000)
            .days(120)
            .seed(seed)
            .rates(rates);
        for simulated in params.simulator().unwrap().with_truth() {
            assert!(simulated.scenario.is_none_or(|found| found == scenario));
            let additional = matches!(
                scenario,
                Scenario::AccountTakeover | Scenario::CardTesting | Scenario::Ring
            );
            fraud += f64::from(u8::from(simulated.is_fraud()));
            ordinary += f64::from(u8::from(!(additional && simulated.is_fraud())));
        }
    }
    (fraud, ordinary)
}

/// A campaign of mean size m and second moment s makes a compound Poisson count: variance = expected x s / m.
/// Five standard deviations, and a bias of up to `bias` that the documentation admits.
fn check(scenario: Scenario, rate: f64, dispersion: f64, bias: f64) {
    let (fraud, ordinary) = counts(scenario, rate);
    let expected = rate * ordinary;
    let bound = 5.0 * (expected * dispersion).sqrt() + bias * expected;
    assert!(
        (fraud - expected).abs() < bound,
        "{scenario}: {fraud}, expected {expected} +- {bound}"
    );
    assert!(
        bound < expected / 2.0,
        "{scenario}: the bound {bound} on {expected} says nothing"
    );
}

#[test]
fn amount_outliers_have_a_binomial_share() {
    // Each payment of its own, so the dispersion is 1. Runs of small payments are never outliers: 2 %.
    check(Scenario::AmountOutlier, 0.01, 1.0, 0.03);
}

#[test]
fn stolen_credentials_have_their_share() {
    // Mean size 14 x 1.6 / 3 = 7.5 with users' rates log-normal: E[rate^2] = e^0.64 E[rate]^2, plus a Poisson part.
    check(Scenario::StolenCredentials, 0.01, 7.5 * 1.9 + 1.0, 0.08);
}

#[test]
fn compromised_terminals_have_their_share() {
    // About 1,000 x 1.7 payments a day on 1,500 merchants: a terminal has some 10 in 14 days, unequally.
    check(Scenario::CompromisedTerminal, 0.01, 10.0 * 3.0 + 1.0, 0.1);
}

#[test]
fn account_takeovers_have_their_share() {
    // Sizes uniform on 3 to 8: second moment 33.2 over mean 5.5.
    check(Scenario::AccountTakeover, 0.01, 6.1, 0.03);
}

#[test]
fn card_testing_has_its_share() {
    // 2 to 4 cards of 5 to 13 payments each: mean 27, second moment about 27^2 + 3 x 6.7 + 0.67 x 81.
    check(Scenario::CardTesting, 0.01, 30.0, 0.03);
}

#[test]
fn rings_have_their_share() {
    // 4 to 8 accounts x 12 days x one half: mean 36, second moment about 36^2 + 2 x 36 + 18.
    check(Scenario::Ring, 0.01, 38.6, 0.03);
}

#[test]
fn fraud_is_between_half_a_percent_and_one_percent_by_default() {
    let total = ScenarioRates::default().total();
    assert!((total - 0.008).abs() < 1e-12);
    let params = SimulatorParams::default().users(4_000).days(120);
    let (mut fraud, mut all) = (0.0, 0.0);
    for simulated in params.simulator().unwrap().with_truth() {
        all += 1.0;
        fraud += f64::from(u8::from(simulated.is_fraud()));
    }
    let share = fraud / all;
    assert!((0.005..0.011).contains(&share), "{share}");
}

#[test]
fn label_delays_have_their_minimum_and_mean() {
    let delay = LabelDelay {
        minimum_days: 3.0,
        mean_further_days: 5.0,
    };
    let params = SimulatorParams::default()
        .users(500)
        .days(60)
        .label_delay(delay);
    let days: Vec<f64> = simulate(&params)
        .iter()
        .map(|simulated| {
            simulated
                .label_known_at
                .since(simulated.transaction.timestamp) as f64
                / 86_400e6
        })
        .collect();
    assert!(days.iter().all(|&days| days >= 3.0));
    let n = days.len() as f64;
    let mean = days.iter().sum::<f64>() / n;
    // Exponential: the standard deviation is the mean.
    assert!((mean - 8.0).abs() < 5.0 * 5.0 / n.sqrt(), "{mean}");
    let late = days
        .iter()
        .filter(|&&days| days > 3.0 + 5.0 * std::f64::consts::LN_2)
        .count() as f64;
    assert!((late - n / 2.0).abs() < 5.0 * (n / 4.0).sqrt());
}

#[test]
fn each_scenario_looks_as_described() {
    let rates = ScenarioRates::default().scaled(3.0);
    let all = simulate(
        &SimulatorParams::default()
            .users(1_500)
            .days(90)
            .rates(rates),
    );
    let of = |scenario| {
        all.iter()
            .filter(move |simulated| simulated.scenario == Some(scenario))
    };
    let mean = |amounts: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = amounts.fold((0.0, 0.0), |(sum, count), amount| {
            (sum + amount, count + 1.0)
        });
        sum / count
    };
    let amount = |simulated: &SimulatedTransaction| simulated.transaction.amount.major();
    let honest = mean(
        &mut all
            .iter()
            .filter(|simulated| !simulated.is_fraud())
            .map(amount),
    );
    let ratio = |scenario| mean(&mut of(scenario).map(amount)) / honest;
    // Mean factors 19 and 5 on amounts of heavy tails; terminals leave amounts alone.
    assert!((8.0..40.0).contains(&ratio(Scenario::AmountOutlier)));
    assert!((3.0..8.0).contains(&ratio(Scenario::StolenCredentials)));
    assert!((0.4..2.0).contains(&ratio(Scenario::CompromisedTerminal)));
    // A compromised terminal has no honest payment between its first and its last fraudulent one, 14 days apart at most.
    let mut terminals: BTreeMap<&EntityId, Vec<i64>> = BTreeMap::new();
    for simulated in of(Scenario::CompromisedTerminal) {
        let tx = &simulated.transaction;
        assert!(tx.merchant_location.is_some());
        terminals
            .entry(&tx.merchant_id)
            .or_default()
            .push(tx.timestamp.day());
    }
    for simulated in all.iter().filter(|simulated| !simulated.is_fraud()) {
        let tx = &simulated.transaction;
        if let Some(days) = terminals.get(&tx.merchant_id) {
            let (first, last) = (days[0], days[days.len() - 1]);
            if last - first < 14 {
                let strictly_within = tx.timestamp.day() > first && tx.timestamp.day() < last;
                assert!(!strictly_within);
            }
        }
    }
    // A taken account pays from a device that it never had before.
    let mut seen: BTreeMap<&EntityId, BTreeSet<&EntityId>> = BTreeMap::new();
    let mut shared: BTreeMap<&EntityId, BTreeSet<&EntityId>> = BTreeMap::new();
    for simulated in &all {
        let tx = &simulated.transaction;
        let Some(device) = &tx.device else { continue };
        match simulated.scenario {
            Some(Scenario::AccountTakeover) => {
                assert!(
                    !seen
                        .get(&tx.user_id)
                        .is_some_and(|own| own.contains(device))
                );
            }
            Some(Scenario::Ring) => {
                shared.entry(device).or_default().insert(&tx.user_id);
            }
            None => {
                seen.entry(&tx.user_id).or_default().insert(device);
            }
            _ => {}
        }
    }
    assert!(shared.values().filter(|users| users.len() >= 3).count() > shared.len() / 2);
    let tiny = of(Scenario::CardTesting)
        .filter(|simulated| amount(simulated) <= 3.0)
        .count();
    assert!(tiny * 10 > of(Scenario::CardTesting).count() * 8);
}

#[test]
fn honest_life_is_not_simple() {
    let rates = ScenarioRates::NONE;
    let all = simulate(
        &SimulatorParams::default()
            .users(1_500)
            .days(200)
            .rates(rates),
    );
    let mut users: BTreeMap<&EntityId, BTreeSet<&EntityId>> = BTreeMap::new();
    let mut devices: BTreeMap<&EntityId, BTreeSet<&EntityId>> = BTreeMap::new();
    let mut countries: BTreeMap<&EntityId, BTreeSet<&EntityId>> = BTreeMap::new();
    let mut per_user: BTreeMap<&EntityId, u32> = BTreeMap::new();
    let mut hours = [0_u32; 24];
    let (mut declined, mut large) = (0, 0);
    for simulated in &all {
        let tx = &simulated.transaction;
        *per_user.entry(&tx.user_id).or_default() += 1;
        hours[usize::from(tx.timestamp.hour())] += 1;
        declined += usize::from(tx.status == Some(TransactionStatus::Declined));
        large += usize::from(tx.amount.major() > 500.0);
        countries
            .entry(&tx.user_id)
            .or_default()
            .extend(&tx.country);
        if let Some(device) = &tx.device {
            users.entry(device).or_default().insert(&tx.user_id);
            devices.entry(&tx.user_id).or_default().insert(device);
        }
    }
    let share = |count: usize, of: usize| count as f64 / of as f64;
    // Households share tablets; phones are replaced; people travel.
    assert!(
        share(
            users.values().filter(|users| users.len() > 1).count(),
            users.len()
        ) > 0.05
    );
    assert!(
        share(
            devices.values().filter(|own| own.len() > 2).count(),
            devices.len()
        ) > 0.15
    );
    assert!(
        share(
            countries.values().filter(|been| been.len() > 1).count(),
            countries.len()
        ) > 0.3
    );
    assert!(share(large, all.len()) > 0.001);
    // The busiest tenth of the users makes more than a fifth of the payments.
    let mut rates: Vec<u32> = per_user.into_values().collect();
    rates.sort_unstable();
    let top: u32 = rates.iter().rev().take(rates.len() / 10).sum();
    assert!(share(top as usize, all.len()) > 0.2);
    // Nights are quiet, not empty.
    assert!(hours[3] > 0 && hours[3] * 20 < hours[18]);
    let n = all.len() as f64;
    // Runs of small payments repeat the decline of their first: twice the variance.
    assert!((declined as f64 - 0.012 * n).abs() < 5.0 * (2.0 * 0.012 * n).sqrt());
}
