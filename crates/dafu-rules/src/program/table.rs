//! Conditions of a few tests as tables of truth: the way of one event.

use super::predicate::Membership;
use super::{Logic, Predicate, Row, Steps, Truth};
use crate::language::Comparison;

/// Tests of which all combinations fit into one word.
const MOST: usize = 6;

/// Whether `sign` times a number of the row is greater than `number`: all comparisons are made of this one, so that no
/// processor has to guess which is next.
#[derive(Debug, Clone, Copy)]
struct NumberTest {
    sign: f64,
    number: f64,
    slot: usize,
}

/// Comparisons by tests: of a smaller, of a larger number.
const SMALLER: usize = 0;
const LARGER: usize = 1;

/// What a comparison says, given whether the number is smaller, and whether it is larger.
const fn holds(comparison: Comparison, smaller: bool, larger: bool) -> bool {
    match comparison {
        Comparison::Less => smaller,
        Comparison::AtMost => !larger,
        Comparison::Greater => larger,
        Comparison::AtLeast => !smaller,
        Comparison::Equal => !smaller && !larger,
        Comparison::Unequal => smaller || larger,
    }
}

/// Which of both tests a comparison needs.
const fn needs(comparison: Comparison) -> [bool; 2] {
    match comparison {
        Comparison::Less | Comparison::AtLeast => [true, false],
        Comparison::Greater | Comparison::AtMost => [false, true],
        Comparison::Equal | Comparison::Unequal => [true, true],
    }
}

/// How one condition is decided.
#[derive(Debug, Clone, Copy)]
enum Way {
    Table(Table),
    /// Its first step.
    Steps(u32),
}

/// Tests of numbers, then others, and what follows from each combination.
#[derive(Debug, Clone, Copy)]
struct Table {
    first: u32,
    first_other: u32,
    numbers: u8,
    others: u8,
    truths: u64,
    /// Combinations of the numbers for which the condition holds whatever the others say, and for which it does not.
    holds: u64,
    fails: u64,
}

/// All conditions, ready for one event after another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ways {
    conditions: Vec<Way>,
    numbers: Vec<NumberTest>,
    others: Vec<u32>,
    steps: Steps,
}

/// A bit of a combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bit {
    slot: usize,
    number: u64,
    side: usize,
}

impl Bit {
    const fn new(slot: usize, number: f64, side: usize) -> Self {
        Self {
            slot,
            number: number.to_bits(),
            side,
        }
    }

    const fn test(self) -> NumberTest {
        let sign = if self.side == LARGER { 1.0 } else { -1.0 };
        NumberTest {
            sign,
            number: f64::from_bits(self.number) * sign,
            slot: self.slot,
        }
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Ways {
    /// Adds a condition.
    pub(crate) fn add(&mut self, logic: &Logic, predicates: &[Predicate]) {
        let mut bits: Vec<Bit> = Vec::new();
        let mut others = Vec::new();
        logic.for_tests(&mut |place, _| match predicates.get(place) {
            Some(Predicate::Slot {
                slot,
                comparison,
                number,
            }) => {
                for side in [SMALLER, LARGER] {
                    let bit = Bit::new(*slot, *number, side);
                    if needs(*comparison)[side] && !bits.contains(&bit) {
                        bits.push(bit);
                    }
                }
            }
            _ if others.contains(&place) => {}
            _ => others.push(place),
        });
        let count = bits.len() + others.len();
        if count > MOST {
            let first = self.steps.add(logic, predicates);
            self.conditions.push(Way::Steps(first));
            return;
        }
        // What follows from a combination; `asked`: with what the others say.
        let truth = |combination: u64, asked: bool| {
            let is_set = |bit: Option<usize>| bit.is_some_and(|bit| combination >> bit & 1 == 1);
            logic.truth(&mut |place| {
                let Some(Predicate::Slot {
                    slot,
                    comparison,
                    number,
                }) = predicates.get(place)
                else {
                    let bit = others.iter().position(|other| *other == place);
                    let holds = is_set(bit.map(|bit| bits.len() + bit));
                    return if asked { holds.into() } else { Truth::Unknown };
                };
                let side = |side| {
                    let wanted = Bit::new(*slot, *number, side);
                    is_set(bits.iter().position(|bit| *bit == wanted))
                };
                holds(*comparison, side(SMALLER), side(LARGER)).into()
            })
        };
        let set = |count: usize, asked: bool, wanted: Truth| {
            let bit = |combination| u64::from(truth(combination, asked) == wanted) << combination;
            (0..1_u64 << count).map(bit).sum::<u64>()
        };
        let table = set(count, true, Truth::True);
        // Others may be missing: what holds whatever they say does so by the logic of what is not known.
        let holds = set(bits.len(), false, Truth::True);
        let fails = set(bits.len(), false, Truth::False);
        self.conditions.push(Way::Table(Table {
            first: narrow(self.numbers.len()),
            first_other: narrow(self.others.len()),
            numbers: u8::try_from(bits.len()).unwrap_or(u8::MAX),
            others: u8::try_from(others.len()).unwrap_or(u8::MAX),
            truths: table,
            holds,
            fails,
        }));
        // The last bit is asked for first: each new one shifts those before it.
        self.numbers.extend(bits.iter().rev().map(|bit| bit.test()));
        self.others
            .extend(others.iter().map(|place| narrow(*place)));
    }

    /// Whether a condition holds, where numbers alone tell; otherwise what [`rest`](Self::rest) goes on with.
    #[inline]
    pub(crate) fn quick(&self, place: usize, row: Row<'_>) -> Result<bool, Undecided> {
        let Some(Way::Table(table)) = self.conditions.get(place) else {
            return Err(Undecided::Nothing);
        };
        let first = table.first as usize;
        let Some(tests) = self.numbers.get(first..first + usize::from(table.numbers)) else {
            return Err(Undecided::Nothing);
        };
        let mut combination = 0_u64;
        let mut missing = false;
        for test in tests {
            let value = row.numbers.get(test.slot).copied().unwrap_or(f64::NAN);
            missing |= value.is_nan();
            combination = combination << 1 | u64::from(value * test.sign > test.number);
        }
        let decided = (table.holds | table.fails) >> combination & 1 == 1;
        if decided && !missing {
            return Ok(table.holds >> combination & 1 == 1);
        }
        Err(if missing {
            Undecided::Missing
        } else {
            Undecided::Others(combination)
        })
    }

    /// Goes on where numbers did not tell; `None` as soon as a missing value is met. The rest of the condition may still
    /// decide then: [`Logic::truth`] knows.
    #[inline(never)]
    pub(crate) fn rest(
        &self,
        (place, undecided): (usize, Undecided),
        row: Row<'_>,
        predicates: &[Predicate],
        lists: &dyn Membership,
    ) -> Option<bool> {
        let (table, mut combination) = match (self.conditions.get(place)?, undecided) {
            (Way::Steps(first), _) => return self.steps.run(*first, row, predicates, lists),
            (Way::Table(table), Undecided::Others(combination)) => (table, combination),
            (Way::Table(_), _) => return None,
        };
        let numbers = usize::from(table.numbers);
        let first = table.first_other as usize;
        let tests = self.others.get(first..first + usize::from(table.others))?;
        for (other, test) in tests.iter().enumerate() {
            match predicates.get(*test as usize)?.truth(row, lists) {
                Truth::True => combination |= 1 << (numbers + other),
                Truth::False => {}
                Truth::Unknown => return None,
            }
        }
        Some(table.truths >> combination & 1 == 1)
    }
}

/// Why numbers alone did not tell.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Undecided {
    /// One is missing.
    Missing,
    /// Others tests have to be asked; these are the bits of the numbers.
    Others(u64),
    /// The condition is not a table.
    Nothing,
}
