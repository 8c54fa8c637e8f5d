//! The rules that come along.

use crate::{Action, Combination, Rule, RuleSet, RuleState};
use dafu_core::FeatureGroup;

/// See [`MerchantRiskProcessor::default_rules`](super::MerchantRiskProcessor::default_rules).
pub(super) fn default_rules() -> RuleSet {
    let rules = losses().into_iter().chain(patterns()).chain(places());
    RuleSet::new(rules).combination(Combination::NoisyOr)
}

fn rule(id: &str, condition: &str, risk_score: f64, reason: &str) -> Rule {
    Rule::new(id, condition, risk_score)
        .reason(reason)
        .group(FeatureGroup::Merchant)
}

/// What was lost, or refused.
fn losses() -> [Rule; 8] {
    [
        rule(
            "chargebacks_raised",
            "chargeback_rate_low > 0.65% and chargeback_rate_events >= 30",
            0.3,
            "a share of {chargeback_rate} of {chargeback_rate_events} settled payments was charged back, at least {chargeback_rate_low}",
        )
        .action(Action::FlagForReview),
        rule(
            "chargebacks_excessive",
            "chargeback_rate_low > 1.5% and chargeback_rate_events >= 30",
            0.5,
            "a share of {chargeback_rate} of {chargeback_rate_events} settled payments was charged back, at least {chargeback_rate_low}",
        )
        .action(Action::Custom("hold_payouts".into())),
        rule(
            "money_charged_back",
            "chargeback_amount_share_low > 3% and chargeback_amount_share_events >= 30",
            0.3,
            "a share of {chargeback_amount_share} of the settled sum was charged back, at least {chargeback_amount_share_low}",
        ),
        rule(
            "frauds_known",
            "fraud_rate_low > 1.5% and fraud_rate_events >= 30",
            0.5,
            "a share of {fraud_rate} of {fraud_rate_events} payments with a label is fraud, at least {fraud_rate_low}",
        ),
        rule(
            "frauds_many",
            "fraud_rate_low > 10% and fraud_rate_events >= 30",
            0.6,
            "a share of {fraud_rate} of {fraud_rate_events} payments with a label is fraud, at least {fraud_rate_low}",
        )
        .action(Action::Custom("hold_payouts".into())),
        rule(
            "declines_many",
            "decline_rate_low > 15% and decline_rate_events >= 30",
            0.25,
            "a share of {decline_rate} of {decline_rate_events} payments was declined, at least {decline_rate_low}",
        ),
        rule(
            "refunds_many",
            "refund_share_low > 20% and refund_share_events >= 30",
            0.2,
            "a share of {refund_share} was given back, at least {refund_share_low}",
        )
        .action(Action::FlagForReview),
        rule(
            "card_testing",
            "card_testing_peak >= 4 and card_testing_chance < 0.1%",
            0.5,
            "{card_testing_peak} small payments were declined within an hour",
        )
        .group(FeatureGroup::Temporal),
    ]
}

/// How much, how often, by whom.
fn patterns() -> [Rule; 10] {
    [
        rule(
            "busier",
            "velocity_change_low > 2",
            0.2,
            "{velocity_change} times as many payments a day as before, at least {velocity_change_low}",
        )
        .action(Action::FlagForReview)
        .group(FeatureGroup::Temporal),
        rule(
            "amounts_larger",
            "amount_change_low > 2 and amount_change_events >= 30",
            0.3,
            "amounts are {amount_change} times those before, at least {amount_change_low}",
        )
        .group(FeatureGroup::Amount),
        rule(
            "amounts_round",
            "round_share_low > 60% and round_share_events >= 30",
            0.15,
            "a share of {round_share} of the amounts is round, at least {round_share_low}",
        )
        .action(Action::FlagForReview)
        .group(FeatureGroup::Amount),
        rule(
            "amounts_below_limits",
            "below_limit_share_low > 10% and below_limit_share_events >= 30",
            0.3,
            "a share of {below_limit_share} of the amounts is just below a limit, at least {below_limit_share_low}",
        )
        .group(FeatureGroup::Amount),
        rule(
            "first_digits_unusual",
            "benford_deviation > 0.015 and benford_chi_square > 20.09",
            0.1,
            "first digits deviate from Benford by {benford_deviation}, chi square {benford_chi_square}",
        )
        .action(Action::FlagForReview)
        .state(RuleState::Shadow)
        .group(FeatureGroup::Amount),
        rule(
            "customers_few",
            "(top_customer_share_low > 40% or customer_concentration_low > 25%) and customers_events >= 30",
            0.25,
            "two payments are of one of {customers} customers with a chance of {customer_concentration}",
        ),
        rule(
            "customers_all_new",
            "new_customer_share_low > 80% and new_customer_share_events >= 30 and velocity_change_low > 1.5",
            0.2,
            "a share of {new_customer_share} of the recent customers is new, while payments came {velocity_change} times as often",
        )
        .action(Action::FlagForReview),
        rule(
            "devices_shared",
            "shared_device_share_low > 3% and shared_device_share_events >= 30",
            0.4,
            "a share of {shared_device_share} of the payments came from devices of several customers, at least {shared_device_share_low}",
        )
        .group(FeatureGroup::Device),
        rule(
            "woke_up",
            "dormancy > 60d and dormancy_burst >= 10",
            0.3,
            "{dormancy_burst} payments after a silence of {dormancy}",
        )
        .group(FeatureGroup::Temporal),
        rule(
            "young_and_busy",
            "age < 30d and payments >= 200",
            0.15,
            "{payments} payments within {age} of the first",
        )
        .action(Action::FlagForReview)
        .group(FeatureGroup::Temporal),
    ]
}

/// Where and when.
fn places() -> [Rule; 3] {
    [
        rule(
            "at_night",
            "night_share_low > 50% and night_share_events >= 30",
            0.15,
            "a share of {night_share} of the payments came at night, at least {night_share_low}",
        )
        .action(Action::FlagForReview)
        .group(FeatureGroup::Temporal),
        rule(
            "countries_rare",
            "rare_country_share_low > 20% and rare_country_share_events >= 30",
            0.25,
            "a share of {rare_country_share} of the recent payments came from countries that were rare, at least {rare_country_share_low}",
        )
        .group(FeatureGroup::Location),
        rule(
            "far_from_home",
            "far_share_low > 50% and far_share_events >= 30",
            0.15,
            "a share of {far_share} of the payments was far from home, at least {far_share_low}",
        )
        .action(Action::FlagForReview)
        .group(FeatureGroup::Location),
    ]
}
