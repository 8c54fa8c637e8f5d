//! Histories and books of merchants: what changes their answers, and what does not.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::float_cmp,
    clippy::unwrap_used,
    reason = "tests"
)]

mod support;

use dafu_core::{Label, Transaction, TransactionStatus, Unit};
use dafu_rules::{FactorKind, MerchantBook, MerchantFactors, MerchantHistory};
use proptest::prelude::*;
use support::merchant::{DAY, NOW, assess, assess_with, at, id, minor, pay, processor};

#[test]
fn settings_out_of_range_are_named() {
    let settings = MerchantFactors::default;
    for (wrong, name) in [
        (settings().recent_days(366), "recent_days"),
        (settings().window_days(29), "window_days"),
        (settings().window_days(36_501), "window_days"),
        (settings().night(0, 24), "night"),
        (settings().round_to(0), "round_to"),
        (settings().limits(0..17), "limits"),
        (settings().below_percent(51), "below_percent"),
        (settings().small_amount(f64::NAN), "small_amount"),
        (settings().far_km(-1.0), "far_km"),
        (settings().rare_country(0.0), "rare_country"),
        (settings().shared_by(1), "shared_by"),
        (settings().utc_offset_minutes(1_081), "utc_offset_minutes"),
    ] {
        let history = MerchantHistory::new(at(NOW), []);
        let mistake = processor()
            .assess(&id("shop"), &history, &wrong)
            .unwrap_err();
        assert!(
            mistake
                .to_string()
                .starts_with(&format!("`{name}` must be")),
            "{mistake}"
        );
        assert!(MerchantBook::new(at(NOW), &wrong).is_err());
    }
}

#[test]
fn a_record_that_stands_twice_counts_twice() {
    let once = pay(0, at(NOW - DAY));
    let answer = assess(&[once.clone(), once.clone()]);
    let payments = answer.factor(FactorKind::Payments).unwrap();
    assert_eq!(payments.value, Some(2.0));
    let mut book = MerchantBook::new(at(NOW), &MerchantFactors::default()).unwrap();
    book.extend(&[once.clone(), once]);
    assert_eq!(book.assess(&processor()).unwrap(), [answer]);
}

/// What a payment of a random history is made of.
fn any_payment() -> impl Strategy<Value = Transaction> {
    let status = prop_oneof![
        Just(None),
        Just(Some(TransactionStatus::Approved)),
        Just(Some(TransactionStatus::Declined)),
        Just(Some(TransactionStatus::Reversed)),
        Just(Some(TransactionStatus::ChargedBack)),
    ];
    let label = prop_oneof![
        Just(Label::Unknown),
        Just(Label::Legitimate),
        Just(Label::Fraud)
    ];
    let ids = (0_usize..8, 0_usize..6, 0_usize..3, 0_usize..4);
    // Some times are equal, some later than the moment asked about.
    let moment = (-5_i64..120).prop_map(|days| at(NOW - days * DAY / 2));
    (
        ids,
        moment,
        -300_i64..120_000,
        status,
        label,
        0_usize..1_000_000,
    )
        .prop_map(
            |((user, device, country, shop), when, amount, status, label, number)| {
                let mut payment = minor(pay(number, when), amount);
                payment.user_id = id(&format!("u-{user}"));
                payment.device = format!("d-{device}").parse().ok();
                payment.country = Some(id(["DE", "FR", "BR"][country]));
                // Half of them at the shop that is looked at.
                payment.merchant_id = id(["shop", "shop", "kiosk", "bar"][shop]);
                payment.status = status;
                payment.is_fraud = label;
                payment
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_the_future_and_other_merchants_change_nothing(
        payments in prop::collection::vec(any_payment(), 0..160),
    ) {
        let answer = assess(&payments);
        let mut turned = payments.clone();
        turned.reverse();
        prop_assert_eq!(&assess(&turned), &answer);
        turned.retain(|payment| payment.timestamp <= at(NOW) && payment.merchant_id.as_str() == "shop");
        prop_assert_eq!(&assess(&turned), &answer);
    }

    #[test]
    fn a_book_says_the_same_as_each_history(
        payments in prop::collection::vec(any_payment(), 0..160),
    ) {
        let mut book = MerchantBook::new(at(NOW), &MerchantFactors::default()).unwrap();
        book.extend(&payments);
        let answers = book.assess(&processor()).unwrap();
        prop_assert_eq!(answers.len(), book.len());
        prop_assert!(answers.is_sorted_by(|left, right| left.risk_score >= right.risk_score));
        let history = MerchantHistory::new(at(NOW), &payments);
        for answer in answers {
            let direct = processor().assess(&answer.merchant, &history, &MerchantFactors::default()).unwrap();
            prop_assert_eq!(book.assess_one(&processor(), &answer.merchant).unwrap(), Some(direct.clone()));
            prop_assert_eq!(direct, answer);
        }
    }

    #[test]
    fn what_is_before_the_window_might_as_well_not_be_there(
        payments in prop::collection::vec(any_payment(), 0..160),
        days in 10_u32..60,
    ) {
        let all = MerchantFactors::default().recent_days(10);
        let window = all.clone().window_days(days);
        let later: Vec<_> = payments
            .iter()
            .filter(|payment| payment.timestamp > at(NOW - i64::from(days) * DAY))
            .cloned()
            .collect();
        let answer = assess_with(&payments, &window);
        prop_assert_eq!(&answer, &assess_with(&later, &all));
        let book = |payments: &[Transaction], factors: &MerchantFactors| {
            let mut book = MerchantBook::new(at(NOW), factors).unwrap();
            book.extend(payments);
            book.assess(&processor()).unwrap()
        };
        prop_assert_eq!(book(&payments, &window), book(&later, &all));
    }

    #[test]
    fn ten_times_the_amount_changes_only_what_knows_sizes(
        payments in prop::collection::vec(any_payment(), 0..160),
    ) {
        let answer = assess(&payments);
        let larger: Vec<_> = payments
            .iter()
            .map(|payment| minor(payment.clone(), 10 * payment.amount.minor()))
            .collect();
        for (before, after) in answer.factors.iter().zip(assess(&larger).factors) {
            let knows_sizes = matches!(
                before.kind,
                FactorKind::RoundShare
                    | FactorKind::BelowLimitShare
                    | FactorKind::SmallDeclinedShare
                    | FactorKind::CardTestingPeak
                    | FactorKind::CardTestingChance
            );
            if !knows_sizes {
                let near = |(left, right): (f64, f64)| (left - right).abs() <= 1e-12 * left.abs().max(1.0);
                prop_assert!(before.value.zip(after.value).is_none_or(near), "{}", before.kind);
                prop_assert_eq!(before.value.is_some(), after.value.is_some());
            }
        }
    }

    #[test]
    fn values_lie_in_their_intervals_and_shares_from_0_to_1(
        payments in prop::collection::vec(any_payment(), 0..160),
    ) {
        let answer = assess(&payments);
        for factor in &answer.factors {
            prop_assert_eq!(factor.interval.is_some(), factor.value.is_some());
            let value = factor.value.unwrap_or(0.0);
            prop_assert!(value.is_finite() && value >= 0.0);
            prop_assert!(factor.unit != Unit::Share || value <= 1.0);
            if let Some((low, high)) = factor.interval {
                prop_assert!(low <= value + 1e-12 && value <= high + 1e-12, "{}", factor.kind);
            }
            prop_assert!(factor.transactions.len() <= 10);
        }
    }
}
