//! The inputs of an encoder, as a network sees them.

use super::encoder::Parts;
use super::intervals;
use super::params::{Numbers, missing_name, novelty_name};
use super::state::Novelty;
use crate::SequenceError;
use crate::network::{Cell, Embedding, NetworkConfig, Task};

/// What an input of a network holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum InputKind {
    /// A scaled number of the record.
    Number,
    /// The time since the event before of the entity.
    Gap,
    /// Sine of the time of day.
    HourSine,
    /// Cosine of the time of day.
    HourCosine,
    /// Sine of the day of the week.
    WeekdaySine,
    /// Cosine of the day of the week.
    WeekdayCosine,
    /// Whether a number is missing: 0 or 1.
    Missing,
    /// The interval of a number of the record.
    NumberInterval,
    /// The interval of the time since the event before of the entity.
    GapInterval,
    /// The hour of the day.
    Hour,
    /// The day of the week, from Monday on.
    Weekday,
    /// The code of a text.
    Category,
    /// The code of a [`Novelty`].
    Novelty,
}

/// One input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) kind: InputKind,
    /// Which of the parameters' inputs of this kind it is; for flags, the numeric input of the network.
    pub(super) place: usize,
}

/// All inputs: numeric, then categorical ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) names: Vec<String>,
    pub(super) inputs: Vec<Input>,
    pub(super) numeric_inputs: usize,
    pub(super) categories: Vec<u32>,
    pub(super) embeddings: Vec<Embedding>,
}

const TIME_KINDS: [(&str, InputKind); 5] = [
    ("gap", InputKind::Gap),
    ("hour_sin", InputKind::HourSine),
    ("hour_cos", InputKind::HourCosine),
    ("weekday_sin", InputKind::WeekdaySine),
    ("weekday_cos", InputKind::WeekdayCosine),
];

impl Layout {
    /// The order in which [`Encoder`](super::Encoder) writes.
    pub(super) fn of(parts: &Parts) -> Result<Self, SequenceError> {
        let params = &parts.params;
        let mut layout = Self {
            names: Vec::new(),
            inputs: Vec::new(),
            numeric_inputs: 0,
            categories: Vec::new(),
            embeddings: Vec::new(),
        };
        match params.numbers {
            Numbers::Scaled => layout.add_numbers(parts),
            Numbers::Intervals => layout.add_intervals(parts),
        }
        let vocabularies = params.categorical.iter().zip(&parts.vocabularies);
        for (place, (input, vocabulary)) in vocabularies.enumerate() {
            if let Some(vocabulary) = vocabulary {
                layout.add(input.name.clone(), InputKind::Category, place);
                layout.add_codes(vocabulary.codes(), input.dimension);
            }
        }
        for (place, (input, used)) in params.novelty.iter().zip(&parts.novelty).enumerate() {
            if *used {
                layout.add(novelty_name(&input.name), InputKind::Novelty, place);
                layout.add_codes(NOVELTIES, None);
            }
        }
        layout.check()?;
        Ok(layout)
    }

    /// Numbers and times as scaled numbers, then whether they are missing.
    fn add_numbers(&mut self, parts: &Parts) {
        let params = &parts.params;
        let mut flags = Vec::new();
        for (place, (input, scale)) in params.numeric.iter().zip(&parts.scales).enumerate() {
            let Some(scale) = scale else { continue };
            if scale.missing {
                flags.push((missing_name(&input.name), self.names.len()));
            }
            self.add(input.name.clone(), InputKind::Number, place);
        }
        for name in params.time_names() {
            let Some((_, kind)) = TIME_KINDS.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            if *kind == InputKind::Gap {
                flags.push((missing_name(name), self.names.len()));
            }
            self.add(name.to_owned(), *kind, 0);
        }
        self.numeric_inputs = self.names.len();
        for (name, numeric) in flags {
            self.add(name, InputKind::Missing, numeric);
            self.add_codes(2, None);
        }
    }

    /// Numbers and times as codes.
    fn add_intervals(&mut self, parts: &Parts) {
        let params = &parts.params;
        for (place, (input, scale)) in params.numeric.iter().zip(&parts.scales).enumerate() {
            if scale.is_some() {
                self.add(input.name.clone(), InputKind::NumberInterval, place);
                self.add_codes(intervals::CODES, None);
            }
        }
        let times = [
            (params.gap, "gap", InputKind::GapInterval, intervals::CODES),
            (params.hour, "hour", InputKind::Hour, intervals::HOURS),
            (
                params.weekday,
                "weekday",
                InputKind::Weekday,
                intervals::WEEKDAYS,
            ),
        ];
        for (_, name, kind, codes) in times.into_iter().filter(|(used, ..)| *used) {
            self.add(name.to_owned(), kind, 0);
            self.add_codes(codes, None);
        }
    }

    fn add(&mut self, name: String, kind: InputKind, place: usize) {
        self.names.push(name);
        self.inputs.push(Input { kind, place });
    }

    fn add_codes(&mut self, categories: u32, dimension: Option<usize>) {
        self.categories.push(categories);
        self.embeddings.push(Embedding {
            categories,
            dimension: dimension.unwrap_or_else(|| Embedding::default_dimension(categories)),
        });
    }

    /// Whether a network can read them.
    fn check(&self) -> Result<(), SequenceError> {
        let config = NetworkConfig {
            numeric_inputs: self.numeric_inputs,
            embeddings: self.embeddings.clone(),
            cell: Cell::Lstm,
            layers: 1,
            hidden_units: 1,
            dropout: 0.0,
            task: Task::NextEvent,
        };
        config.check()
    }

    /// Which categorical input of the network says whether a numeric one is missing.
    pub(super) fn flag(&self, numeric: usize) -> Option<usize> {
        let categorical = self.inputs.get(self.numeric_inputs..)?;
        let is_flag = |input: &Input| input.kind == InputKind::Missing && input.place == numeric;
        categorical.iter().position(is_flag)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "five")]
const NOVELTIES: u32 = Novelty::ALL.len() as u32;
