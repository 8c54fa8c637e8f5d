//! Parameters that are good to begin with.

use super::{CategoricalInput, EncoderParams, NoveltyInput, Numbers, NumericInput};

fn number(name: &str) -> NumericInput {
    NumericInput::log(name).optional(true)
}

fn category(name: &str) -> CategoricalInput {
    CategoricalInput::new(name).optional(true)
}

fn novelty(name: &str, memory: usize) -> NoveltyInput {
    NoveltyInput::new(name).memory(memory).optional(true)
}

impl EncoderParams {
    /// A good default for [`Transaction`](dafu_core::Transaction)s: the amount and the distance from home (logarithms),
    /// category, country, currency and the extra `device_kind`; whether merchant, device, country and internet address are
    /// new for the user; gap, time of day and weekday.
    ///
    /// Fields that no training record has are left out. Who the merchant is, is not asked: what a network learned of single
    /// merchants would soon be out of date.
    #[must_use]
    pub fn transactions() -> Self {
        Self::default()
            .numeric(NumericInput::log("amount"))
            .numeric(number("home_merchant_distance"))
            .categorical(category("category"))
            .categorical(category("country").max_categories(250))
            .categorical(category("currency").max_categories(180))
            .categorical(category("device_kind"))
            .novelty(novelty("merchant_id", 6))
            .novelty(novelty("device_id", 4))
            .novelty(novelty("country", 3))
            .novelty(novelty("ip", 3))
    }

    /// A good default for [`BehaviorEvent`](dafu_core::BehaviorEvent)s: the action, the extra `device_kind`, the amount;
    /// whether device and location are new for the user. Amounts are read as intervals.
    ///
    /// Fields that no training record has are left out. Devices and locations are not told apart by name, so that users who
    /// are new after training are read like all others. Times are not read, as a model of the next event would have to predict
    /// them: on simulated takeovers, what it says about hours and gaps of honest users hides more than it shows.
    #[must_use]
    pub fn behavior() -> Self {
        Self::untimed()
            .numeric(number("amount"))
            .categorical(CategoricalInput::new("action_type"))
            .categorical(category("device_kind"))
            .novelty(novelty("device_id", 8))
            .novelty(novelty("location", 8))
    }

    /// A good default for [`DailySummary`](dafu_core::DailySummary)s: count and sum of the day (logarithms), the score of
    /// the source where there is one, as intervals; and the weekday.
    ///
    /// A summary has the time of the start of its day but tells of all of it: boundaries are best at midnight UTC.
    #[must_use]
    pub fn daily() -> Self {
        Self::untimed()
            .weekday(true)
            .numeric(NumericInput::log("transaction_count"))
            .numeric(NumericInput::log("daily_amount"))
            .numeric(NumericInput::new("risk_score").optional(true))
    }

    /// For models that predict inputs: numbers as intervals, and no times.
    fn untimed() -> Self {
        Self::default()
            .numbers(Numbers::Intervals)
            .gap(false)
            .hour(false)
            .weekday(false)
    }
}
