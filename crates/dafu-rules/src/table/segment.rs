//! Segments of values, cells as tests of them, and events that show them.

use crate::program::{Logic, NoLists, Predicate, Row};
use crate::{RuleSchema, Truth};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Values of an event that belong to one segment of every column; the others are missing.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) numbers: Vec<f64>,
    pub(super) texts: Vec<Option<Arc<str>>>,
}

impl Input {
    pub(super) fn new(schema: &RuleSchema) -> Self {
        Self {
            numbers: vec![f64::NAN; schema.number_slots()],
            texts: vec![None; schema.text_slots()],
        }
    }

    pub(super) fn number(&mut self, slot: usize) -> &mut f64 {
        &mut self.numbers[slot]
    }
}

/// What a cell compares with, and whether it asks for more than that.
#[derive(Debug, Clone, Default)]
pub(super) struct Cuts {
    pub(super) numbers: Vec<f64>,
    pub(super) texts: Vec<Arc<str>>,
    pub(super) addresses: Vec<u128>,
    pub(super) residual: bool,
}

/// A cell as a test of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test<'a> {
    pub(super) logic: &'a Logic,
    pub(super) cuts: &'a Cuts,
    pub(super) predicates: &'a [Predicate],
}

impl Test<'_> {
    pub(super) fn truth(&self, input: &Input) -> Truth {
        let texts: Vec<Option<&str>> = input.texts.iter().map(Option::as_deref).collect();
        let row = Row {
            numbers: &input.numbers,
            texts: &texts,
        };
        truth(self.logic, self.predicates, row)
    }
}

/// Whether a condition without lists holds of an event.
pub(super) fn truth(logic: &Logic, predicates: &[Predicate], row: Row<'_>) -> Truth {
    logic.truth(&mut |place| {
        let predicate = predicates.get(place);
        predicate.map_or(Truth::Unknown, |predicate| predicate.truth(row, &NoLists))
    })
}

/// The segment of a number; `None` where it is missing.
#[inline]
pub(super) fn among(bounds: &[f64], number: f64) -> Option<usize> {
    if number.is_nan() {
        return None;
    }
    let at = bounds.partition_point(|bound| *bound < number);
    let met = bounds.get(at).is_some_and(|bound| *bound <= number);
    Some(2 * at + usize::from(met))
}

/// A number between two bounds: a plain one where there is one.
pub(super) fn between(low: Option<f64>, high: Option<f64>) -> Option<f64> {
    let inside = |number: &f64| {
        low.is_none_or(|low| low < *number) && high.is_none_or(|high| *number < high)
    };
    let middle = low.zip(high).map(|(low, high)| low / 2.0 + high / 2.0);
    let plain = [
        middle.map(f64::round),
        middle,
        Some(0.0),
        low.map(|low| low + 1.0),
        high.map(|high| high - 1.0),
        low.map(f64::next_up),
    ];
    plain
        .into_iter()
        .flatten()
        .chain(high.map(f64::next_down))
        .find(inside)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: a whole number from 0 to less than the number of levels"
)]
pub(super) fn whole(code: f64, count: usize) -> Option<usize> {
    let known = code >= 0.0 && code < count as f64 && code.fract() == 0.0;
    known.then_some(code as usize)
}

pub(super) fn of_address(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

pub(super) fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}
