//! Factors of merchants: values on small histories.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use dafu_core::{Currency, GeoPoint, Label, Money, Timestamp, TransactionStatus, Unit};
use dafu_rules::{
    Factor, FactorKind, MOST_CUSTOMERS, MerchantFactors, MerchantHistory, MerchantRiskProcessor,
};
use support::merchant::{
    DAY, NOW, ago, assess, assess_with, at, factor, id, is_share, minor, near, pay, processor,
    value, wilson,
};

#[test]
fn statuses_and_labels_become_rates() {
    let mut payments: Vec<_> = (0..20).map(|n| pay(n, ago(n as f64))).collect();
    for (n, payment) in payments.iter_mut().enumerate() {
        payment.status = match n {
            0..3 => Some(TransactionStatus::ChargedBack),
            3..7 => Some(TransactionStatus::Declined),
            7..9 => Some(TransactionStatus::Reversed),
            9..18 => Some(TransactionStatus::Approved),
            _ => None,
        };
        payment.is_fraud = match n {
            0 | 1 => Label::Fraud,
            2..12 => Label::Legitimate,
            _ => Label::Unknown,
        };
    }
    // Of 100.00 each, so that the sum that was charged back differs from the number.
    payments[0] = minor(payments[0].clone(), 10_000);
    payments.push(minor(pay(20, ago(1.0)), -2_500));
    let answer = assess(&payments);
    near(value(&answer, FactorKind::Payments), 20.0);
    is_share(&answer, FactorKind::ChargebackRate, 3, 14);
    is_share(&answer, FactorKind::DeclineRate, 4, 18);
    is_share(&answer, FactorKind::RefundShare, 3, 15);
    is_share(&answer, FactorKind::FraudRate, 2, 12);
    let money = factor(&answer, FactorKind::ChargebackAmountShare);
    // 150.00 of 425.00; 425^2 / (100^2 + 13 x 25^2) equal payments say as much.
    near(money.value.unwrap(), 150.0 / 425.0);
    let effective: f64 = 425.0 * 425.0 / (10_000.0 + 13.0 * 625.0);
    let (low, high) = money.interval.unwrap();
    let (least, most) = wilson(150.0 / 425.0 * effective, effective);
    near(low, least);
    near(high, most);
    let shown: Vec<_> = factor(&answer, FactorKind::ChargebackRate)
        .transactions
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["t-0", "t-1", "t-2"]);
}

#[test]
fn rates_and_amounts_are_compared_with_those_before() {
    // 1 + 10 payments in 60 days before the recent 30, then 20 at twice the amount.
    let mut payments: Vec<_> = (0..11)
        .map(|n| {
            minor(
                pay(n, ago(90.0 - 5.0 * n as f64)),
                1_000 + 200 * (n as i64 % 2),
            )
        })
        .collect();
    payments.extend(
        (11..31).map(|n| minor(pay(n, ago(n as f64 - 10.5)), 2_000 + 400 * (n as i64 % 2))),
    );
    let answer = assess(&payments);
    let change = factor(&answer, FactorKind::VelocityChange);
    // 20 in 30 days and 10 in 60, and one more spread over both.
    let ratio = |share: f64| share / (1.0 - share) * 2.0;
    near(change.value.unwrap(), ratio((20.0 + 1.0 / 3.0) / 31.0));
    let (low, high) = change.interval.unwrap();
    let (least, most) = wilson(20.0 + 1.0 / 3.0, 31.0);
    near(low, ratio(least));
    near(high, ratio(most));
    assert_eq!(change.events, 30);

    let change = factor(&answer, FactorKind::AmountChange);
    let mean = (6.0 * 10.0 + 5.0 * 12.0) / 11.0;
    near(change.value.unwrap(), 22.0 / mean);
    // Sample variances: 20 amounts of 20 and 24 in equal parts, 6 of 10 and 5 of 12.
    let recent = 4.0 * 20.0 / 19.0 / 20.0 / (22.0 * 22.0);
    let spread = 6.0 * (10.0 - mean) * (10.0 - mean) + 5.0 * (12.0 - mean) * (12.0 - mean);
    let earlier = spread / 10.0 / 11.0 / (mean * mean);
    let (low, high) = change.interval.unwrap();
    let error = 1.959_963_984_540_054 * f64::sqrt(recent + earlier);
    near(low, 22.0 / mean * (-error).exp());
    near(high, 22.0 / mean * error.exp());
    assert_eq!(
        change.evidence,
        [
            "mean of 20 recent amounts 22.00, of 11 before 10.91: 2.02 times as much, and likely 1.88 to 2.16"
        ]
    );
    near(value(&answer, FactorKind::Age), 90.0);
}

#[test]
fn amounts_are_round_below_limits_and_begin_with_digits() {
    let amounts = [1_000, 2_000, 2_001, 99_900, 95_000, 94_999, 100_000, 0];
    let mut payments: Vec<_> = (0..)
        .zip(amounts)
        .map(|(n, amount)| minor(pay(n, ago(1.0)), amount))
        .collect();
    let answer = assess(&payments);
    // 0 is no amount; 10, 20, 950 and 1,000 are round.
    is_share(&answer, FactorKind::RoundShare, 4, 7);
    is_share(&answer, FactorKind::BelowLimitShare, 2, 7);
    assert_eq!(factor(&answer, FactorKind::BenfordChiSquare).value, None);

    // 110 amounts that all begin with 1.
    payments.extend((8..111).map(|n| minor(pay(n, ago(1.0)), 150)));
    payments.retain(|payment| payment.amount.minor().to_string().starts_with('1'));
    payments.extend((111..116).map(|n| minor(pay(n, ago(1.0)), 1_999)));
    assert_eq!(payments.len(), 110);
    let answer = assess(&payments);
    let first = std::f64::consts::LOG10_2;
    near(
        value(&answer, FactorKind::BenfordDeviation),
        2.0 * (1.0 - first) / 9.0,
    );
    // The sum of (seen - expected)^2 / expected is n (1 / p - 1) where all fall into one class.
    near(
        value(&answer, FactorKind::BenfordChiSquare),
        110.0 * (1.0 / first - 1.0),
    );
}

#[test]
fn amounts_are_those_of_the_main_currency_with_its_own_decimals() {
    let yen = Currency::new("JPY").unwrap();
    let mut payments: Vec<_> = (0..5).map(|n| pay(n, ago(1.0))).collect();
    for payment in &mut payments[..3] {
        // 990 yen are a multiple of 10, and within 5 % of 1,000.
        payment.amount = Money::from_minor(990, yen);
    }
    let answer = assess(&payments);
    is_share(&answer, FactorKind::RoundShare, 3, 3);
    is_share(&answer, FactorKind::BelowLimitShare, 3, 3);
    let evidence = &factor(&answer, FactorKind::BelowLimitShare).evidence;
    assert_eq!(evidence[1], "amounts in JPY; 2 in others are left out");
}

#[test]
fn nights_are_those_of_the_merchant() {
    let payments: Vec<_> = [0, 5, 6, 12, 23]
        .iter()
        .enumerate()
        .map(|(n, hour)| pay(n, at(NOW - DAY + hour * 3_600)))
        .collect();
    is_share(&assess(&payments), FactorKind::NightShare, 2, 5);
    let ahead = MerchantFactors::default().utc_offset_minutes(60);
    is_share(
        &assess_with(&payments, &ahead),
        FactorKind::NightShare,
        2,
        5,
    );
    let evening = MerchantFactors::default()
        .night(22, 6)
        .utc_offset_minutes(-60);
    // 23, 4, 5, 11 and 22 o'clock.
    is_share(
        &assess_with(&payments, &evening),
        FactorKind::NightShare,
        4,
        5,
    );
}

#[test]
fn customers_are_new_many_or_one() {
    // Earlier: a, a, b. Recent: a, c, c, c, d.
    let who = ["a", "a", "b", "a", "c", "c", "c", "d"];
    let payments: Vec<_> = who
        .iter()
        .enumerate()
        .map(|(n, user)| {
            let mut payment = pay(n, ago(if n < 3 { 50.0 } else { 3.0 }));
            payment.user_id = id(user);
            payment
        })
        .collect();
    let answer = assess(&payments);
    near(value(&answer, FactorKind::Customers), 4.0);
    is_share(&answer, FactorKind::NewCustomerShare, 2, 3);
    // 3 x 2 pairs of a and of c, of 8 x 7.
    near(
        value(&answer, FactorKind::CustomerConcentration),
        12.0 / 56.0,
    );
    is_share(&answer, FactorKind::TopCustomerShare, 3, 8);
    // Of equals, the first by name.
    let evidence = &factor(&answer, FactorKind::TopCustomerShare).evidence;
    assert!(evidence[0].starts_with("3 of 8 payments were those of a: 37.5%"));
}

#[test]
fn devices_of_several_customers_are_shared() {
    let payments: Vec<_> = ["x", "x", "x", "x", "y", "y", ""]
        .iter()
        .enumerate()
        .map(|(n, device)| {
            let mut payment = pay(n, ago(1.0));
            payment.device = device.parse().ok();
            payment.user_id = id(&format!("u-{}", n % 3));
            payment
        })
        .collect();
    let answer = assess(&payments);
    is_share(&answer, FactorKind::SharedDeviceShare, 4, 6);
    let two = assess_with(&payments, &MerchantFactors::default().shared_by(2));
    is_share(&two, FactorKind::SharedDeviceShare, 6, 6);
}

#[test]
fn small_declined_payments_of_one_hour_are_counted() {
    // Hours are counted back from the moment asked about.
    let seconds = [10, 20, 3_599, 3_600, 90 * DAY, 90 * DAY, 90 * DAY, 90 * DAY];
    let mut payments: Vec<_> = seconds
        .iter()
        .enumerate()
        .map(|(n, seconds)| {
            let mut payment = minor(pay(n, at(NOW - seconds)), 500);
            payment.status = Some(TransactionStatus::Declined);
            payment
        })
        .collect();
    payments.push(pay(8, ago(1.0)));
    let mut large = pay(9, at(NOW - 30));
    large.status = Some(TransactionStatus::Declined);
    payments.push(minor(large, 501));
    let answer = assess(&payments);
    is_share(&answer, FactorKind::SmallDeclinedShare, 8, 10);
    near(value(&answer, FactorKind::CardTestingPeak), 3.0);
    // One other in 719 hours, and a half: 3 or more are expected 1.5e-9 times in each of 720 hours.
    let expected = 1.5_f64 / 719.0;
    let tail = expected.powi(3) / 6.0 * (1.0 - 0.75 * expected);
    let chance = value(&answer, FactorKind::CardTestingChance);
    assert!((chance / (720.0 * tail) - 1.0).abs() < 1e-4, "{chance}");
    let evidence = &factor(&answer, FactorKind::CardTestingPeak).evidence;
    assert_eq!(
        evidence[0],
        "3 small payments were declined in the hour from 1971-02-04T23:00:00Z"
    );
}

#[test]
fn countries_are_rare_by_those_before() {
    let place = |n: usize, days, country: &str| {
        let mut payment = pay(n, ago(days));
        payment.country = country.parse().ok();
        payment
    };
    let mut payments: Vec<_> = (0..39).map(|n| place(n, 50.0, "DE")).collect();
    payments.push(place(39, 50.0, "FR"));
    payments.extend((40..44).map(|n| place(n, 2.0, "DE")));
    payments.extend([
        place(44, 2.0, "FR"),
        place(45, 2.0, "BR"),
        place(46, 2.0, ""),
    ]);
    let answer = assess(&payments);
    near(value(&answer, FactorKind::Countries), 3.0);
    is_share(&answer, FactorKind::RareCountryShare, 2, 6);
    let evidence = &factor(&answer, FactorKind::RareCountryShare).evidence;
    assert_eq!(evidence[1], "1 from BR, 1 from FR");
    // Of 19 earlier payments, one alone is more than 5 %.
    let few = assess(&payments[21..]);
    assert_eq!(factor(&few, FactorKind::RareCountryShare).value, None);
}

#[test]
fn payments_far_from_home_are_those_of_known_places() {
    let point = |latitude| GeoPoint::new(latitude, 8.0).ok();
    let payments: Vec<_> = [Some(50.1), Some(54.4), Some(54.6), None]
        .iter()
        .enumerate()
        .map(|(n, shop)| {
            let mut payment = pay(n, ago(1.0));
            payment.user_location = point(50.0);
            // A degree of latitude is 111.2 km.
            payment.merchant_location = shop.and_then(point);
            payment
        })
        .collect();
    let answer = assess(&payments);
    is_share(&answer, FactorKind::FarShare, 1, 3);
    assert_eq!(
        factor(&answer, FactorKind::FarShare).transactions[0].as_str(),
        "t-2"
    );
}

#[test]
fn the_longest_silence_that_ended_recently_counts() {
    let days = [300.0, 299.0, 100.5, 100.0, 20.0, 19.5, 10.0, 10.0];
    let payments: Vec<_> = days
        .iter()
        .enumerate()
        .map(|(n, days)| pay(n, ago(*days)))
        .collect();
    let answer = assess(&payments);
    // That of 198.5 days ended before; of those of 80 and 9.5 days the longer one counts.
    near(value(&answer, FactorKind::Dormancy), 80.0);
    near(value(&answer, FactorKind::DormancyBurst), 4.0);
    // Nothing recent, nothing before.
    for payments in [&payments[..4], &payments[7..]] {
        assert_eq!(factor(&assess(payments), FactorKind::Dormancy).value, None);
    }
    // What is older than a year is told from what is not.
    let old = [pay(0, ago(399.0)), pay(1, ago(390.0)), pay(2, ago(1.0))];
    near(value(&assess(&old), FactorKind::Dormancy), 389.0);
}

#[test]
fn what_rests_on_nothing_is_missing() {
    let answer = assess(&[]);
    for factor in &answer.factors {
        let counted = factor.kind == FactorKind::Payments;
        assert_eq!(factor.value.is_some(), counted, "{}", factor.kind);
        let nothing = counted.then_some((0.0, 0.0));
        assert_eq!((factor.interval, factor.events), (nothing, 0));
        assert!(!factor.evidence.is_empty(), "{} says why", factor.kind);
    }
    assert_eq!(answer.risk_score.get(), 0.0);
    assert_eq!(answer.action.name(), "approve");

    let mut one = pay(0, ago(1.0));
    one.status = None;
    let answer = assess(&[one]);
    let known: Vec<_> = answer
        .factors
        .iter()
        .filter(|factor| factor.value.is_some())
        .map(Factor::name)
        .collect();
    assert_eq!(
        known,
        [
            "payments",
            "customers",
            "age",
            "round_share",
            "below_limit_share",
            "night_share",
            "top_customer_share"
        ]
    );
    assert_eq!(answer.fired().count(), 0);
}

#[test]
fn equal_amounts_have_a_change_that_is_certain() {
    let payments: Vec<_> = (0..200).map(|n| pay(n, ago(n as f64 / 2.0))).collect();
    let change = assess(&payments);
    let change = factor(&change, FactorKind::AmountChange);
    assert_eq!(
        (change.value, change.interval),
        (Some(1.0), Some((1.0, 1.0)))
    );
}

#[test]
fn amounts_at_the_end_of_their_range_are_no_trouble() {
    let payments: Vec<_> = (0..300)
        .map(|n| {
            let amount = if n % 2 == 0 { i64::MAX } else { i64::MIN };
            let when = if n % 3 == 0 { Timestamp::MIN } else { ago(0.0) };
            minor(pay(n, when), amount)
        })
        .collect();
    for factor in assess(&payments).factors {
        assert!(factor.value.is_none_or(f64::is_finite), "{}", factor.kind);
        let (low, high) = factor.interval.unwrap_or((0.0, 0.0));
        assert!(low.is_finite() && high.is_finite() && low <= high);
    }
    for until in [Timestamp::MIN, Timestamp::MAX] {
        let history = MerchantHistory::new(until, &payments);
        let answer = processor().assess(&id("shop"), &history, &MerchantFactors::default());
        assert!(answer.is_ok());
    }
}

#[test]
fn facts_are_certain_and_estimates_are_not() {
    let payments: Vec<_> = (0..240)
        .map(|n| {
            // Five of the small declined payments within an hour.
            let together = n % 8 == 0 && n < 40;
            let days = if together { 1.0 } else { n as f64 / 3.0 };
            let mut payment = minor(pay(n, ago(days)), 100 + 37 * n as i64);
            payment.user_id = id(&format!("u-{}", n % 40));
            payment.country = Some(id("DE"));
            if n % 8 == 0 {
                payment.status = Some(TransactionStatus::Declined);
                payment = minor(payment, 100);
            }
            payment
        })
        .collect();
    let answer = assess(&payments);
    for factor in &answer.factors {
        let (Some(value), Some((low, high))) = (factor.value, factor.interval) else {
            assert_eq!(
                (factor.value, factor.interval),
                (None, None),
                "{}",
                factor.kind
            );
            continue;
        };
        let fact = matches!(
            factor.kind,
            FactorKind::Payments
                | FactorKind::Customers
                | FactorKind::Age
                | FactorKind::CardTestingPeak
                | FactorKind::Countries
                | FactorKind::Dormancy
                | FactorKind::DormancyBurst
        );
        assert_eq!(fact, low == high, "{}: {value} {low} {high}", factor.kind);
        assert!(
            low <= value + 1e-12 && value <= high,
            "{}: {value} {low} {high}",
            factor.kind
        );
    }
    let known = answer
        .factors
        .iter()
        .filter(|factor| factor.value.is_some());
    assert!(known.count() >= 20);
}

#[test]
fn only_wanted_factors_are_computed_and_the_others_are_missing_to_rules() {
    let payments: Vec<_> = (0..10).map(|n| pay(n, ago(1.0))).collect();
    let only = MerchantFactors::default().only([FactorKind::Age, FactorKind::NightShare]);
    let answer = assess_with(&payments, &only);
    let kinds: Vec<_> = answer.factors.iter().map(|factor| factor.kind).collect();
    assert_eq!(kinds, [FactorKind::Age, FactorKind::NightShare]);
    let all = assess(&payments);
    assert_eq!(answer.factor(FactorKind::Age), all.factor(FactorKind::Age));
    let without = MerchantFactors::default().without(FactorKind::Age);
    assert_eq!(
        assess_with(&payments, &without).factors.len(),
        all.factors.len() - 1
    );
    let unknown = answer
        .rules
        .iter()
        .filter(|(_, outcome)| *outcome == dafu_core::RuleOutcome::NotEvaluated);
    assert!(unknown.count() > 15);
}

#[test]
fn names_are_those_of_serde_and_of_the_schema() {
    let schema = MerchantRiskProcessor::schema();
    for kind in FactorKind::ALL {
        let (variable, _) = schema.find(kind.name()).unwrap();
        assert!(variable.nullable);
        for end in ["low", "high", "events"] {
            assert!(schema.find(&format!("{kind}_{end}")).is_some(), "{kind}");
        }
        #[cfg(feature = "serde")]
        assert_eq!(serde_json::to_string(kind).unwrap(), format!("\"{kind}\""));
    }
    assert_eq!(FactorKind::Age.unit(), Unit::Day);
}

#[test]
fn more_customers_than_are_held_become_a_sample() {
    let many = MOST_CUSTOMERS * 5;
    let payments: Vec<_> = (0..many)
        .map(|n| pay(n, ago(40.0 * n as f64 / many as f64)))
        .collect();
    let answer = assess(&payments);
    let customers = factor(&answer, FactorKind::Customers);
    // Standard error about 1.2 / sqrt(4096).
    assert!((customers.value.unwrap() / many as f64 - 1.0).abs() < 0.08);
    assert!(customers.evidence[1].starts_with("from a sample of one in "));
    let (low, high) = customers.interval.unwrap();
    assert!(
        low < many as f64 && (many as f64) < high && high / low < 1.2,
        "{low} {high}"
    );
    near(value(&answer, FactorKind::CustomerConcentration), 0.0);
    near(value(&answer, FactorKind::NewCustomerShare), 1.0);
}
