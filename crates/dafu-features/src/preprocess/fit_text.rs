//! What is learned about one column of texts.

use super::fit_number::scale;
use super::params::{Constants, Encoding, PreprocessorParams, Scaling, Settings, TextImpute};
use super::plan::{CodeKind, Levels, NOWHERE, TextCode, level_key};
use super::stats::{Counter, Moments};
use crate::FeatureError;

/// Rows with a known label, and the frauds among them.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    known: u64,
    frauds: u64,
}

impl Tally {
    fn add(&mut self, fraud: bool) {
        self.known += 1;
        self.frauds += u64::from(fraud);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            known: self.known + other.known,
            frauds: self.frauds + other.frauds,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            known: self.known - other.known,
            frauds: self.frauds - other.frauds,
        }
    }

    /// The share of frauds; 0 where nothing is known.
    fn rate(self) -> f64 {
        self.frauds as f64 / self.known.max(1) as f64
    }
}

/// A tally for each fold; empty where labels are not wanted.
type Tallies = Box<[Tally]>;

fn sum(tallies: &[Tally]) -> Tally {
    tallies.iter().copied().fold(Tally::default(), Tally::plus)
}

#[derive(Debug, Clone)]
pub(crate) struct TextFit {
    counts: Counter<Box<str>, Tallies>,
    missing: u64,
    of_missing: Tallies,
    of_all: Tallies,
    /// Stands in for a missing text.
    constant: Option<String>,
}

/// What was learned.
#[derive(Debug)]
pub(crate) struct FinishedText {
    pub(crate) code: Option<(Levels, TextCode)>,
    pub(crate) note: String,
}

/// One level while finishing.
struct Level {
    name: Box<str>,
    count: u64,
    tallies: Tallies,
}

impl TextFit {
    pub(crate) fn new(settings: &Settings, params: &PreprocessorParams) -> Self {
        let target = matches!(settings.encoding, Encoding::Target { .. });
        let folds = if target { params.folds.count() } else { 0 };
        let empty = vec![Tally::default(); usize::from(folds)].into_boxed_slice();
        Self {
            counts: Counter::new(params.max_levels),
            missing: 0,
            of_missing: empty.clone(),
            of_all: empty,
            constant: match &settings.text_impute {
                TextImpute::Constant(text) => Some(level_key(text).into_owned()),
                _ => None,
            },
        }
    }

    pub(crate) fn wants_labels(&self) -> bool {
        !self.of_all.is_empty()
    }

    /// Number of levels held.
    pub(crate) fn levels(&self) -> u64 {
        self.counts.len() as u64
    }

    pub(crate) fn error(&self) -> u64 {
        self.counts.error()
    }

    pub(crate) fn push(&mut self, text: Option<&str>, row: Option<(u16, Option<bool>)>) {
        let known = row.and_then(|(fold, label)| label.map(|label| (usize::from(fold), label)));
        let add = |tallies: &mut Tallies| {
            if let Some((fold, label)) = known
                && let Some(tally) = tallies.get_mut(fold)
            {
                tally.add(label);
            }
        };
        add(&mut self.of_all);
        let Some(text) = text.or(self.constant.as_deref()) else {
            self.missing += 1;
            add(&mut self.of_missing);
            return;
        };
        let folds = self.of_all.len();
        let new = || vec![Tally::default(); folds].into_boxed_slice();
        if let Some(tallies) = self.counts.add(&*level_key(text), new) {
            add(tallies);
        }
    }

    pub(crate) fn finish(
        self,
        column: &str,
        settings: &Settings,
        params: &PreprocessorParams,
        rows: u64,
    ) -> Result<FinishedText, FeatureError> {
        let error = self.counts.error();
        let most = self.counts.most_frequent().cloned();
        let sorted = self.counts.into_sorted().into_iter();
        let mut levels: Vec<Level> = sorted
            .map(|(name, count, tallies)| Level {
                name,
                count,
                tallies,
            })
            .collect();
        let place_of = |levels: &[Level], name: &str| {
            levels
                .binary_search_by(|level| (*level.name).cmp(name))
                .ok()
        };
        // Where a missing text goes: `None` for a level of its own.
        let filled = match &settings.text_impute {
            TextImpute::OwnLevel => None,
            TextImpute::MostFrequent => most,
            TextImpute::Constant(_) => self.constant.map(String::into_boxed_str),
        };
        let mut missing = self.missing;
        if let (TextImpute::MostFrequent, Some(name)) = (&settings.text_impute, &filled)
            && let Some(place) = place_of(&levels, name)
        {
            levels[place].count += missing;
            for (tally, more) in levels[place].tallies.iter_mut().zip(&self.of_missing) {
                *tally = tally.plus(*more);
            }
            missing = 0;
        }
        let different = levels.len() + usize::from(missing > 0);
        if different <= 1 && params.constants == Constants::Drop {
            let note = match levels.first() {
                Some(level) => format!("dropped: every row has {:?}", level.name),
                None => "dropped: no row has a text".to_owned(),
            };
            return Ok(FinishedText { code: None, note });
        }
        let mut encoding = settings.encoding;
        let mut why = "as asked";
        if encoding == Encoding::Auto {
            let few = error == 0 && levels.len() <= params.one_hot_levels;
            (encoding, why) = if few {
                let max_levels = levels.len().max(1);
                (Encoding::OneHot { max_levels }, "because it has few levels")
            } else {
                (Encoding::LogFrequency, "because it has many levels")
            };
        }
        let coder = Coder {
            column,
            levels,
            missing,
            filled,
            of_missing: self.of_missing,
            of_all: self.of_all,
            rows,
            scaling: settings.scaling,
            error,
        };
        let (code, what) = match encoding {
            Encoding::Auto | Encoding::LogFrequency => (
                coder.values(CodeKind::LogFrequency, 0.0)?,
                "the logarithm of the frequency of its levels",
            ),
            Encoding::OneHot { max_levels } => {
                (coder.one_hot(max_levels)?, "a flag for each level")
            }
            Encoding::Ordinal => (
                coder.values(CodeKind::Ordinal, 0.0)?,
                "the place of the level in the alphabet",
            ),
            Encoding::Frequency => (
                coder.values(CodeKind::Frequency, 0.0)?,
                "the frequency of its levels",
            ),
            Encoding::Target { smoothing } => (
                coder.values(CodeKind::Target, smoothing)?,
                "the fraud rate of its levels, out of fold for training rows",
            ),
            Encoding::Hash { buckets } => {
                let fill = coder.filled.clone();
                let code = TextCode::Hash { buckets, fill };
                ((Levels::default(), code), "hashed into buckets")
            }
        };
        let forgotten = match error {
            0 => String::new(),
            error => format!(
                "; rare levels beyond {} were forgotten, counts are up to {error} too low",
                params.max_levels
            ),
        };
        let note = format!("{what}, {why}{forgotten}");
        Ok(FinishedText {
            code: Some(code),
            note,
        })
    }
}

/// Levels on their way to codes.
struct Coder<'a> {
    column: &'a str,
    levels: Vec<Level>,
    missing: u64,
    filled: Option<Box<str>>,
    of_missing: Tallies,
    of_all: Tallies,
    rows: u64,
    scaling: Scaling,
    error: u64,
}

impl Coder<'_> {
    fn lookup(names: impl Iterator<Item = Box<str>>) -> Result<Levels, FeatureError> {
        // Keys of a map, sorted: in order and different.
        Levels::try_from(names.collect::<Vec<_>>()).map_err(|_| FeatureError::NoRows)
    }

    fn one_hot(mut self, max_levels: usize) -> Result<(Levels, TextCode), FeatureError> {
        let all = self.levels.len();
        self.levels
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        self.levels.truncate(max_levels);
        self.levels.sort_by(|a, b| a.name.cmp(&b.name));
        let kept = self.levels.len();
        let other = all > kept || self.error > 0;
        let own_missing = self.filled.is_none() && self.missing > 0;
        let place = |place: usize| u32::try_from(place).unwrap_or(NOWHERE);
        let unseen = if other { place(kept) } else { NOWHERE };
        let levels = Self::lookup(self.levels.into_iter().map(|level| level.name))?;
        let missing = match &self.filled {
            Some(text) => match levels.slot(Some(text)) {
                slot if slot < kept => place(slot),
                _ => unseen,
            },
            None if own_missing => place(kept + usize::from(other)),
            None => unseen,
        };
        let code = TextCode::OneHot {
            other,
            own_missing,
            missing,
            unseen,
        };
        Ok((levels, code))
    }

    fn values(
        mut self,
        kind: CodeKind,
        smoothing: f64,
    ) -> Result<(Levels, TextCode), FeatureError> {
        let slots = self.levels.len() + 2;
        let mut folds = Vec::new();
        let mut values: Vec<f64> = match kind {
            CodeKind::Ordinal => (0..slots).map(|slot| slot as f64).collect(),
            CodeKind::Frequency => self.of_counts(|count| count as f64 / self.rows as f64),
            CodeKind::LogFrequency => {
                let rows = self.rows as f64 + 1.0;
                self.of_counts(|count| ((count as f64 + 1.0) / rows).ln())
            }
            CodeKind::Target => {
                let all = sum(&self.of_all);
                if all.known == 0 {
                    let column = self.column.to_owned();
                    return Err(FeatureError::NoLabels { column });
                }
                for fold in 0..self.of_all.len() {
                    let rest = all.minus(self.of_all[fold]);
                    let without = |tallies: &[Tally]| sum(tallies).minus(tallies[fold]);
                    folds.push(self.of_tallies(rest, smoothing, without));
                }
                self.of_tallies(all, smoothing, sum)
            }
        };
        let weights: Vec<u64> = {
            let counts = self.levels.iter().map(|level| level.count);
            counts.chain([self.missing, 0]).collect()
        };
        let names = std::mem::take(&mut self.levels);
        let levels = Self::lookup(names.into_iter().map(|level| level.name))?;
        if let Some(text) = &self.filled {
            let (from, to) = (levels.slot(Some(text)), levels.len());
            for values in folds.iter_mut().chain([&mut values]) {
                values[to] = values[from];
            }
        }
        if kind != CodeKind::Ordinal {
            self.rescale(&mut values, &mut folds, &weights)?;
        }
        let code = TextCode::Value {
            kind,
            values,
            folds,
        };
        Ok((levels, code))
    }

    /// A value for each level, for missing and for unseen.
    fn of_counts(&self, value: impl Fn(u64) -> f64) -> Vec<f64> {
        let counts = self.levels.iter().map(|level| level.count);
        counts.chain([self.missing, 0]).map(value).collect()
    }

    /// Smoothed rates for each level, for missing and for unseen.
    fn of_tallies(&self, all: Tally, smoothing: f64, part: impl Fn(&[Tally]) -> Tally) -> Vec<f64> {
        let prior = all.rate();
        let smooth = |tally: Tally| {
            let weight = tally.known as f64 + smoothing;
            if weight > 0.0 {
                (tally.frauds as f64 + smoothing * prior) / weight
            } else {
                prior
            }
        };
        let levels = self.levels.iter().map(|level| part(&level.tallies));
        let missing = part(&self.of_missing);
        levels
            .chain([missing, Tally::default()])
            .map(smooth)
            .collect()
    }

    /// Scales values as they are spread over the training rows.
    fn rescale(
        &self,
        values: &mut [f64],
        folds: &mut [Vec<f64>],
        weights: &[u64],
    ) -> Result<(), FeatureError> {
        let mut moments = Moments::default();
        let mut sorted: Vec<(f64, u64)> = Vec::new();
        for (&value, &weight) in values.iter().zip(weights) {
            moments.push_many(value, weight);
            sorted.push((value, weight));
        }
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let scale = scale(self.scaling, &moments, &sorted);
        let scale = scale.ok_or_else(|| FeatureError::TooLarge {
            column: self.column.to_owned(),
        })?;
        if let Some(scale) = scale {
            let cells = folds.iter_mut().flatten().chain(values);
            cells.for_each(|cell| *cell = scale.apply(*cell));
        }
        Ok(())
    }
}
