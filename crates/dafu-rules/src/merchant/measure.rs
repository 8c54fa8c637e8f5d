//! From sums to factors.

use super::amounts::Amounts;
use super::interval::{
    benford, chi_square_interval, concentration, count_interval, deviation_interval, mean_ratio,
    poisson_tail, rate_ratio,
};
use super::sampled::{Latest, Sampled};
use super::sums::{Frame, Sums};
use super::{Factor, FactorKind};
use dafu_core::Currency;
use dafu_core::metrics::share_interval;

/// Fewest amounts whose first digits say anything: of fewer, less than 5 are expected to begin with 9.
const FEWEST_DIGITS: u64 = 110;
/// Names in a sentence.
const NAMED: usize = 3;

/// All factors that are wanted, in the order of [`FactorKind::ALL`].
pub(super) fn measure(sums: &Sums, frame: &Frame) -> Vec<Factor> {
    let wanted = frame.factors.wanted.iter();
    wanted.map(|kind| factor(*kind, sums, frame)).collect()
}

fn factor(kind: FactorKind, sums: &Sums, frame: &Frame) -> Factor {
    match kind {
        FactorKind::Payments => Factor::new(kind, sums.payments)
            .fact(sums.payments as f64)
            .because(format!("{} payments up to {}", sums.payments, frame.until)),
        FactorKind::Age => match sums.first {
            None => Factor::missing(kind, "no payment"),
            Some(first) => Factor::new(kind, sums.payments)
                .fact(frame.age(first))
                .because(format!("first payment at {first}")),
        },
        FactorKind::ChargebackRate => Share {
            hits: sums.charged_back,
            of: sums.settled,
            what: "settled payments were charged back",
        }
        .factor(kind)
        .shown(&sums.latest.charged_back),
        FactorKind::FraudRate => Share {
            hits: sums.fraud,
            of: sums.fraud + sums.legitimate,
            what: "payments with a label are fraud",
        }
        .factor(kind)
        .shown(&sums.latest.fraud),
        FactorKind::DeclineRate => Share {
            hits: sums.declined,
            of: sums.known_status,
            what: "payments with a known status were declined",
        }
        .factor(kind)
        .shown(&sums.latest.declined),
        FactorKind::RefundShare => Share {
            hits: sums.reversed + sums.refunds,
            of: sums.settled + sums.refunds,
            what: "settled payments and refunds were money given back",
        }
        .factor(kind)
        .shown(&sums.latest.refunded),
        FactorKind::NightShare => {
            let (from, until) = frame.factors.night;
            Share {
                hits: sums.night,
                of: sums.payments,
                what: "payments came at night",
            }
            .factor(kind)
            .because(format!("the night is from {from}:00 to {until}:00"))
        }
        FactorKind::SmallDeclinedShare => Share {
            hits: sums.small_declined,
            of: sums.known_status,
            what: "payments with a known status were small and declined",
        }
        .factor(kind)
        .shown(&sums.latest.small_declined),
        FactorKind::CardTestingPeak | FactorKind::CardTestingChance => {
            card_testing(kind, sums, frame)
        }
        FactorKind::FarShare => Share {
            hits: sums.far,
            of: sums.with_places,
            what: "payments with known places were far from home",
        }
        .factor(kind)
        .because(format!("far is more than {} km", frame.factors.far_km))
        .shown(&sums.latest.far),
        FactorKind::VelocityChange => velocity_change(sums, frame),
        FactorKind::Dormancy | FactorKind::DormancyBurst => dormancy(kind, sums, frame),
        FactorKind::Customers
        | FactorKind::NewCustomerShare
        | FactorKind::CustomerConcentration
        | FactorKind::TopCustomerShare => customers(kind, sums),
        FactorKind::SharedDeviceShare => shared_devices(sums, frame),
        FactorKind::Countries | FactorKind::RareCountryShare => countries(kind, sums, frame),
        FactorKind::ChargebackAmountShare
        | FactorKind::AmountChange
        | FactorKind::RoundShare
        | FactorKind::BelowLimitShare
        | FactorKind::BenfordDeviation
        | FactorKind::BenfordChiSquare => match sums.main_amounts() {
            None => Factor::missing(kind, "no amount above 0 that was not declined"),
            Some((currency, amounts)) => {
                let factor = amount_factor(kind, (currency, amounts), frame);
                let others: u64 = sums
                    .amounts
                    .iter()
                    .map(|(_, amounts)| amounts.count())
                    .sum();
                let others = others - amounts.count();
                if others > 0 {
                    let sentence =
                        format!("amounts in {currency}; {others} in others are left out");
                    factor.because(sentence)
                } else {
                    factor
                }
            }
        },
    }
}

/// So many of so many.
struct Share<'a> {
    hits: u64,
    of: u64,
    what: &'a str,
}

impl Share<'_> {
    fn factor(&self, kind: FactorKind) -> Factor {
        let Self { hits, of, what } = *self;
        let sentence = format!("{hits} of {of} {what}");
        if of == 0 {
            return Factor::missing(kind, &sentence);
        }
        let share = hits as f64 / of as f64;
        let (low, high) = share_interval(share, of as f64);
        Factor::new(kind, of)
            .value(share)
            .interval((low, high))
            .because(format!(
                "{sentence}: {}, and likely {} to {}",
                percent(share),
                percent(low),
                percent(high)
            ))
    }
}

impl Factor {
    fn shown(mut self, latest: &Latest) -> Self {
        self.transactions = latest.ids();
        self
    }
}

/// `7.5%`
fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn card_testing(kind: FactorKind, sums: &Sums, frame: &Frame) -> Factor {
    if sums.known_status == 0 {
        return Factor::missing(kind, "no payment has a status");
    }
    let mut peak: Option<(i64, u64)> = None;
    // The latest hour comes first, and wins where several have as many.
    for (hour, count) in &sums.hours {
        if peak.is_none_or(|(_, most)| *count > most) {
            peak = Some((*hour, *count));
        }
    }
    let hours = frame.recent_days() as f64 * 24.0;
    let (value, sentence) = match peak {
        None => (0, "no small payment was declined recently".into()),
        Some((hour, most)) => (
            most,
            format!(
                "{most} small payments were declined in the hour from {}",
                frame.hour(hour)
            ),
        ),
    };
    let others = sums.hours.values().sum::<u64>() - value;
    let factor = Factor::new(kind, sums.known_status)
        .because(sentence)
        .shown(&sums.latest.small_declined);
    if kind == FactorKind::CardTestingPeak {
        return factor.fact(value as f64);
    }
    let expected = (others as f64 + 0.5) / (hours - 1.0);
    let (least, most) = count_interval(others as f64, 1.0);
    let chance = |expected: f64| (poisson_tail(value, expected) * hours).min(1.0);
    factor
        .value(chance(expected))
        .interval((chance(least / (hours - 1.0)), chance(most / (hours - 1.0))))
        .because(format!("{expected:.3} are expected of an hour"))
}

fn velocity_change(sums: &Sums, frame: &Frame) -> Factor {
    let kind = FactorKind::VelocityChange;
    let before = sums.first.map(|first| frame.days_before_recent(first));
    let Some(days) = before.filter(|days| *days > 0.0) else {
        return Factor::missing(kind, "there is no time before the recent days");
    };
    // Time begins with the first payment: that it came then says nothing about how often they come.
    let earlier = sums.earlier().saturating_sub(1);
    let events = earlier + sums.recent;
    if events == 0 {
        return Factor::missing(kind, "no payment but the first");
    }
    let recent_days = f64::from(frame.factors.recent_days);
    let (ratio, interval) = rate_ratio((sums.recent, recent_days), (earlier, days));
    Factor::new(kind, events)
        .value(ratio)
        .interval(interval)
        .because(format!(
            "{} payments in {recent_days} recent days, {earlier} in {days:.1} days before: {ratio:.2} times as many a day, \
             and likely {:.2} to {:.2}",
            sums.recent, interval.0, interval.1
        ))
}

fn dormancy(kind: FactorKind, sums: &Sums, frame: &Frame) -> Factor {
    let mut longest: Option<(i64, u64)> = None;
    let mut since = 0;
    let mut burst = 0;
    let days: Vec<_> = sums.days.iter().collect();
    // From the latest day back: a silence lies between a day and the one before it.
    for pair in days.windows(2) {
        let [(back, day), (_, before)] = pair else {
            continue;
        };
        if **back >= frame.recent_days() {
            break;
        }
        since += day.payments;
        let silence = day.first.as_micros() - before.last.as_micros();
        if longest.is_none_or(|(longest, _)| silence > longest) {
            longest = Some((silence, since));
            burst = since;
        }
    }
    let Some((silence, _)) = longest else {
        return Factor::missing(kind, "no silence ended in the recent days");
    };
    let silent = silence as f64 / 86_400e6;
    let value = if kind == FactorKind::Dormancy {
        silent
    } else {
        burst as f64
    };
    Factor::new(kind, sums.payments)
        .fact(value)
        .because(format!(
            "{burst} payments since a silence of {silent:.1} days"
        ))
}

/// How many names there are, of which some may be held for all.
fn number_of<V: Default>(factor: Factor, names: &Sampled<V>, what: &str) -> Factor {
    let (held, each) = (names.len() as f64, names.each());
    let number = held * each;
    let (low, high) = count_interval(held, 1.0 - 1.0 / each);
    factor
        .value(number)
        .interval(((low * each).max(held), high * each))
        .because(format!("{number} {what}"))
}

fn customers(kind: FactorKind, sums: &Sums) -> Factor {
    if sums.payments == 0 {
        return Factor::missing(kind, "no payment");
    }
    let customers = &sums.customers;
    let payments = sums.payments as f64;
    let factor = match kind {
        FactorKind::NewCustomerShare => {
            if sums.earlier() == 0 {
                return Factor::missing(kind, "there is no time before the recent days");
            }
            let recent = customers.iter().filter(|(_, customer)| customer.recent > 0);
            let (mut hits, mut of) = (0, 0);
            for (_, customer) in recent {
                of += 1;
                hits += u64::from(customer.earlier == 0);
            }
            Share {
                hits,
                of,
                what: "recent customers had never paid here",
            }
            .factor(kind)
        }
        FactorKind::CustomerConcentration => {
            if sums.payments < 2 {
                return Factor::missing(kind, "one payment");
            }
            let counts = customers
                .iter()
                .map(|(_, customer)| (customer.recent + customer.earlier) as f64);
            let (value, (low, high)) = concentration(payments, counts, customers.each());
            Factor::new(kind, sums.payments)
                .value(value)
                .interval((low, high))
                .because(format!(
                    "two payments are of one customer with a chance of {}, and likely {} to {}",
                    percent(value),
                    percent(low),
                    percent(high)
                ))
        }
        FactorKind::TopCustomerShare => {
            let mut top = None;
            for (name, customer) in customers.iter() {
                let count = customer.recent + customer.earlier;
                if top.is_none_or(|(_, most)| count > most) {
                    top = Some((name, count));
                }
            }
            let Some((name, hits)) = top else {
                return Factor::missing(kind, "no customer");
            };
            Share {
                hits,
                of: sums.payments,
                what: &format!("payments were those of {name}"),
            }
            .factor(kind)
        }
        _ => number_of(Factor::new(kind, sums.payments), customers, "customers"),
    };
    if customers.is_sample() {
        let each = customers.each();
        factor.because(format!("from a sample of one in {each} customers"))
    } else {
        factor
    }
}

fn shared_devices(sums: &Sums, frame: &Frame) -> Factor {
    let shared_by = usize::try_from(frame.factors.shared_by).unwrap_or(usize::MAX);
    let (mut hits, mut of, mut devices) = (0, 0, 0);
    for (_, device) in sums.devices.iter() {
        of += device.payments;
        if device.customers.len() >= shared_by {
            hits += device.payments;
            devices += 1;
        }
    }
    let factor = Share {
        hits,
        of,
        what: "payments with a device came from shared ones",
    }
    .factor(FactorKind::SharedDeviceShare)
    .because(format!(
        "{devices} of {} devices paid for {shared_by} customers or more",
        sums.devices.len()
    ));
    if sums.devices.is_sample() {
        let each = sums.devices.each();
        factor.because(format!("from a sample of one in {each} devices"))
    } else {
        factor
    }
}

fn countries(kind: FactorKind, sums: &Sums, frame: &Frame) -> Factor {
    if sums.with_country == 0 {
        return Factor::missing(kind, "no payment has a country");
    }
    let countries = &sums.countries;
    if kind == FactorKind::Countries {
        let factor = Factor::new(kind, sums.with_country);
        return number_of(factor, countries, "countries");
    }
    let earlier: u64 = countries.iter().map(|(_, country)| country.earlier).sum();
    // What is held of a sample of countries stands for more, and so does one payment of a country.
    let all = earlier as f64 * countries.each();
    let limit = frame.factors.rare_country;
    if all * limit < 1.0 {
        let why = "too few earlier payments to tell which countries are rare";
        return Factor::missing(kind, why);
    }
    let (mut hits, mut of) = (0, 0);
    let mut rare = Vec::new();
    for (name, country) in countries.iter() {
        of += country.recent;
        if country.recent > 0 && (country.earlier as f64) < limit * all {
            hits += country.recent;
            rare.push((country.recent, name));
        }
    }
    rare.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    let factor = Share {
        hits,
        of,
        what: "recent payments came from countries that were rare before",
    }
    .factor(kind);
    if rare.is_empty() {
        return factor;
    }
    let named = rare.iter().take(NAMED);
    let named: Vec<String> = named
        .map(|(count, name)| format!("{count} from {name}"))
        .collect();
    factor.because(named.join(", "))
}

fn amount_factor(kind: FactorKind, main: (Currency, &Amounts), frame: &Frame) -> Factor {
    let (currency, amounts) = main;
    match kind {
        FactorKind::RoundShare => Share {
            hits: amounts.round,
            of: amounts.count(),
            what: "amounts were round",
        }
        .factor(kind)
        .because(format!(
            "round is a multiple of {} {currency}",
            frame.factors.round_to
        )),
        FactorKind::BelowLimitShare => Share {
            hits: amounts.below_limit,
            of: amounts.count(),
            what: "amounts were just below a limit",
        }
        .factor(kind)
        .shown(&amounts.below_limit_latest),
        FactorKind::ChargebackAmountShare => {
            let whole = amounts.settled.sum();
            if whole <= 0.0 {
                return Factor::missing(kind, "no settled payment");
            }
            let share = amounts.charged_back.sum() / whole;
            let (low, high) = share_interval(share, amounts.settled.effective());
            Factor::new(kind, amounts.settled.count)
                .value(share)
                .interval((low, high))
                .because(format!(
                    "{} of the settled sum was charged back, and likely {} to {}",
                    percent(share),
                    percent(low),
                    percent(high)
                ))
        }
        FactorKind::AmountChange => {
            let means = amounts.recent.mean().zip(amounts.earlier.mean());
            let Some((recent, earlier)) = means else {
                return Factor::missing(kind, "fewer than two recent or two earlier amounts");
            };
            let (ratio, interval) = mean_ratio(&recent, &earlier);
            let unit = currency.minor_per_major() as f64;
            Factor::new(kind, amounts.count())
                .value(ratio)
                .interval(interval)
                .because(format!(
                    "mean of {} recent amounts {:.2}, of {} before {:.2}: {ratio:.2} times as much, and likely {:.2} to {:.2}",
                    amounts.recent.count,
                    recent.mean / unit,
                    amounts.earlier.count,
                    earlier.mean / unit,
                    interval.0,
                    interval.1
                ))
        }
        _ => first_digits(kind, amounts),
    }
}

fn first_digits(kind: FactorKind, amounts: &Amounts) -> Factor {
    let count: u64 = amounts.digits.iter().sum();
    if count < FEWEST_DIGITS {
        return Factor::missing(kind, "fewer than 110 amounts");
    }
    let all = count as f64;
    let (mut chi_square, mut deviation, mut most) = (0.0, 0.0, 0.0_f64);
    for (digit, seen) in (1..).zip(amounts.digits) {
        let expected = benford(digit);
        let share = seen as f64 / all;
        deviation += (share - expected).abs() / 9.0;
        chi_square += all * (share - expected) * (share - expected) / expected;
        most = most.max(share / expected);
    }
    let ones = amounts.digits[0] as f64 / all;
    let factor = Factor::new(kind, count).because(format!(
        "{} of {count} amounts begin with 1, and 30.1% would by Benford",
        percent(ones)
    ));
    if kind == FactorKind::BenfordDeviation {
        factor
            .value(deviation)
            .interval(deviation_interval(deviation, all))
            .because(format!(
                "mean absolute deviation {deviation:.4}, from 0.015 on they do not conform"
            ))
    } else {
        factor
            .value(chi_square)
            .interval(chi_square_interval(chi_square, most))
            .because(format!(
                "chi square {chi_square:.1}, by chance above 20.1 in one of 100"
            ))
    }
}
