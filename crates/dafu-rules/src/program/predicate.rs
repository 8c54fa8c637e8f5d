//! Tests of an event that hold, do not, or cannot be made.

use super::patterns::{PatternError, Patterns};
use super::{NumberExpr, Pattern, Row, TextExpr, Truth};
use crate::Slot;
use crate::language::Comparison;
use dafu_core::WindowRequest;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// A block of internet addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    /// `10.0.0.0/8`, or one address. Bits behind the prefix do not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => {
                let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(bits.parse().ok().filter(|_| digits)?))
            }
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { first, bits })
    }

    /// The block of so many bits of IPv6 in which an address is; none that holds both kinds of addresses.
    pub(crate) fn around(address: IpAddr, bits: u32) -> Option<Self> {
        let first = match address.to_canonical() {
            IpAddr::V4(first) if bits >= 96 => first.to_ipv6_mapped(),
            IpAddr::V4(_) => return None,
            IpAddr::V6(first) => first,
        };
        let first = IpAddr::V6(first);
        Some(Self { first, bits })
    }

    /// Bits of IPv6 and the first address: equal for blocks of the same addresses.
    pub(crate) fn block(self) -> (u32, u128) {
        let (bits, first) = match (self.first, self.first.to_canonical()) {
            (IpAddr::V4(first), _) => (self.bits + 96, first.to_ipv6_mapped()),
            (IpAddr::V6(first), IpAddr::V4(_)) => (self.bits.max(96), first),
            (IpAddr::V6(first), _) => (self.bits, first),
        };
        let behind = u128::MAX.checked_shr(bits).unwrap_or(0);
        (bits, first.to_bits() & !behind)
    }

    /// The first and the last address as numbers of IPv6; blocks of IPv4 stand where IPv6 maps them.
    pub(crate) fn range(self) -> (u128, u128) {
        let (first, bits) = match self.first {
            IpAddr::V4(first) => (first.to_ipv6_mapped(), self.bits + 96),
            IpAddr::V6(first) => (first, self.bits),
        };
        let behind = u128::MAX.checked_shr(bits).unwrap_or(0);
        (first.to_bits() & !behind, first.to_bits() | behind)
    }

    /// Whether an address is in it. An IPv4 address that is mapped into IPv6 is one of IPv4.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.first.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let bits = if self.first.is_ipv4() {
                    self.bits
                } else {
                    self.bits.saturating_sub(96)
                };
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Predicate {
    /// A number of the row against one that is known.
    Slot {
        slot: usize,
        comparison: Comparison,
        number: f64,
    },
    Numbers {
        left: NumberExpr,
        comparison: Comparison,
        right: NumberExpr,
    },
    /// Sorted by their order.
    NumberIn {
        number: NumberExpr,
        members: Vec<f64>,
    },
    Texts {
        left: TextExpr,
        right: TextExpr,
    },
    TextIn {
        text: TextExpr,
        members: BTreeSet<Arc<str>>,
    },
    Found {
        text: TextExpr,
        pattern: Pattern,
    },
    InNetwork {
        address: TextExpr,
        networks: Vec<Network>,
    },
    Addresses {
        left: TextExpr,
        right: TextExpr,
    },
    /// Membership in a list by its number.
    Listed {
        text: TextExpr,
        list: usize,
    },
    /// The same of an address, which may be in a block of the list.
    AddressListed {
        address: TextExpr,
        list: usize,
    },
    NumberMissing(NumberExpr),
    TextMissing(TextExpr),
    /// What is true of each level, and what of none.
    Levels {
        slot: usize,
        truths: Vec<Truth>,
        missing: Truth,
    },
}

/// Who is in a list now, by the number of the list.
pub(crate) trait Membership {
    fn contains(&self, list: usize, text: &str) -> bool;
    fn contains_address(&self, list: usize, address: IpAddr) -> bool;
}

/// Nobody is in any list.
pub(crate) struct NoLists;

impl Membership for NoLists {
    fn contains(&self, _: usize, _: &str) -> bool {
        false
    }

    fn contains_address(&self, _: usize, _: IpAddr) -> bool {
        false
    }
}

fn compare(left: f64, comparison: Comparison, right: f64) -> Truth {
    if left.is_nan() || right.is_nan() {
        Truth::Unknown
    } else {
        comparison.holds(left, right).into()
    }
}

fn known(holds: Option<bool>) -> Truth {
    holds.map_or(Truth::Unknown, Truth::from)
}

impl Predicate {
    /// Whether it holds of an event.
    pub(crate) fn truth(&self, row: Row<'_>, lists: &dyn Membership) -> Truth {
        match self {
            Self::Slot {
                slot,
                comparison,
                number,
            } => {
                let value = row.numbers.get(*slot).copied().unwrap_or(f64::NAN);
                compare(value, *comparison, *number)
            }
            Self::Numbers {
                left,
                comparison,
                right,
            } => compare(left.value(row), *comparison, right.value(row)),
            Self::NumberIn { number, members } => {
                let number = number.value(row);
                if number.is_nan() {
                    return Truth::Unknown;
                }
                let found = members.binary_search_by(|member| {
                    // Both zeros are the same number.
                    member
                        .partial_cmp(&number)
                        .unwrap_or(std::cmp::Ordering::Less)
                });
                found.is_ok().into()
            }
            Self::Texts { left, right } => {
                let both = left.value(row).zip(right.value(row));
                known(both.map(|(left, right)| left == right))
            }
            Self::TextIn { text, members } => {
                known(text.value(row).map(|text| members.contains(&*text)))
            }
            Self::Found { text, pattern } => {
                known(text.value(row).and_then(|text| pattern.found(&text, row)))
            }
            Self::InNetwork { address, networks } => {
                let address = address.value(row).and_then(|text| text.parse().ok());
                known(
                    address.map(|address| networks.iter().any(|network| network.contains(address))),
                )
            }
            Self::Addresses { left, right } => {
                let parse = |text: &TextExpr| text.value(row)?.parse::<IpAddr>().ok();
                let both = parse(left).zip(parse(right));
                known(both.map(|(left, right)| left.to_canonical() == right.to_canonical()))
            }
            Self::Listed { text, list } => {
                known(text.value(row).map(|text| lists.contains(*list, &text)))
            }
            Self::AddressListed { address, list } => {
                let address = address.value(row).and_then(|text| text.parse().ok());
                known(address.map(|address| lists.contains_address(*list, address)))
            }
            Self::NumberMissing(number) => number.value(row).is_nan().into(),
            Self::TextMissing(text) => text.value(row).is_none().into(),
            Self::Levels {
                slot,
                truths,
                missing,
            } => {
                let code = row.numbers.get(*slot).copied().unwrap_or(f64::NAN);
                at_level(code, truths).unwrap_or(*missing)
            }
        }
    }

    /// Tells of every slot that is read.
    pub(crate) fn for_slots(&self, visit: &mut dyn FnMut(Slot)) {
        match self {
            Self::Slot { slot, .. } | Self::Levels { slot, .. } => visit(Slot::Number(*slot)),
            Self::Numbers { left, right, .. } => {
                left.for_slots(visit);
                right.for_slots(visit);
            }
            Self::NumberIn { number, .. } | Self::NumberMissing(number) => number.for_slots(visit),
            Self::Texts { left, right } | Self::Addresses { left, right } => {
                left.for_slots(visit);
                right.for_slots(visit);
            }
            Self::Found { text, pattern } => {
                text.for_slots(visit);
                if let Pattern::Text(_, pattern) = pattern {
                    pattern.for_slots(visit);
                }
            }
            Self::TextIn { text, .. }
            | Self::InNetwork { address: text, .. }
            | Self::Listed { text, .. }
            | Self::AddressListed { address: text, .. }
            | Self::TextMissing(text) => text.for_slots(visit),
        }
    }

    /// The same test; of a variable with levels it is made once for each of them.
    fn by_level(self) -> Self {
        let text = match &self {
            Self::TextIn { text, .. } | Self::Found { text, .. } | Self::TextMissing(text) => text,
            Self::Texts { left, right } if right.constant().is_some() => left,
            _ => return self,
        };
        let Some((slot, levels)) = text.levels() else {
            return self;
        };
        let mut slots = 0;
        self.for_slots(&mut |_| slots += 1);
        if slots != 1 {
            return self;
        }
        let mut numbers = vec![f64::NAN; slot + 1];
        let mut truth = |code: f64| {
            numbers[slot] = code;
            let row = Row {
                numbers: &numbers,
                texts: &[],
            };
            self.truth(row, &NoLists)
        };
        let truths = (0..levels.len()).map(|code| truth(code as f64)).collect();
        let missing = truth(f64::NAN);
        Self::Levels {
            slot,
            truths,
            missing,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: a whole number from 0 to less than the number of levels"
)]
fn at_level(code: f64, truths: &[Truth]) -> Option<Truth> {
    let whole = code >= 0.0 && code < truths.len() as f64 && code.fract() == 0.0;
    if whole {
        truths.get(code as usize).copied()
    } else {
        None
    }
}

/// The tests of all rules, each once, and the windows that they ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Predicates {
    all: Vec<Predicate>,
    places: HashMap<Key, usize>,
    windows: Vec<WindowRequest>,
    window_places: HashMap<WindowRequest, usize>,
    patterns: Patterns,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Slot(usize, Comparison, u64),
    Other(String),
}

impl Predicates {
    /// The number of a test.
    pub(crate) fn place(&mut self, predicate: Predicate) -> usize {
        let predicate = predicate.by_level();
        let key = match &predicate {
            Predicate::Slot {
                slot,
                comparison,
                number,
            } => Key::Slot(*slot, *comparison, number.to_bits()),
            other => Key::Other(format!("{other:?}")),
        };
        let next = self.all.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.all.push(predicate);
        }
        place
    }

    /// A regular expression.
    pub(crate) fn pattern(&mut self, source: &str) -> Result<regex::Regex, PatternError> {
        self.patterns.get(source)
    }

    /// The number of a window.
    pub(crate) fn window(&mut self, request: &WindowRequest) -> usize {
        if let Some(place) = self.window_places.get(request) {
            return *place;
        }
        let place = self.windows.len();
        self.windows.push(request.clone());
        self.window_places.insert(request.clone(), place);
        place
    }

    pub(crate) fn all(&self) -> &[Predicate] {
        &self.all
    }

    pub(crate) fn windows(&self) -> &[WindowRequest] {
        &self.windows
    }
}

#[cfg(test)]
mod tests {
    use super::Predicates;
    use dafu_core::{Aggregate, EntityKind, WindowRequest};
    use std::time::Duration;

    #[test]
    fn each_of_very_many_windows_has_one_place() {
        // Half a million would take minutes if each were compared with all before it.
        let request = |seconds: usize| WindowRequest {
            aggregate: Aggregate::Count,
            by: EntityKind::User,
            within: Duration::from_secs(seconds as u64),
            include_self: true,
            status: None,
        };
        let mut predicates = Predicates::default();
        for _ in 0..2 {
            for seconds in 0..500_000 {
                assert_eq!(predicates.window(&request(seconds)), seconds);
            }
        }
        assert_eq!(predicates.windows().len(), 500_000);
    }
}
