//! From a row of features to the inputs of a network.

use super::AnyError;
use crate::PipelineError;
use dafu_core::{Schema, Timestamp};
use dafu_sequence::SequenceError;
use dafu_sequence::data::EventNumbers;
use dafu_sequence::encode::{
    CategoricalInput, Encoder, EncoderParams, EncoderState, NumericInput, RawEvent, Transform,
};
use std::collections::BTreeMap;
use std::mem::replace;
use std::sync::LazyLock;

/// Most levels of a column that is read as categories.
pub(super) const MOST_LEVELS: usize = 1_000;
/// Levels, beside them a code for what is missing and one for what is new.
const MOST_CODES: u32 = 1_002;
/// Numbers beyond this in size are of many magnitudes.
const MANY_MAGNITUDES: f64 = 100.0;
/// The code of the most frequent category of an encoder's input.
const MOST_FREQUENT: u32 = 2;

/// The texts of codes, as an encoder reads them.
static CODES: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..MOST_CODES).map(|code| code.to_string()).collect());

/// The text of a column's code; `None` where it is missing.
fn code_text(code: f64) -> Option<&'static str> {
    if code.is_nan() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is no code is none of the texts"
    )]
    let place = (code >= 0.0).then_some(code as usize);
    let text = place.and_then(|place| CODES.get(place));
    Some(text.map_or("?", String::as_str))
}

/// How rows of features become events.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    encoder: Encoder,
    width: usize,
    columns: Columns,
    /// By column, where the network reads it: what to put there for a row that is as usual.
    usual: Vec<Option<Usual>>,
}

/// Columns by what they hold, each rising.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    numbers: Vec<usize>,
    categories: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Usual {
    /// A number, with the input that says whether it is missing.
    Number(usize, Option<usize>),
    /// An input of codes.
    Category(usize, u32),
}

/// Room for the inputs of one event.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs {
    numbers: Vec<f64>,
    pub(super) numeric: Vec<f32>,
    pub(super) codes: Vec<u32>,
}

/// What stood in a column of the inputs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Observed {
    /// In an input of numbers, and in the one that says whether it is missing.
    Number(usize, f32, Option<(usize, u32)>),
    /// In an input of codes, and whether it is another than usual.
    Category(usize, u32, bool),
}

impl Observed {
    /// Whether it is not as usual.
    fn differs(self) -> bool {
        match self {
            Self::Number(_, number, flag) => number != 0.0 || flag.is_some_and(|flag| flag.1 != 0),
            Self::Category(.., differs) => differs,
        }
    }
}

impl Inputs {
    /// Undoes what [`Reader::make_usual`] did.
    pub(super) fn put_back(&mut self, observed: Observed) {
        match observed {
            Observed::Number(input, number, flag) => {
                self.numeric[input] = number;
                if let Some((flag, code)) = flag {
                    self.codes[flag] = code;
                }
            }
            Observed::Category(input, code, _) => self.codes[input] = code,
        }
    }

    pub(super) fn numbers(&self) -> EventNumbers<'_> {
        EventNumbers {
            numeric: &self.numeric,
            codes: &self.codes,
        }
    }
}

impl Columns {
    pub(super) fn new(categories: Vec<usize>, width: usize) -> Self {
        let number = |column: &usize| categories.binary_search(column).is_err();
        Self {
            numbers: (0..width).filter(number).collect(),
            categories,
        }
    }

    /// What an encoder is to read of them; `largest` is the largest size of each column's numbers.
    pub(super) fn params(&self, schema: &Schema, largest: &[f64]) -> EncoderParams {
        let name = |column: usize| format!("{column}:{}", schema.features()[column].name);
        let number = |column: &usize| {
            let transform = if largest[*column] > MANY_MAGNITUDES {
                Transform::SignedLog
            } else {
                Transform::Identity
            };
            NumericInput::new(name(*column))
                .transform(transform)
                .optional(true)
        };
        let category = |column: &usize| {
            CategoricalInput::new(name(*column))
                .max_categories(MOST_CODES)
                .optional(true)
        };
        EncoderParams {
            numeric: self.numbers.iter().map(number).collect(),
            categorical: self.categories.iter().map(category).collect(),
            ..EncoderParams::default().hour(false).weekday(false)
        }
    }

    /// The numbers of a row.
    pub(super) fn numbers<'r>(&'r self, row: &'r [f64]) -> impl Iterator<Item = f64> + 'r {
        self.numbers.iter().map(|column| row[*column])
    }

    /// The texts of its categories.
    pub(super) fn texts(&self, row: &[f64]) -> Vec<Option<&'static str>> {
        let codes = self.categories.iter().map(|column| row[*column]);
        codes.map(code_text).collect()
    }
}

impl Reader {
    pub(super) fn new(
        encoder: Encoder,
        categories: Vec<usize>,
        width: usize,
    ) -> Result<Self, AnyError> {
        let broken = |what: &str| {
            let what = what.to_owned();
            Err(Box::new(SequenceError::Encoder { what }).into())
        };
        let rising = categories.is_sorted_by(|one, other| one < other);
        if !rising || categories.last().is_some_and(|last| *last >= width) {
            return broken("columns of categories are not those of a row");
        }
        let columns = Columns::new(categories, width);
        let params = encoder.params();
        let fits = params.numeric.len() == columns.numbers.len()
            && params.categorical.len() == columns.categories.len()
            && params.novelty.is_empty();
        if !fits {
            return broken("its inputs are not the columns of a row");
        }
        let inputs = encoder.input_names().iter().zip(0..);
        let inputs: BTreeMap<&str, usize> =
            inputs.map(|(name, place)| (name.as_str(), place)).collect();
        let mut usual = vec![None; width];
        for (column, name) in columns.numbers.iter().zip(params.number_fields()) {
            let input = inputs.get(name).copied();
            usual[*column] = input.map(|input| Usual::Number(input, encoder.missing_flag(input)));
        }
        for (column, name) in columns.categories.iter().zip(params.text_fields()) {
            let input = inputs.get(name).copied();
            let input = input.and_then(|input| input.checked_sub(encoder.numeric_inputs()));
            usual[*column] = input.and_then(|input| {
                let codes = encoder.categories().get(input)?;
                Some(Usual::Category(input, MOST_FREQUENT.min(codes - 1)))
            });
        }
        Ok(Self {
            encoder,
            width,
            columns,
            usual,
        })
    }

    pub(super) const fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) fn categories(&self) -> &[usize] {
        &self.columns.categories
    }

    pub(super) const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Whether rows have as many features.
    pub(super) const fn check_width(&self, got: usize) -> Result<(), PipelineError> {
        let expected = self.width;
        if expected == got {
            return Ok(());
        }
        Err(PipelineError::StageWidth { expected, got })
    }

    /// The inputs of an event, of which the context takes note. An event before the newest one of its user is read as if it
    /// came at the same time as that, which is what [`Encoder::encode_late`] does where hour and weekday are no inputs.
    pub(super) fn read(
        &self,
        (row, time): (&[f64], Timestamp),
        context: &mut EncoderState,
        inputs: &mut Inputs,
    ) -> Result<(), AnyError> {
        self.check_width(row.len())?;
        inputs.numbers.clear();
        inputs.numbers.extend(self.columns.numbers(row));
        let event = RawEvent {
            time: context.previous().map_or(time, |newest| newest.max(time)),
            numbers: &inputs.numbers,
            texts: &self.columns.texts(row),
            label: None,
            scorable: true,
        };
        let (numeric, codes) = (&mut inputs.numeric, &mut inputs.codes);
        Ok(self.encoder.encode(context, &event, numeric, codes)?)
    }

    /// Makes one column of the inputs as usual. What was there; `None` where it was as usual, or is not read.
    pub(super) fn make_usual(&self, column: usize, inputs: &mut Inputs) -> Option<Observed> {
        let observed = match self.usual.get(column).copied().flatten()? {
            Usual::Number(input, flag) => {
                let number = replace(inputs.numeric.get_mut(input)?, 0.0);
                let flag = flag.and_then(|flag| Some((flag, inputs.codes.get_mut(flag)?)));
                let flag = flag.map(|(flag, code)| (flag, replace(code, 0)));
                Observed::Number(input, number, flag)
            }
            Usual::Category(input, code) => {
                let observed = replace(inputs.codes.get_mut(input)?, code);
                Observed::Category(input, observed, observed != code)
            }
        };
        observed.differs().then_some(observed)
    }
}
