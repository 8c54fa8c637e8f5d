//! The events that rules are learned from, variable by variable.

use super::params::{Direction, MineParams};
use super::ratio;
use crate::language::quoted;
use crate::{Columns, RowBits, RuleSchema, Slot, VariableType};
use dafu_core::Unit;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::optimize::Judged;

/// The cell of a value that is missing.
pub(super) const MISSING: u16 = u16::MAX;

/// Bytes that a text takes in a condition at most: the whole condition has 16 KiB, for up to eight terms with their names.
const LONGEST_TEXT: usize = 1024;

/// Texts that tell one user, merchant or thing from another.
const IDENTIFIERS: [&str; 6] = [
    "user_id",
    "merchant_id",
    "card",
    "device",
    "email",
    "transaction_id",
];

/// What a term asks of a variable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Test {
    /// Larger than.
    Above(f64),
    /// At most.
    AtMost(f64),
    /// In this cell: a flag that is set or not, a text.
    Is(u16),
    /// Missing.
    Missing,
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Term {
    /// Place of the variable in the sample.
    pub(super) feature: usize,
    pub(super) test: Test,
}

impl Term {
    /// What is asked, without the number: rules with equal ones are variants of each other.
    pub(super) const fn kind(self) -> (usize, u8) {
        let kind = match self.test {
            Test::Above(_) => 0,
            Test::AtMost(_) => 1,
            Test::Is(_) => 2,
            Test::Missing => 3,
        };
        (self.feature, kind)
    }

    /// An order of terms: by variable, then by what is asked of it.
    pub(super) const fn key(self) -> (usize, u8, u64) {
        let (feature, kind) = self.kind();
        let number = match self.test {
            Test::Above(number) | Test::AtMost(number) => number.to_bits(),
            Test::Is(cell) => cell as u64,
            Test::Missing => 0,
        };
        (feature, kind, number)
    }
}

/// What the values of a variable are.
#[derive(Debug)]
pub(super) enum Kind {
    /// Numbers, and the thresholds that the search tries, rising.
    Number {
        values: Vec<f64>,
        bounds: Vec<f64>,
        unit: Unit,
    },
    /// Yes or no.
    Flag,
    /// One of these texts, or another.
    Texts(Vec<Arc<str>>),
}

/// A variable over the events of the sample.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) name: Arc<str>,
    /// The variable that its values are divided by, for ratios.
    pub(super) over: Option<Arc<str>>,
    pub(super) kind: Kind,
    /// The cell of each event: how many bounds are below a number, 1 for yes, the place of a text.
    pub(super) cells: Vec<u16>,
    pub(super) direction: Option<Direction>,
}

impl Feature {
    /// Numbers, cut where `most` thresholds separate the classes.
    pub(super) fn number(
        name: Arc<str>,
        (values, unit): (Vec<f64>, Unit),
        (fraud, most): (&[bool], usize),
    ) -> Self {
        let bounds = bounds(&values, fraud, most);
        let cells = values.iter().map(|value| cell(&bounds, *value)).collect();
        let kind = Kind::Number {
            values,
            bounds,
            unit,
        };
        Self::new(name, kind, cells)
    }

    const fn new(name: Arc<str>, kind: Kind, cells: Vec<u16>) -> Self {
        Self {
            name,
            over: None,
            kind,
            cells,
            direction: None,
        }
    }

    /// Its values are those of a variable divided by those of another, of which only large ones mean what a rule can say
    /// without dividing.
    pub(super) fn over(mut self, name: Arc<str>) -> Self {
        self.over = Some(name);
        self.direction = Some(Direction::Above);
        self
    }

    /// Cells, but for that of missing values.
    pub(super) const fn count(&self) -> usize {
        match &self.kind {
            Kind::Number { bounds, .. } => bounds.len() + 1,
            Kind::Flag => 2,
            Kind::Texts(texts) => texts.len() + 1,
        }
    }

    pub(super) fn holds(&self, test: Test, row: u32) -> bool {
        let row = row as usize;
        match (test, &self.kind) {
            (Test::Above(number), Kind::Number { values, .. }) => values[row] > number,
            (Test::AtMost(number), Kind::Number { values, .. }) => values[row] <= number,
            (Test::Is(cell), _) => self.cells[row] == cell,
            (Test::Missing, _) => self.cells[row] == MISSING,
            _ => false,
        }
    }

    /// Whether people who know the variable let it be asked this.
    pub(super) fn allows(&self, test: Test) -> bool {
        let side = match test {
            Test::Above(_) | Test::Is(1) => Direction::Above,
            Test::AtMost(_) | Test::Is(0) => Direction::AtMost,
            _ => return self.direction.is_none(),
        };
        matches!(self.kind, Kind::Texts(_)) || self.direction.is_none_or(|only| only == side)
    }
}

/// The events of the learning period that have a label.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) features: Vec<Feature>,
    pub(super) fraud: Vec<bool>,
}

impl Sample {
    pub(super) fn new(
        params: &MineParams,
        (schema, columns): (&RuleSchema, &Columns<'_>),
        (learning, judged): (&RowBits, &Judged<'_>),
    ) -> Self {
        let mut labelled = judged.fraud.clone();
        labelled.add(&judged.honest);
        labelled.keep(learning);
        let rows: Vec<usize> = labelled.iter().collect();
        let fraud: Vec<bool> = rows.iter().map(|row| judged.fraud.contains(*row)).collect();
        let mut features = Vec::new();
        for (variable, slot) in schema.slots() {
            let is_text = variable.variable_type == VariableType::Text;
            let tells_apart = is_text && IDENTIFIERS.contains(&&*variable.name);
            if params.left_out.contains(&*variable.name) || tells_apart && !params.identifiers {
                continue;
            }
            let numbers = |slot| rows.iter().map(move |row| columns.number_at(slot, *row));
            let name = Arc::clone(&variable.name);
            let mut feature = match (&variable.variable_type, slot) {
                (VariableType::Number(unit), Slot::Number(slot)) => {
                    let values = numbers(slot).collect();
                    Feature::number(name, (values, *unit), (&fraud, params.thresholds))
                }
                (VariableType::Flag, Slot::Number(slot)) => {
                    let cell = |value: f64| match value {
                        value if value.is_nan() => MISSING,
                        value => u16::from(value != 0.0),
                    };
                    Feature::new(name, Kind::Flag, numbers(slot).map(cell).collect())
                }
                (VariableType::Category { levels }, Slot::Number(slot)) => {
                    let texts: Vec<Option<&str>> = numbers(slot)
                        .map(|value| crate::program::level(value, levels).map(|level| &**level))
                        .collect();
                    let (kind, cells) = texts_of(&texts, &fraud, params.thresholds);
                    Feature::new(name, kind, cells)
                }
                (VariableType::Text, Slot::Text(slot)) => {
                    let texts: Vec<Option<&str>> =
                        rows.iter().map(|row| columns.text_at(slot, *row)).collect();
                    let (kind, cells) = texts_of(&texts, &fraud, params.thresholds);
                    Feature::new(name, kind, cells)
                }
                // A moment never comes again, and an address hardly.
                _ => continue,
            };
            feature.direction = params.directions.get(&*variable.name).copied();
            features.push(feature);
        }
        features.extend(ratio::features(params, &features, &fraud));
        Self { features, fraud }
    }

    /// Whether a term may hold as its variable was declared: of one that was declared as a share and is none, the language
    /// takes no other numbers.
    pub(super) fn may_hold(&self, term: Term) -> bool {
        let feature = &self.features[term.feature];
        match (&feature.kind, term.test) {
            _ if feature.over.is_some() => true,
            (Kind::Number { unit, .. }, Test::Above(number)) => {
                *unit != Unit::Share || number < 1.0
            }
            (Kind::Number { unit, .. }, Test::AtMost(number)) => {
                *unit != Unit::Share || number >= 0.0
            }
            _ => true,
        }
    }

    /// The events for which all terms hold.
    pub(super) fn filter(&self, rows: &[u32], terms: &[Term]) -> Vec<u32> {
        let holds = |row: &u32| {
            terms
                .iter()
                .all(|term| self.features[term.feature].holds(term.test, *row))
        };
        rows.iter().copied().filter(holds).collect()
    }

    /// Frauds and honest ones among events.
    pub(super) fn count(&self, rows: &[u32]) -> Counts {
        let frauds = rows.iter().filter(|row| self.fraud[**row as usize]).count();
        Counts {
            frauds,
            honest: rows.len() - frauds,
        }
    }
}

/// Frauds and honest events for which something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) frauds: usize,
    pub(super) honest: usize,
}

impl Counts {
    /// Weighted relative accuracy times the number of events, for a share of frauds that is to be beaten.
    pub(super) fn gain(self, base: f64) -> f64 {
        (1.0 - base) * self.frauds as f64 - base * self.honest as f64
    }

    /// The lower end of the interval of the precision.
    pub(super) fn sure_precision(self) -> f64 {
        let all = self.frauds + self.honest;
        let precision = if all == 0 {
            0.0
        } else {
            self.frauds as f64 / all as f64
        };
        dafu_core::metrics::share_interval(precision, all as f64).0
    }
}

fn cell(bounds: &[f64], value: f64) -> u16 {
    if value.is_nan() {
        return MISSING;
    }
    // There are fewer than `MISSING`.
    u16::try_from(bounds.partition_point(|bound| *bound < value)).unwrap_or(MISSING - 1)
}

/// Thresholds at quantiles, one half of those of frauds, one half of those of all events: where frauds are rare, quantiles of
/// all events hardly tell them apart.
fn bounds(values: &[f64], fraud: &[bool], most: usize) -> Vec<f64> {
    let sorted = |of_frauds: bool| {
        let rows = values.iter().zip(fraud);
        let wanted = rows.filter(|(value, fraud)| !value.is_nan() && (**fraud || !of_frauds));
        let mut sorted: Vec<f64> = wanted.map(|(value, _)| *value).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted
    };
    let all = sorted(false);
    let mut distinct = all.clone();
    distinct.dedup_by(|one, two| *one <= *two);
    // Between each value and the next.
    let between = |place: usize| Some(middle(*distinct.get(place)?, *distinct.get(place + 1)?));
    let mut bounds: Vec<f64> = if distinct.len() <= most + 1 {
        (0..distinct.len()).filter_map(between).collect()
    } else {
        let quantiles = |sorted: &[f64], count: usize| -> Vec<f64> {
            let value = |at: usize| sorted.get(sorted.len() * at / (count + 1));
            let places = (1..=count).filter_map(value);
            let place = |value: &f64| distinct.partition_point(|other| other < value);
            // Below frauds, so that they are on the suspicious side of `>`; below or above others does not matter.
            places
                .filter_map(|value| between(place(value).saturating_sub(1)))
                .collect()
        };
        let mut bounds = quantiles(&sorted(true), most / 2);
        bounds.extend(quantiles(&all, most - most / 2));
        bounds
    };
    bounds.retain(|bound| bound.is_finite());
    bounds.sort_unstable_by(f64::total_cmp);
    bounds.dedup_by(|one, two| *one <= *two);
    bounds
}

/// A number from `low` to below `high`, in the middle where there is room.
pub(super) fn middle(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

/// The texts that most frauds have, and the cell of each event.
fn texts_of(texts: &[Option<&str>], fraud: &[bool], most: usize) -> (Kind, Vec<u16>) {
    let mut frauds: BTreeMap<&str, usize> = BTreeMap::new();
    for (text, fraud) in texts.iter().zip(fraud) {
        if let (Some(text), true) = (text, fraud) {
            *frauds.entry(text).or_default() += 1;
        }
    }
    let fits = |text: &str| {
        let mut written = String::new();
        text.len() <= LONGEST_TEXT
            && quoted(&mut written, text).is_ok()
            && written.len() <= LONGEST_TEXT
    };
    let mut kept: Vec<(&str, usize)> = frauds.into_iter().filter(|(text, _)| fits(text)).collect();
    kept.sort_by_key(|(text, count)| (std::cmp::Reverse(*count), *text));
    kept.truncate(most);
    let places: BTreeMap<&str, u16> = kept
        .iter()
        .zip(0..)
        .map(|((text, _), place)| (*text, place))
        .collect();
    let other = u16::try_from(kept.len()).unwrap_or(MISSING - 1);
    let cell = |text: Option<&str>| match text {
        None => MISSING,
        Some(text) => places.get(text).copied().unwrap_or(other),
    };
    let cells = texts.iter().copied().map(cell).collect();
    (
        Kind::Texts(kept.into_iter().map(|(text, _)| text.into()).collect()),
        cells,
    )
}
