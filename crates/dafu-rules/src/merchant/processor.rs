//! Factors, and rules over them.

use super::measure::measure;
use super::rules::default_rules;
use super::sums::{Frame, Sums};
use super::{Factor, FactorKind, MerchantAssessment, MerchantFactors, MerchantHistory};
use crate::{Moment, Row, RuleEngine, RuleError, RuleSchema, RuleSet, Suppressions, Variable};
use dafu_core::{EntityId, EntityKey, EntityKind, Timestamp, Unit};

/// How risky merchants are: factors of their history, combined by rules.
///
/// Each [`FactorKind`] is measured with its interval and its evidence, and becomes variables of
/// [`schema`](Self::schema). Rules that ask about the lower end of an interval (`chargeback_rate_low`) and about the number of
/// events behind it (`chargeback_rate_events`) leave small merchants alone until there is enough to tell by: one chargeback
/// among 30 payments is a share of 3.3 %, and at least 0.6 %.
///
/// ```
/// use dafu_core::{Currency, Money, Timestamp, Transaction, TransactionStatus};
/// use dafu_rules::{FactorKind, MerchantFactors, MerchantHistory, MerchantRiskProcessor};
///
/// let shop = "shop-7".parse()?;
/// let mut payments = Vec::new();
/// for number in 0..40 {
///     let mut payment = Transaction::new(
///         format!("t-{number}").parse()?,
///         format!("u-{number}").parse()?,
///         Money::from_minor(2_000 + 37 * number, Currency::new("EUR")?),
///         "shop-7".parse()?,
///         Timestamp::from_seconds(86_400 * number + 43_200)?,
///     );
///     payment.status = Some(match number % 10 {
///         0 => TransactionStatus::ChargedBack,
///         _ => TransactionStatus::Approved,
///     });
///     payments.push(payment);
/// }
/// let processor = MerchantRiskProcessor::new(&MerchantRiskProcessor::default_rules())?;
/// let history = MerchantHistory::new("1970-02-10T00:00:00Z".parse()?, &payments);
/// let answer = processor.assess(&shop, &history, &MerchantFactors::default())?;
///
/// let chargebacks = answer.factor(FactorKind::ChargebackRate).ok_or("not computed")?;
/// assert_eq!(
///     chargebacks.evidence,
///     ["4 of 40 settled payments were charged back: 10.0%, and likely 4.0% to 23.1%"]
/// );
/// assert_eq!(chargebacks.transactions.len(), 4);
/// let fired: Vec<&str> = answer.fired().map(|name| name.as_str()).collect();
/// assert_eq!(fired, ["chargebacks_raised", "chargebacks_excessive", "money_charged_back"]);
/// assert!((answer.risk_score.get() - (1.0 - 0.7 * 0.5 * 0.7)).abs() < 1e-12);
/// assert_eq!(answer.action.name(), "hold_payouts");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Determinism
///
/// Sums are of whole numbers, so records in any order give the same bits, on every platform.
#[derive(Debug, Clone)]
pub struct MerchantRiskProcessor {
    engine: RuleEngine,
    suppressions: Suppressions,
}

impl MerchantRiskProcessor {
    /// A processor with these rules over the variables of [`schema`](Self::schema).
    ///
    /// # Errors
    ///
    /// As [`RuleSet::compile`]; [`RuleError::Windows`] for rules that ask for windows of single payments.
    pub fn new(rules: &RuleSet) -> Result<Self, RuleError> {
        let engine = rules.compile(&Self::schema())?;
        match engine.windows().len() {
            0 => Ok(Self {
                engine,
                suppressions: Suppressions::default(),
            }),
            got => Err(RuleError::Windows { got }),
        }
    }

    /// Silences rules for single merchants, by keys of [`EntityKind::Merchant`].
    #[must_use]
    pub fn suppressions(mut self, suppressions: Suppressions) -> Self {
        self.suppressions = suppressions;
        self
    }

    /// What rules about merchants may ask for: `merchant_id`; and for each [`FactorKind`] its value by its name, the ends of its
    /// interval as `..._low` and `..._high`, and the number of events that it rests on as `..._events`.
    /// All of a factor are missing where there is nothing to tell by, or where it was not wanted.
    pub fn schema() -> RuleSchema {
        let mut variables = vec![Variable::text("merchant_id")];
        for kind in FactorKind::ALL {
            let (name, unit) = (kind.name(), kind.unit());
            variables.push(Variable::number(name, unit).nullable());
            for end in ["low", "high"] {
                variables.push(Variable::number(format!("{name}_{end}"), unit).nullable());
            }
            variables.push(Variable::number(format!("{name}_events"), Unit::Count).nullable());
        }
        // All names differ, so each joins the schema.
        let join =
            |schema: RuleSchema, variable| schema.clone().variable(variable).unwrap_or(schema);
        variables.into_iter().fold(RuleSchema::default(), join)
    }

    /// Rules to begin with: 21 of them, combined as [`NoisyOr`](crate::Combination::NoisyOr).
    ///
    /// Limits of chargebacks are those of card schemes: 0.65 % was the early warning of Visa's Dispute Monitoring Program,
    /// 1.5 % is where Visa's Acquirer Monitoring Program (from April 2026) and Mastercard's Excessive Chargeback Program call
    /// a merchant excessive. Those, and all others about shares and ratios, are asked of the lower end of the interval, and
    /// those about shares and amounts need 30 events: one bad payment of one would be a share of at least 20 %. The
    /// limits of shared devices and of card testing were chosen on three simulations (seeds 1 to 3 of `dafu-sim`); all other
    /// limits, and the scores of the rules, are judgements, to be replaced by what a backtest of your own says. The rule about first digits
    /// only watches: amounts of one merchant may deviate from Benford for honest reasons.
    pub fn default_rules() -> RuleSet {
        default_rules()
    }

    /// The rules.
    pub const fn engine(&self) -> &RuleEngine {
        &self.engine
    }

    /// How risky a merchant is, by its records among those of a history, which are within
    /// [`window_days`](MerchantFactors::window_days). O(records log customers).
    ///
    /// # Errors
    ///
    /// [`RuleError::Setting`] for a setting of the factors that is out of its range; [`RuleError::Missing`] where a rule does
    /// not allow missing values.
    pub fn assess(
        &self,
        merchant: &EntityId,
        history: &MerchantHistory<'_>,
        factors: &MerchantFactors,
    ) -> Result<MerchantAssessment, RuleError> {
        factors.check()?;
        let frame = Frame::new(history.until(), factors.clone());
        let mut sums = Sums::default();
        let all = history.transactions().iter();
        let known = all.filter(|record| frame.knows(record.timestamp));
        for record in known.filter(|record| record.merchant_id == *merchant) {
            sums.add(record, &frame);
        }
        self.judge(merchant, history.until(), measure(&sums, &frame))
    }

    /// What the rules say about factors that were measured before, or elsewhere.
    ///
    /// # Errors
    ///
    /// [`RuleError::Missing`] where a rule does not allow missing values.
    pub fn judge(
        &self,
        merchant: &EntityId,
        as_of: Timestamp,
        factors: Vec<Factor>,
    ) -> Result<MerchantAssessment, RuleError> {
        let numbers = numbers(&factors);
        let texts = [Some(merchant.as_str())];
        let row = Row {
            numbers: &numbers,
            texts: &texts,
        };
        let entities = [EntityKey {
            kind: EntityKind::Merchant,
            id: merchant.clone(),
        }];
        // No rule is in force at the very last moment there is, which stands for all that is known.
        let last = Timestamp::from_micros(Timestamp::MAX.as_micros() - 1).unwrap_or(as_of);
        let moment = Moment::at(as_of.min(last)).suppressed(&self.suppressions, &entities);
        let report = self.engine.evaluate(row, &moment)?;
        Ok(MerchantAssessment {
            merchant: merchant.clone(),
            as_of,
            reasons: self.engine.reasons(row, &report),
            rules: self.engine.named_outcomes(&report),
            risk_score: report.risk_score,
            band: report.band,
            action: report.action,
            rule_set_hash: report.rule_set_hash,
            factors,
        })
    }
}

/// The numbers of factors, in the order of the schema.
fn numbers(factors: &[Factor]) -> Vec<f64> {
    let mut numbers = Vec::with_capacity(4 * FactorKind::ALL.len());
    for kind in FactorKind::ALL {
        let factor = factors.iter().find(|factor| factor.kind == *kind);
        let value = factor.and_then(|factor| factor.value);
        numbers.push(value.unwrap_or(f64::NAN));
        let interval = factor.and_then(|factor| factor.interval);
        let (low, high) = interval.unwrap_or((f64::NAN, f64::NAN));
        numbers.extend([low, high]);
        let events = value.and(factor).map(|factor| factor.events as f64);
        numbers.push(events.unwrap_or(f64::NAN));
    }
    numbers
}
