//! All merchants of a stream at once.

use super::measure::measure;
use super::sums::{Frame, Sums};
use super::{MerchantAssessment, MerchantFactors, MerchantRiskProcessor};
use crate::RuleError;
use dafu_core::{EntityId, Timestamp, Transaction};
use std::collections::BTreeMap;

/// What is remembered of each merchant of a stream of transactions, in one pass and in any order.
///
/// Its answers are those of [`MerchantRiskProcessor::assess`], bit by bit. A record that is observed twice counts twice, too.
///
/// # One moment
///
/// A book is filled for one moment, and does not roll on to a later one. What is recent, days, hours and the
/// [`window_days`](MerchantFactors::window_days) are counted back from that moment. A later one moves all these borders, and what
/// leaves a sum again would have to be known: customers, devices and countries of each hour. For the next moment fill another
/// book from the records of its window, such as each night; books for several moments can be filled in one pass. That is also
/// why a book has no saved form: records have one.
///
/// # Complexity
///
/// O(log merchants + log customers of the merchant) for a transaction. Memory of a merchant, whatever the number of its
/// transactions: up to [`MOST_CUSTOMERS`](crate::MOST_CUSTOMERS) customers and as many devices with the names of up to
/// [`shared_by`](MerchantFactors::shared_by) customers each, [`MOST_COUNTRIES`](crate::MOST_COUNTRIES) countries, 367 days,
/// 24 hours for each recent day on which small payments were declined, ten ids for each of seven factors, and less than half a
/// KiB for each currency: about 4 KiB for a merchant with one customer, at most 2 MiB for ids of up to 23 bytes and the
/// settings by default.
///
/// ```
/// use dafu_core::{Currency, Money, Timestamp, Transaction};
/// use dafu_rules::{MerchantBook, MerchantFactors, MerchantRiskProcessor};
///
/// let processor = MerchantRiskProcessor::new(&MerchantRiskProcessor::default_rules())?;
/// let until = Timestamp::from_seconds(1_000)?;
/// let mut book = MerchantBook::new(until, &MerchantFactors::default())?;
/// for (merchant, at) in [("m-1", 10), ("m-2", 20), ("m-1", 1_001)] {
///     book.observe(&Transaction::new(
///         format!("t-{at}").parse()?,
///         "u-1".parse()?,
///         Money::from_minor(1_000, Currency::NONE),
///         merchant.parse()?,
///         Timestamp::from_seconds(at)?,
///     ));
/// }
/// let answers = book.assess(&processor)?;
/// assert_eq!(answers.len(), 2);
/// assert_eq!(answers[0].factors[0].value, Some(1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MerchantBook {
    frame: Frame,
    merchants: BTreeMap<EntityId, Sums>,
}

impl MerchantBook {
    /// An empty book, to be asked about this moment.
    ///
    /// # Errors
    ///
    /// [`RuleError::Setting`] for a setting that is out of its range.
    pub fn new(until: Timestamp, factors: &MerchantFactors) -> Result<Self, RuleError> {
        factors.check()?;
        Ok(Self {
            frame: Frame::new(until, factors.clone()),
            merchants: BTreeMap::new(),
        })
    }

    /// Takes note of a transaction; of one that is later than the moment asked about, or before the window, not.
    pub fn observe(&mut self, transaction: &Transaction) {
        if !self.frame.knows(transaction.timestamp) {
            return;
        }
        if let Some(sums) = self.merchants.get_mut(&transaction.merchant_id) {
            sums.add(transaction, &self.frame);
            return;
        }
        let merchant = transaction.merchant_id.clone();
        let sums = self.merchants.entry(merchant).or_default();
        sums.add(transaction, &self.frame);
    }

    /// Merchants that were seen.
    pub fn len(&self) -> usize {
        self.merchants.len()
    }

    /// Whether none was seen.
    pub fn is_empty(&self) -> bool {
        self.merchants.is_empty()
    }

    /// The moment asked about.
    pub const fn until(&self) -> Timestamp {
        self.frame.until
    }

    /// How risky a merchant is; `None` for one that was not seen.
    ///
    /// # Errors
    ///
    /// [`RuleError::Missing`] where a rule does not allow missing values.
    pub fn assess_one(
        &self,
        processor: &MerchantRiskProcessor,
        merchant: &EntityId,
    ) -> Result<Option<MerchantAssessment>, RuleError> {
        let sums = self.merchants.get(merchant);
        sums.map(|sums| processor.judge(merchant, self.frame.until, measure(sums, &self.frame)))
            .transpose()
    }

    /// How risky all merchants are: the riskiest first, equal ones by name.
    ///
    /// # Errors
    ///
    /// [`RuleError::Missing`] where a rule does not allow missing values.
    pub fn assess(
        &self,
        processor: &MerchantRiskProcessor,
    ) -> Result<Vec<MerchantAssessment>, RuleError> {
        let all = self.merchants.iter().map(|(merchant, sums)| {
            processor.judge(merchant, self.frame.until, measure(sums, &self.frame))
        });
        let mut answers = all.collect::<Result<Vec<_>, _>>()?;
        // The sort is stable, and they came by name.
        answers.sort_by(|left, right| right.risk_score.total_cmp(&left.risk_score));
        Ok(answers)
    }
}

impl<'a> Extend<&'a Transaction> for MerchantBook {
    fn extend<T: IntoIterator<Item = &'a Transaction>>(&mut self, transactions: T) {
        for transaction in transactions {
            self.observe(transaction);
        }
    }
}
