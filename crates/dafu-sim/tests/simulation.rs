//! Order, identity and determinism of the streams.

#![allow(clippy::unwrap_used, reason = "tests")]

use dafu_core::{Currency, Label, StableHasher, Timestamp, Transaction};
use dafu_sim::{LabelDelay, Scenario, ScenarioRates, Simulator, SimulatorError, SimulatorParams};
use std::collections::{BTreeMap, BTreeSet};

fn small() -> SimulatorParams {
    SimulatorParams::default()
        .users(300)
        .merchants(300)
        .days(20)
        .seed(11)
}

fn collect(params: &SimulatorParams) -> Vec<Transaction> {
    params.simulator().unwrap().collect()
}

#[test]
fn ten_thousand_transactions_keep_their_golden_hash() {
    let mut hasher = StableHasher::default();
    let params = SimulatorParams::default().seed(2_024).unlabelled_share(0.1);
    let mut count = 0;
    for simulated in params.simulator().unwrap().with_truth().take(10_000) {
        hasher.number(simulated.transaction.content_hash());
        hasher.number(simulated.transaction.is_fraud as u64);
        hasher.text(simulated.scenario.map_or("", Scenario::name));
        hasher.number(simulated.label_known_at.as_micros().cast_unsigned());
        count += 1;
    }
    assert_eq!(count, 10_000);
    // A change here changes every simulated file: it needs a line under "Breaking" in the changelog.
    assert_eq!(std::hash::Hasher::finish(&hasher), GOLDEN);
}

const GOLDEN: u64 = 7_197_787_116_052_337_926;

#[test]
fn transactions_come_in_order_with_unique_ids_and_sound_values() {
    let mut ids = BTreeSet::new();
    let params = small();
    let end = params.start.as_micros() + i64::from(params.days) * 86_400_000_000;
    let mut last = params.start;
    for tx in params.simulator().unwrap() {
        assert!(tx.timestamp >= last && tx.timestamp.as_micros() < end);
        last = tx.timestamp;
        assert!(tx.amount.minor() >= 1 && tx.amount.major().is_finite());
        assert_eq!(tx.amount.currency(), Currency::new("EUR").unwrap());
        assert_ne!(tx.is_fraud, Label::Unknown);
        assert!(tx.category.is_some() && tx.card.is_some() && tx.country.is_some());
        assert_eq!(tx.user_agent.is_some(), tx.ip.is_some());
        assert!(tx.ip.is_none() || tx.device.is_some());
        assert!(ids.insert(tx.transaction_id));
    }
    assert!(ids.len() > 5_000);
}

#[test]
fn the_same_seed_gives_the_same_stream_and_another_seed_another() {
    let first = collect(&small());
    assert_eq!(first, collect(&small()));
    let other = collect(&small().seed(12));
    let amounts = |all: &[Transaction]| {
        all.iter()
            .take(200)
            .map(|tx| tx.amount.minor())
            .collect::<Vec<_>>()
    };
    assert_ne!(amounts(&first), amounts(&other));
    let cards = |all: &[Transaction]| {
        all.iter()
            .filter_map(|tx| tx.card.clone())
            .collect::<BTreeSet<_>>()
    };
    assert!(cards(&first).is_disjoint(&cards(&other)));
}

#[test]
fn more_days_only_append() {
    let short = collect(&small());
    let long = small().days(35).simulator().unwrap();
    assert!(long.take(short.len()).eq(short));
}

#[test]
fn a_later_start_joins_the_same_stream() {
    let params = small();
    let start = Timestamp::from_micros(params.start.as_micros() + 15 * 86_400_000_000).unwrap();
    let late = collect(&small().start(start).days(5));
    let all = collect(&params);
    let at = all.iter().position(|tx| tx.timestamp >= start).unwrap();
    assert_eq!(all[at..], late);
}

#[test]
fn rates_change_no_honest_payment() {
    let key = |tx: &Transaction| {
        (
            tx.timestamp,
            tx.user_id.clone(),
            tx.amount.minor(),
            tx.device.clone(),
        )
    };
    let honest: BTreeMap<_, usize> = collect(&small().rates(ScenarioRates::NONE))
        .iter()
        .map(key)
        .fold(BTreeMap::new(), |mut all, key| {
            *all.entry(key).or_default() += 1;
            all
        });
    let rates = ScenarioRates::default().scaled(5.0);
    let mut fraud = 0;
    for simulated in small().rates(rates).simulator().unwrap().with_truth() {
        fraud += usize::from(simulated.is_fraud());
        assert!(simulated.is_fraud() || honest.contains_key(&key(&simulated.transaction)));
    }
    assert!(fraud > 100);
    assert!(
        small()
            .rates(ScenarioRates::NONE)
            .simulator()
            .unwrap()
            .all(|tx| tx.is_fraud == Label::Legitimate)
    );
}

#[test]
fn labels_change_nothing_but_labels() {
    let delay = LabelDelay {
        minimum_days: 1.0,
        mean_further_days: 0.0,
    };
    let plain = collect(&small());
    let partly = collect(&small().unlabelled_share(0.5).label_delay(delay));
    let unknown = partly
        .iter()
        .filter(|tx| tx.is_fraud == Label::Unknown)
        .count();
    // Five standard deviations of a binomial share of one half.
    let n = partly.len() as f64;
    assert!((unknown as f64 - n / 2.0).abs() < 5.0 * (n / 4.0).sqrt());
    for (a, mut b) in plain.into_iter().zip(partly) {
        b.is_fraud = a.is_fraud;
        assert_eq!(a, b);
    }
}

#[test]
fn labels_are_hidden_until_they_are_known() {
    let params = small().unlabelled_share(0.2);
    for simulated in params.simulator().unwrap().with_truth() {
        let (known, fraud) = (simulated.label_known_at, simulated.is_fraud());
        let paid = simulated.transaction.timestamp;
        let never = known == Timestamp::MAX;
        assert_eq!(never, simulated.transaction.is_fraud == Label::Unknown);
        assert!(never || known.since(paid) >= 7 * 86_400_000_000);
        let before = Timestamp::from_micros(known.as_micros() - 1).unwrap();
        assert_eq!(simulated.clone().seen_at(before).is_fraud, Label::Unknown);
        if !never {
            assert_eq!(
                simulated.clone().seen_at(known).is_fraud,
                Label::from(fraud)
            );
        }
        assert_eq!(simulated.with_true_label().is_fraud, Label::from(fraud));
    }
}

#[test]
fn works_at_the_limits() {
    let least = SimulatorParams::default().users(10).merchants(14).days(400);
    let rates = ScenarioRates::default().scaled(100.0);
    assert!(collect(&least.clone().rates(rates)).len() > 3_000);
    for start in [
        "0001-02-01T00:00:00Z",
        "1969-12-20T00:00:00Z",
        "8999-01-01T00:00:00Z",
    ] {
        let params = least.clone().start(start.parse().unwrap()).days(30);
        let all = collect(&params);
        let ids: BTreeSet<_> = all.iter().map(|tx| tx.transaction_id.clone()).collect();
        assert_eq!(ids.len(), all.len());
        assert!(all.is_sorted_by_key(|tx| tx.timestamp));
    }
    let yen = least.days(3).currency(Currency::new("JPY").unwrap());
    assert!(yen.simulator().unwrap().all(|tx| tx.amount.minor() >= 1));
}

#[test]
fn rejects_parameters_outside_their_intervals() {
    let good = SimulatorParams::default;
    assert!(good().check().is_ok());
    for bad in [
        good().days(0),
        good().users(9),
        good().merchants(13),
        good().payments_per_user_day(0.0),
        good().payments_per_user_day(f64::NAN),
        good().unlabelled_share(1.1),
        good().rates(ScenarioRates::only(Scenario::Ring, -0.1)),
        good().rates(ScenarioRates::only(Scenario::Ring, f64::NAN)),
        good().label_delay(LabelDelay {
            minimum_days: -1.0,
            mean_further_days: 0.0,
        }),
    ] {
        assert!(matches!(
            bad.check(),
            Err(SimulatorError::CountOutOfRange { .. } | SimulatorError::OutOfRange { .. })
        ));
    }
    for start in ["2024-01-01T00:00:01Z", "8999-12-31T00:00:00Z"] {
        let bad = good().start(start.parse().unwrap());
        assert!(matches!(bad.check(), Err(SimulatorError::Start { .. })));
    }
}

#[test]
fn streams_can_be_sent_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Simulator>();
    check::<dafu_sim::SimulatedTransactions>();
    check::<dafu_sim::BehaviorEvents>();
    check::<dafu_sim::DailySummaries>();
    check::<SimulatorError>();
}

#[test]
fn summaries_add_up_to_the_approved_transactions() {
    use dafu_core::TransactionStatus::Approved;
    let mut expected: BTreeMap<_, (u32, i64)> = BTreeMap::new();
    for tx in small()
        .simulator()
        .unwrap()
        .filter(|tx| tx.status == Some(Approved))
    {
        let (count, sum) = expected
            .entry((tx.timestamp.day(), tx.user_id))
            .or_default();
        *count += 1;
        *sum += tx.amount.minor();
    }
    let mut rows = 0;
    for summary in small().simulator().unwrap().daily_summaries() {
        rows += 1;
        assert_eq!(summary.timestamp.second_of_day(), 0);
        let key = (summary.timestamp.day(), summary.user_id);
        let (count, sum) = expected.remove(&key).unwrap_or_default();
        assert_eq!(
            (summary.transaction_count, summary.daily_amount.minor()),
            (count, sum)
        );
    }
    assert!(expected.is_empty());
    assert_eq!(rows, 300 * 20);
}

#[test]
fn behaviour_has_a_purchase_for_every_online_payment_in_order() {
    let online = |tx: &Transaction| tx.ip.is_some();
    let mut payments = small()
        .simulator()
        .unwrap()
        .filter(online)
        .map(|tx| (tx.timestamp, tx.amount.minor()))
        .collect::<Vec<_>>();
    let mut last = small().start;
    let mut purchases = Vec::new();
    let mut logins = 0;
    for event in small().simulator().unwrap().behavior_events() {
        assert!(event.timestamp >= last);
        last = event.timestamp;
        assert!(event.device_id.is_some() && event.location.is_some());
        logins += usize::from(event.action_type.as_str() == "login");
        assert_eq!(
            event.amount.is_some(),
            event.action_type.as_str() == "purchase"
        );
        purchases.extend(event.amount.map(|amount| (event.timestamp, amount.minor())));
    }
    payments.sort_unstable();
    purchases.sort_unstable();
    assert_eq!(payments, purchases);
    assert!(logins > purchases.len() / 2);
}

#[cfg(feature = "serde")]
#[test]
fn parameters_survive_json_and_unknown_keys_do_not() {
    let params = small().rates(ScenarioRates::only(Scenario::CardTesting, 0.01));
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(
        serde_json::from_str::<SimulatorParams>(&text).unwrap(),
        params
    );
    assert_eq!(
        serde_json::from_str::<SimulatorParams>("{}").unwrap(),
        SimulatorParams::default()
    );
    assert!(serde_json::from_str::<SimulatorParams>("{\"user\": 3}").is_err());
}

#[cfg(feature = "csv")]
#[test]
fn csv_files_read_back_field_by_field() {
    use dafu_sim::{CsvColumns, write_csv};
    let all = collect(&small().unlabelled_share(0.1).days(3));
    let mut file = Vec::new();
    let rows = write_csv(all.iter().cloned(), &mut file, CsvColumns::All).unwrap();
    assert_eq!(rows, all.len() as u64);
    let mut reader = csv::Reader::from_reader(file.as_slice());
    assert_eq!(reader.headers().unwrap().len(), 19);
    let mut quoted = 0;
    for (record, tx) in reader.records().map(Result::unwrap).zip(&all) {
        assert_eq!(&record[0], tx.transaction_id.as_str());
        let minor = (record[2].parse::<f64>().unwrap() * 100.0).round();
        assert!((minor - tx.amount.minor() as f64).abs() < 0.5);
        assert_eq!(record[4].parse::<Timestamp>().unwrap(), tx.timestamp);
        assert_eq!(
            &record[6],
            match tx.is_fraud {
                Label::Fraud => "1",
                Label::Legitimate => "0",
                Label::Unknown => "",
            }
        );
        assert_eq!(&record[10], tx.user_agent.as_deref().unwrap_or(""));
        quoted += usize::from(record[10].contains(','));
        assert_eq!(
            record[16].parse::<f64>().is_ok(),
            tx.merchant_location.is_some()
        );
    }
    assert!(quoted > 10);
}
