//! A block of rows through all tests.
#![allow(
    clippy::inline_always,
    reason = "pulp: what is not inlined into the dispatched function is not compiled for its instructions"
)]

use super::{Columns, TextColumn};
use crate::Slot;
use crate::engine::RuleEngine;
use crate::language::Comparison;
use crate::program::{Logic, Predicate, Row, Truth};
use ndarray::{Axis, Slice};
use pulp::{Arch, Simd, WithSimd};

/// Words of a block. What all tests of a set say about a block then fits into the second level of the cache.
pub(super) const WORDS: usize = 16;
/// Rows of a block.
pub(super) const ROWS: usize = WORDS * 64;

/// What holds of the rows of a block, and of which that is not known; never both.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) truth: [u64; WORDS],
    pub(super) unknown: [u64; WORDS],
    pub(super) any_unknown: bool,
}

impl Default for Block {
    fn default() -> Self {
        Self::all(false)
    }
}

impl Block {
    const fn all(holds: bool) -> Self {
        Self {
            truth: [if holds { u64::MAX } else { 0 }; WORDS],
            unknown: [0; WORDS],
            any_unknown: false,
        }
    }

    fn negate(&mut self) {
        for (truth, unknown) in self.truth.iter_mut().zip(&self.unknown) {
            *truth = !(*truth | unknown);
        }
    }

    /// Kleene's and.
    fn and(&mut self, other: &Self) {
        if self.any_unknown || other.any_unknown {
            for at in 0..WORDS {
                let known = self.truth[at] & other.truth[at];
                let possible =
                    (self.truth[at] | self.unknown[at]) & (other.truth[at] | other.unknown[at]);
                self.truth[at] = known;
                self.unknown[at] = possible & !known;
            }
            self.any_unknown = true;
            return;
        }
        for (truth, other) in self.truth.iter_mut().zip(&other.truth) {
            *truth &= other;
        }
    }

    /// Kleene's or.
    fn or(&mut self, other: &Self) {
        if self.any_unknown || other.any_unknown {
            for at in 0..WORDS {
                self.truth[at] |= other.truth[at];
                self.unknown[at] = (self.unknown[at] | other.unknown[at]) & !self.truth[at];
            }
            self.any_unknown = true;
            return;
        }
        for (truth, other) in self.truth.iter_mut().zip(&other.truth) {
            *truth |= other;
        }
    }

    fn set(&mut self, row: usize, truth: Truth) {
        let bit = 1 << (row % 64);
        match truth {
            Truth::False => {}
            Truth::True => self.truth[row / 64] |= bit,
            Truth::Unknown => {
                self.unknown[row / 64] |= bit;
                self.any_unknown = true;
            }
        }
    }

    fn contains(&self, holds: bool) -> bool {
        let wanted = if holds { u64::MAX } else { 0 };
        self.truth.iter().all(|word| *word == wanted)
    }
}

/// A column of numbers of the block.
#[derive(Debug)]
struct Numbers {
    ready: bool,
    values: Vec<f64>,
    missing: [u64; WORDS],
    any_missing: bool,
}

/// What is known of the block so far.
pub(super) struct Scratch<'a> {
    first: usize,
    count: usize,
    columns: Vec<Numbers>,
    tests: Vec<Option<Block>>,
    /// What a test of one text says of each of the texts there are, where these are known.
    levels: Vec<Option<Vec<Truth>>>,
    predicates: &'a [Predicate],
    numbers: Vec<f64>,
}

impl<'a> Scratch<'a> {
    pub(super) fn new(predicates: &'a [Predicate], columns: &Columns<'_>) -> Self {
        let empty = || Numbers {
            ready: false,
            values: vec![0.0; ROWS],
            missing: [0; WORDS],
            any_missing: false,
        };
        Self {
            first: 0,
            count: 0,
            columns: columns.numbers.iter().map(|_| empty()).collect(),
            tests: predicates.iter().map(|_| None).collect(),
            levels: predicates.iter().map(|_| None).collect(),
            predicates,
            numbers: Vec::new(),
        }
    }

    /// Goes to the next block.
    pub(super) fn begin(&mut self, first: usize, count: usize) {
        (self.first, self.count) = (first, count);
        for column in &mut self.columns {
            column.ready = false;
        }
        for test in &mut self.tests {
            *test = None;
        }
    }

    /// What a condition says about the block. Bits behind the last row are whatever they are, but for the last block of
    /// all: there they are 0.
    pub(super) fn logic(
        &mut self,
        engine: &RuleEngine,
        columns: &Columns<'_>,
        logic: &Logic,
        out: &mut Block,
    ) {
        self.part(engine, columns, logic, out);
        if self.count < ROWS {
            for word in 0..WORDS {
                let rows = self.count.saturating_sub(word * 64).min(64);
                let mask = if rows == 64 {
                    u64::MAX
                } else {
                    (1 << rows) - 1
                };
                out.truth[word] &= mask;
                out.unknown[word] &= mask;
            }
        }
    }

    fn part(&mut self, engine: &RuleEngine, columns: &Columns<'_>, logic: &Logic, out: &mut Block) {
        match logic {
            Logic::Constant(holds) => *out = Block::all(*holds),
            Logic::Test(place, _) => out.clone_from(self.test(engine, columns, *place)),
            Logic::Not(inner, _) => {
                self.part(engine, columns, inner, out);
                out.negate();
            }
            Logic::And(parts, _) => self.joined(engine, columns, (parts, false), out),
            Logic::Or(parts, _) => self.joined(engine, columns, (parts, true), out),
        }
    }

    /// Parts joined by `or`, or by `and`; those behind what decides all rows are not looked at.
    fn joined(
        &mut self,
        engine: &RuleEngine,
        columns: &Columns<'_>,
        (parts, or): (&[Logic], bool),
        out: &mut Block,
    ) {
        *out = Block::all(!or);
        let mut inner = Block::default();
        for part in parts {
            let join = if or { Block::or } else { Block::and };
            if let Logic::Test(place, _) = part {
                join(out, self.test(engine, columns, *place));
            } else {
                self.part(engine, columns, part, &mut inner);
                join(out, &inner);
            }
            let decided = out.contains(or) && (or || !out.any_unknown || out.unknown == [0; WORDS]);
            if decided {
                break;
            }
        }
    }

    /// What a test says, made once for the block.
    fn test(&mut self, engine: &RuleEngine, columns: &Columns<'_>, place: usize) -> &Block {
        if self.tests[place].is_none() {
            let block = self.made(engine, columns, place);
            self.tests[place] = Some(block);
        }
        self.tests[place].get_or_insert_with(Block::default)
    }

    fn made(&mut self, engine: &RuleEngine, columns: &Columns<'_>, place: usize) -> Block {
        let predicate = &self.predicates[place];
        if let Predicate::Slot {
            slot,
            comparison,
            number,
        } = predicate
        {
            let numbers = self.numbers(columns, *slot);
            return compared(numbers, *comparison, *number);
        }
        let mut slots = Vec::new();
        predicate.for_slots(&mut |slot| slots.push(slot));
        if let (Some(Slot::Text(slot)), 1) = (slots.first().copied(), slots.len())
            && let Some(TextColumn::Codes { codes, levels }) = columns.texts.get(slot).copied()
            && !matches!(
                predicate,
                Predicate::Listed { .. } | Predicate::AddressListed { .. }
            )
        {
            return self.by_code(engine, place, slot, (codes, levels));
        }
        self.row_by_row(engine, columns, (place, &slots))
    }

    /// A column of the block.
    fn numbers(&mut self, columns: &Columns<'_>, slot: usize) -> &Numbers {
        let (first, count) = (self.first, self.count);
        let numbers = &mut self.columns[slot];
        if !numbers.ready {
            let column =
                columns.numbers[slot].slice_axis(Axis(0), Slice::from(first..first + count));
            if let Some(column) = column.as_slice() {
                numbers.values[..count].copy_from_slice(column);
            } else {
                for (to, from) in numbers.values.iter_mut().zip(&column) {
                    *to = *from;
                }
            }
            Arch::new().dispatch(Bits {
                values: &numbers.values,
                side: Side::Nowhere,
                number: 0.0,
                out: &mut numbers.missing,
            });
            numbers.any_missing = numbers.missing.iter().any(|word| *word != 0);
            numbers.ready = true;
        }
        numbers
    }

    /// A test of one text, made once for each of the texts there are.
    fn by_code(
        &mut self,
        engine: &RuleEngine,
        place: usize,
        slot: usize,
        (codes, levels): (&[u32], &[std::sync::Arc<str>]),
    ) -> Block {
        let truth = |text: Option<&str>| {
            let mut texts = vec![None; slot + 1];
            texts[slot] = text;
            let row = Row {
                numbers: &[],
                texts: &texts,
            };
            engine.test(place, row, dafu_core::Timestamp::EPOCH)
        };
        let truths = self.levels[place].get_or_insert_with(|| {
            let known = levels.iter().map(|text| truth(Some(text)));
            known.chain(std::iter::once_with(|| truth(None))).collect()
        });
        let mut block = Block::default();
        let missing = truths.len() - 1;
        for (row, code) in codes[self.first..self.first + self.count]
            .iter()
            .enumerate()
        {
            let code = usize::try_from(*code).unwrap_or(missing).min(missing);
            block.set(row, truths[code]);
        }
        block
    }

    fn row_by_row(
        &mut self,
        engine: &RuleEngine,
        columns: &Columns<'_>,
        (place, slots): (usize, &[Slot]),
    ) -> Block {
        let mut block = Block::default();
        self.numbers.clear();
        self.numbers.resize(columns.numbers.len(), f64::NAN);
        let mut texts = vec![None; columns.texts.len()];
        for row in 0..self.count {
            let at = self.first + row;
            for slot in slots {
                match slot {
                    Slot::Number(slot) => self.numbers[*slot] = columns.number_at(*slot, at),
                    Slot::Text(slot) => texts[*slot] = columns.texts[*slot].get(at),
                }
            }
            let values = Row {
                numbers: &self.numbers,
                texts: &texts,
            };
            block.set(row, engine.test(place, values, columns.time(at)));
        }
        block
    }
}

fn compared(numbers: &Numbers, comparison: Comparison, number: f64) -> Block {
    let mut block = Block::default();
    // What is not larger is smaller or equal, or missing: that is taken out below.
    let (left, negated) = match comparison {
        Comparison::Less => (Side::Below, false),
        Comparison::AtLeast => (Side::Below, true),
        Comparison::Greater => (Side::Above, false),
        Comparison::AtMost => (Side::Above, true),
        Comparison::Equal => (Side::At, false),
        Comparison::Unequal => (Side::At, true),
    };
    Arch::new().dispatch(Bits {
        values: &numbers.values,
        side: left,
        number,
        out: &mut block.truth,
    });
    if negated {
        for word in &mut block.truth {
            *word = !*word;
        }
    }
    if numbers.any_missing {
        block.unknown = numbers.missing;
        block.any_unknown = true;
        for (truth, missing) in block.truth.iter_mut().zip(&numbers.missing) {
            *truth &= !missing;
        }
    }
    block
}

/// Where numbers stand to another.
#[derive(Debug, Clone, Copy)]
enum Side {
    Below,
    Above,
    At,
    /// Not a number.
    Nowhere,
}

/// A bit for each number.
struct Bits<'a> {
    values: &'a [f64],
    side: Side,
    number: f64,
    out: &'a mut [u64; WORDS],
}

impl WithSimd for Bits<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.side {
            Side::Below => self.each(f64::lt),
            Side::Above => self.each(f64::gt),
            Side::At => self.each(f64::eq),
            Side::Nowhere => self.each(|value, _| value.is_nan()),
        }
    }
}

impl Bits<'_> {
    #[inline(always)]
    fn each(self, holds: impl Fn(&f64, &f64) -> bool) {
        for (word, values) in self.out.iter_mut().zip(self.values.chunks_exact(64)) {
            let mut bytes = [0_u8; 64];
            for (byte, value) in bytes.iter_mut().zip(values) {
                *byte = u8::from(holds(value, &self.number));
            }
            *word = 0;
            for (place, bytes) in bytes.chunks_exact(8).enumerate() {
                let eight = bytes
                    .iter()
                    .rev()
                    .fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
                // Each byte is 0 or 1: the product gathers them in its highest byte.
                let gathered = eight.wrapping_mul(0x0102_0408_1020_4080) >> 56;
                *word |= gathered << (place * 8);
            }
        }
    }
}
