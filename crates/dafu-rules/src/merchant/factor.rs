//! What is looked at, and what it came to.

use dafu_core::{TransactionId, Unit};
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $unit:ident;)*) => {
        /// What is looked at in the history of a merchant.
        ///
        /// *Records* are all transactions of the merchant up to the moment asked about. *Payments* are those of 0 or more,
        /// declined or not; *refunds* those of less than 0 that were not declined. *Settled* payments have a known status
        /// other than declined. *Amounts* are those of payments above 0 that were not declined, in the currency that most
        /// of them have (of several, the first by code). *Recent* are the last
        /// [`recent_days`](crate::MerchantFactors::recent_days), *earlier* is all before.
        ///
        /// Shares have the interval of Wilson, [`share_interval`](dafu_core::metrics::share_interval); all intervals are of
        /// 95 % and take payments as independent, which those of one customer are not: they are narrow rather than wide. What
        /// is a fact of the history, and no estimate of anything else, is both ends of its interval: `payments`, `age`,
        /// `card_testing_peak`, `dormancy`, `dormancy_burst`, and `customers` and `countries` unless they are sampled.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
        #[non_exhaustive]
        pub enum FactorKind {
            $($(#[$doc])* $kind,)*
        }

        impl FactorKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name, also that of the variable: `chargeback_rate`, ...
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The unit of the value.
            pub const fn unit(self) -> Unit {
                match self { $(Self::$kind => Unit::$unit,)* }
            }
        }
    };
}

kinds! {
    /// Payments.
    Payments = "payments", Count;
    /// Different users that paid; above [`MOST_CUSTOMERS`](crate::MOST_CUSTOMERS) an estimate from a sample of them.
    ///
    /// The interval of an estimate is that of Wilson, for the number of which so many are held: each is held with the same
    /// chance.
    Customers = "customers", Count;
    /// Time since the first payment of the history, of those within [`window_days`](crate::MerchantFactors::window_days).
    Age = "age", Day;
    /// Settled payments that were charged back, as a share of settled payments.
    ///
    /// Card schemes divide by the sales of the month in which the chargebacks came; here each payment counts with what
    /// became of it. Payments of the last weeks can still be charged back, so the share is rather low than high.
    ChargebackRate = "chargeback_rate", Share;
    /// The sum that was charged back, as a share of the settled sum.
    ///
    /// The interval is that of Wilson for as many payments as say as much when all are of one size: the square of the
    /// sum by the sum of squares.
    ///
    /// Source: Kish, "Survey Sampling" (1965), the effective size of a sample with weights.
    ChargebackAmountShare = "chargeback_amount_share", Share;
    /// Payments known to be fraud, as a share of those of which it is known whether they are.
    FraudRate = "fraud_rate", Share;
    /// Declined payments, as a share of those with a known status.
    DeclineRate = "decline_rate", Share;
    /// Reversed payments and refunds, as a share of settled payments and refunds.
    RefundShare = "refund_share", Share;
    /// Payments a day in the recent days, by payments a day before. Missing where all payments are recent.
    ///
    /// With one payment added, spread over both times as if nothing had changed: so it is finite, and near 1 where there
    /// is little to tell by. The earlier time begins with the first payment, which itself is not counted. Of all payments,
    /// those that are recent are binomial, and the interval is that of Wilson for their share; where payments come in
    /// clusters it is too narrow.
    ///
    /// Source: Przyborowski and Wilenski, "Homogeneity of Results in Testing Samples from Poisson Series" (1940), for the
    /// binomial; the payment added is ours.
    VelocityChange = "velocity_change", One;
    /// The mean amount of the recent days, by that before; needs two payments in both.
    ///
    /// Interval of the logarithm, by the variances of both means. For amounts with heavy tails and few payments it is too
    /// narrow.
    ///
    /// Source: Casella and Berger, "Statistical Inference" (2002), section 5.5.4 (the delta method).
    AmountChange = "amount_change", One;
    /// Amounts that are multiples of [`round_to`](crate::MerchantFactors::round_to), as a share of all.
    ///
    /// Source: Nigrini, "Forensic Analytics" (2011): round amounts tell of estimates and inventions.
    RoundShare = "round_share", Share;
    /// Amounts that are less than [`below_percent`](crate::MerchantFactors::below_percent) below one of the
    /// [`limits`](crate::MerchantFactors::limits), as a share of all.
    BelowLimitShare = "below_limit_share", Share;
    /// Mean absolute deviation of the shares of first digits from those of Benford: 0.006 is close, from 0.015 on they do
    /// not conform. Missing for fewer than 110 amounts.
    ///
    /// One merchant's amounts often spread over too little to conform, whoever they are.
    ///
    /// The interval is as wide as the mean absolute deviation of seen shares from those of all such amounts may be, by Pearson's
    /// chi square and the inequality of Cauchy and Schwarz: wide rather than narrow.
    ///
    /// Source: Nigrini, "Benford's Law" (2012), chapter 7, table 7.1 (first digits).
    BenfordDeviation = "benford_deviation", Share;
    /// Chi square of the first digits against those of Benford, with 8 degrees of freedom: above 15.51 by chance in one of
    /// 20, above 20.09 in one of 100. Missing for fewer than 110 amounts, of which fewer than 5 are expected to begin with 9.
    ///
    /// The interval is that of what as many amounts would come to whose shares are those of all such amounts, by the inequality
    /// of the triangle: from 0 where nothing speaks against Benford, and wide rather than narrow.
    ///
    /// Source: Pearson (1900); Cochran, "Some Methods for Strengthening the Common Chi-Square Tests" (1954), for the 5.
    BenfordChiSquare = "benford_chi_square", One;
    /// Payments in the hours of the [`night`](crate::MerchantFactors::night), as a share of all.
    NightShare = "night_share", Share;
    /// Customers of the recent days that had never paid here before, as a share of the customers of these days. Missing where
    /// all payments are recent.
    NewCustomerShare = "new_customer_share", Share;
    /// The chance that two payments drawn are of one customer; 1 divided by it is how many equal customers would give the
    /// same. The index of Herfindahl without its bias for few payments.
    ///
    /// The interval is that of Wilson for as many draws as have the variance that Simpson gives, to which that of a sample of
    /// customers is added.
    ///
    /// Source: Simpson, "Measurement of Diversity" (1949), with the variance; Horvitz and Thompson, "A Generalization of
    /// Sampling Without Replacement from a Finite Universe" (1952), for the sample.
    CustomerConcentration = "customer_concentration", Share;
    /// Payments of the customer with the most, as a share of all. The interval knows nothing of the choice of the largest.
    TopCustomerShare = "top_customer_share", Share;
    /// Payments from devices that paid for [`shared_by`](crate::MerchantFactors::shared_by) customers or more, as a share
    /// of payments with a known device.
    SharedDeviceShare = "shared_device_share", Share;
    /// Declined payments of at most [`small_amount`](crate::MerchantFactors::small_amount), as a share of payments with a
    /// known status: what testing of stolen cards leaves behind.
    SmallDeclinedShare = "small_declined_share", Share;
    /// Most small declined payments within one hour of the recent days, where hours are counted back from the moment asked
    /// about. A burst across the border of two hours counts as two.
    CardTestingPeak = "card_testing_peak", Count;
    /// The chance that any hour of the recent days has as many small declined payments as that, or more, were they spread
    /// evenly: tail of a Poisson distribution, times the number of hours. What is expected of an hour is the mean of the other
    /// hours, with a half payment added to them. Payments that follow the time of the day reach lower chances than they
    /// should.
    ///
    /// The interval is that of the chance for the ends of the interval of the mean, which is the one that belongs to the
    /// Poisson distribution as Wilson's to the binomial.
    ///
    /// Source: Bonferroni's inequality for the best of many hours.
    CardTestingChance = "card_testing_chance", Share;
    /// Different countries; above [`MOST_COUNTRIES`](crate::MOST_COUNTRIES) an estimate from a sample of them, with an interval
    /// like that of `customers`.
    Countries = "countries", Count;
    /// Recent payments from countries that had less than [`rare_country`](crate::MerchantFactors::rare_country) of the
    /// earlier ones, as a share of recent payments with a country. Missing where the earlier ones are so few that one alone
    /// has more.
    RareCountryShare = "rare_country_share", Share;
    /// Payments further than [`far_km`](crate::MerchantFactors::far_km) from the home of the customer, as a share of those
    /// of which both places are known.
    FarShare = "far_share", Share;
    /// The longest time without a payment that ended in the recent days; of silences within 24 hours it knows nothing.
    /// Missing where none did.
    Dormancy = "dormancy", Day;
    /// Payments since the end of that silence.
    DormancyBurst = "dormancy_burst", Count;
}

impl fmt::Display for FactorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Factor {
    /// What.
    pub kind: FactorKind,
    /// What it came to; `None` where there is nothing to tell by. Rules then see a missing value.
    pub value: Option<f64>,
    /// The 95 % interval, where there is a value; of a fact both ends are the value.
    pub interval: Option<(f64, f64)>,
    /// Unit of value and interval.
    pub unit: Unit,
    /// How many records, customers or amounts the value rests on.
    pub events: u64,
    /// Short sentences with the values in them.
    pub evidence: Vec<String>,
    /// Up to ten transactions that show it, the latest first.
    pub transactions: Vec<TransactionId>,
}

impl Factor {
    /// The name of the kind.
    pub const fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn new(kind: FactorKind, events: u64) -> Self {
        Self {
            kind,
            value: None,
            interval: None,
            unit: kind.unit(),
            events,
            evidence: Vec::new(),
            transactions: Vec::new(),
        }
    }

    /// A factor without a value, and why.
    pub(super) fn missing(kind: FactorKind, why: &str) -> Self {
        Self::new(kind, 0).because(why)
    }

    pub(super) const fn value(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// A value that is known without a doubt.
    pub(super) const fn fact(self, value: f64) -> Self {
        self.value(value).interval((value, value))
    }

    pub(super) const fn interval(mut self, interval: (f64, f64)) -> Self {
        self.interval = Some(interval);
        self
    }

    pub(super) fn because(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }
}
