//! What is remembered of the records of one merchant: sums, and samples in bounded memory.

use super::amounts::{Amounts, Kind};
use super::sampled::{Latest, Sampled};
use super::{FactorKind, MerchantFactors};
use dafu_core::{Currency, EntityId, GeoPoint, Timestamp, Transaction, TransactionStatus};
use std::collections::BTreeMap;

/// Customers of a merchant that are told apart; beyond, a sample of as many at most.
pub const MOST_CUSTOMERS: usize = 4_096;
/// Countries, and devices, of a merchant that are told apart; beyond, a sample of as many at most.
pub const MOST_COUNTRIES: usize = 1_024;
/// Devices of a merchant that are told apart.
const MOST_DEVICES: usize = MOST_CUSTOMERS;
/// Days before the moment asked about that are told apart.
const MOST_DAYS: i64 = 366;

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// Payments of one customer.
#[derive(Debug, Clone, Default)]
pub(super) struct Customer {
    pub(super) recent: u64,
    pub(super) earlier: u64,
}

/// Payments from one device.
#[derive(Debug, Clone, Default)]
pub(super) struct Device {
    pub(super) payments: u64,
    /// At most as many as make it shared.
    pub(super) customers: Vec<EntityId>,
}

/// Payments from one country.
#[derive(Debug, Clone, Default)]
pub(super) struct Country {
    pub(super) recent: u64,
    pub(super) earlier: u64,
}

/// Payments of one day, counted back from the moment asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Day {
    pub(super) payments: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// The sums. All are of whole numbers or of sets, so that no order of records changes a bit.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    pub(super) payments: u64,
    pub(super) recent: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) known_status: u64,
    pub(super) settled: u64,
    pub(super) charged_back: u64,
    pub(super) declined: u64,
    pub(super) reversed: u64,
    pub(super) refunds: u64,
    pub(super) legitimate: u64,
    pub(super) fraud: u64,
    pub(super) small_declined: u64,
    pub(super) night: u64,
    pub(super) with_places: u64,
    pub(super) far: u64,
    pub(super) with_country: u64,
    pub(super) customers: Sampled<Customer>,
    pub(super) devices: Sampled<Device>,
    pub(super) countries: Sampled<Country>,
    /// By days back, the last for all that is older.
    pub(super) days: BTreeMap<i64, Day>,
    /// Small declined payments by hours back.
    pub(super) hours: BTreeMap<i64, u64>,
    /// By currency, in order: nearly always one.
    pub(super) amounts: Vec<(Currency, Amounts)>,
    pub(super) latest: LatestOf,
}

/// Transactions that show a factor.
#[derive(Debug, Clone, Default)]
pub(super) struct LatestOf {
    pub(super) charged_back: Latest,
    pub(super) fraud: Latest,
    pub(super) declined: Latest,
    pub(super) refunded: Latest,
    pub(super) small_declined: Latest,
    pub(super) far: Latest,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            payments: 0,
            recent: 0,
            first: None,
            known_status: 0,
            settled: 0,
            charged_back: 0,
            declined: 0,
            reversed: 0,
            refunds: 0,
            legitimate: 0,
            fraud: 0,
            small_declined: 0,
            night: 0,
            with_places: 0,
            far: 0,
            with_country: 0,
            customers: Sampled::new(MOST_CUSTOMERS),
            devices: Sampled::new(MOST_DEVICES),
            countries: Sampled::new(MOST_COUNTRIES),
            days: BTreeMap::new(),
            hours: BTreeMap::new(),
            amounts: Vec::new(),
            latest: LatestOf::default(),
        }
    }
}

/// The moment asked about, and what counts as what.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) until: Timestamp,
    pub(super) factors: MerchantFactors,
    customers: bool,
    devices: bool,
    countries: bool,
}

impl Frame {
    /// A frame of factors that were checked.
    pub(super) fn new(until: Timestamp, factors: MerchantFactors) -> Self {
        use FactorKind as Kind;
        Self {
            until,
            customers: factors.wants(&[
                Kind::Customers,
                Kind::NewCustomerShare,
                Kind::CustomerConcentration,
                Kind::TopCustomerShare,
            ]),
            devices: factors.wants(&[Kind::SharedDeviceShare]),
            countries: factors.wants(&[Kind::Countries, Kind::RareCountryShare]),
            factors,
        }
    }

    /// Whether a record of this time is looked at.
    pub(super) fn knows(&self, at: Timestamp) -> bool {
        let window = self.factors.window_days;
        let days = window.map_or(i64::MAX, i64::from);
        at <= self.until && self.days_back(at) < days
    }

    /// Whole days back from the moment.
    fn days_back(&self, at: Timestamp) -> i64 {
        self.micros_back(at) / MICROS_PER_DAY
    }

    fn micros_back(&self, at: Timestamp) -> i64 {
        self.until.as_micros() - at.as_micros()
    }

    /// The days that are recent.
    pub(super) fn recent_days(&self) -> i64 {
        i64::from(self.factors.recent_days)
    }

    /// Days from a moment to the beginning of the recent ones.
    pub(super) fn days_before_recent(&self, at: Timestamp) -> f64 {
        let micros = self.micros_back(at) - self.recent_days() * MICROS_PER_DAY;
        micros as f64 / MICROS_PER_DAY as f64
    }

    /// Days from a moment to the one asked about.
    pub(super) fn age(&self, at: Timestamp) -> f64 {
        self.micros_back(at) as f64 / MICROS_PER_DAY as f64
    }

    /// The beginning of an hour that is so many hours back.
    pub(super) fn hour(&self, back: i64) -> Timestamp {
        let micros = self.until.as_micros() - (back + 1) * MICROS_PER_HOUR;
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MIN)
    }

    /// The hour of the day, in the time of the merchant.
    fn hour_of_day(&self, at: Timestamp) -> i64 {
        let minutes = at.as_micros().div_euclid(60_000_000);
        (minutes + i64::from(self.factors.utc_offset_minutes))
            .div_euclid(60)
            .rem_euclid(24)
    }
}

impl Sums {
    /// Adds a record that is not later than the moment asked about. O(log of what is held).
    pub(super) fn add(&mut self, record: &Transaction, frame: &Frame) {
        let (at, id) = (record.timestamp, &record.transaction_id);
        let declined = record.status == Some(TransactionStatus::Declined);
        if record.amount.minor() < 0 {
            if !declined {
                self.refunds += 1;
                self.latest.refunded.add(at, id);
            }
            return;
        }
        let days_back = frame.days_back(at);
        let recent = days_back < frame.recent_days();
        self.payments += 1;
        self.recent += u64::from(recent);
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.add_status(record, declined);
        match record.is_fraud.known() {
            Some(true) => {
                self.fraud += 1;
                self.latest.fraud.add(at, id);
            }
            Some(false) => self.legitimate += 1,
            None => {}
        }
        if declined && record.amount.major() <= frame.factors.small_amount {
            self.small_declined += 1;
            self.latest.small_declined.add(at, id);
            if recent {
                let hour = frame.micros_back(at) / MICROS_PER_HOUR;
                *self.hours.entry(hour).or_default() += 1;
            }
        }
        self.night += u64::from(frame.factors.is_night(frame.hour_of_day(at)));
        let day = self.days.entry(days_back.min(MOST_DAYS)).or_insert(Day {
            payments: 0,
            first: at,
            last: at,
        });
        day.payments += 1;
        day.first = day.first.min(at);
        day.last = day.last.max(at);
        self.add_names(record, recent, frame);
        let places = record.user_location.zip(record.merchant_location);
        self.add_places(record, places, frame);
        if !declined && record.amount.minor() > 0 {
            let kind = Kind {
                recent,
                settled: record.status.is_some(),
                charged_back: record.status == Some(TransactionStatus::ChargedBack),
            };
            self.add_amount(record, kind, frame);
        }
    }

    fn add_amount(&mut self, record: &Transaction, kind: Kind, frame: &Frame) {
        let currency = record.amount.currency();
        let found = self
            .amounts
            .binary_search_by_key(&currency, |(other, _)| *other);
        let place = found.unwrap_or_else(|place| {
            self.amounts.insert(place, (currency, Amounts::default()));
            place
        });
        if let Some((_, amounts)) = self.amounts.get_mut(place) {
            amounts.add(record, kind, &frame.factors);
        }
    }

    fn add_status(&mut self, record: &Transaction, declined: bool) {
        let Some(status) = record.status else {
            return;
        };
        let (at, id) = (record.timestamp, &record.transaction_id);
        self.known_status += 1;
        self.settled += u64::from(!declined);
        match status {
            TransactionStatus::Declined => {
                self.declined += 1;
                self.latest.declined.add(at, id);
            }
            TransactionStatus::Reversed => {
                self.reversed += 1;
                self.latest.refunded.add(at, id);
            }
            TransactionStatus::ChargedBack => {
                self.charged_back += 1;
                self.latest.charged_back.add(at, id);
            }
            _ => {}
        }
    }

    fn add_names(&mut self, record: &Transaction, recent: bool, frame: &Frame) {
        let count = |recent_ones: &mut u64, earlier_ones: &mut u64| {
            *recent_ones += u64::from(recent);
            *earlier_ones += u64::from(!recent);
        };
        if frame.customers {
            self.customers.with(&record.user_id, |customer| {
                count(&mut customer.recent, &mut customer.earlier);
            });
        }
        if let Some(device) = record.device.as_ref().filter(|_| frame.devices) {
            let most = usize::try_from(frame.factors.shared_by).unwrap_or(usize::MAX);
            self.devices.with(device, |device| {
                device.payments += 1;
                let user = &record.user_id;
                if device.customers.len() < most && !device.customers.contains(user) {
                    device.customers.push(user.clone());
                }
            });
        }
        if let Some(country) = record.country.as_ref().filter(|_| frame.countries) {
            self.with_country += 1;
            self.countries.with(country, |country| {
                count(&mut country.recent, &mut country.earlier);
            });
        }
    }

    fn add_places(
        &mut self,
        record: &Transaction,
        places: Option<(GeoPoint, GeoPoint)>,
        frame: &Frame,
    ) {
        let Some((home, shop)) = places else {
            return;
        };
        self.with_places += 1;
        if home.distance_km(shop) > frame.factors.far_km {
            self.far += 1;
            self.latest
                .far
                .add(record.timestamp, &record.transaction_id);
        }
    }

    /// The currency of most amounts, and these.
    pub(super) fn main_amounts(&self) -> Option<(Currency, &Amounts)> {
        let mut main: Option<(Currency, &Amounts)> = None;
        for (currency, amounts) in &self.amounts {
            if main.is_none_or(|(_, before)| amounts.count() > before.count()) {
                main = Some((*currency, amounts));
            }
        }
        main
    }

    /// Payments before the recent ones.
    pub(super) const fn earlier(&self) -> u64 {
        self.payments - self.recent
    }
}
