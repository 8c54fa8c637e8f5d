//! From inputs of a network back to what people read.

use super::encoder::{DAYS_PER_WEEK, Encoder, SECONDS_PER_DAY};
use super::intervals;
use super::layout::{Input, InputKind};
use super::{Novelty, Transform};
use crate::data::EventNumbers;
use std::borrow::Cow;
use std::f64::consts::TAU;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Encoder {
    /// An encoded number in the unit of the record, seconds for `gap`; a sine or cosine as it is. `None` where there is no
    /// such numeric input, as with [`Numbers::Intervals`](super::Numbers::Intervals).
    ///
    /// Encoding has the precision of 32 bits and holds numbers within the clip, so that the number comes back to about six
    /// digits, and one beyond the clip as the bound.
    pub fn decode_number(&self, numeric: usize, encoded: f32) -> Option<f64> {
        self.decode(self.numeric_input(numeric)?, encoded)
    }

    fn decode(&self, input: &Input, encoded: f32) -> Option<f64> {
        match input.kind {
            InputKind::Number | InputKind::NumberInterval => {
                let scale = self.parts.scales.get(input.place)?.as_ref()?;
                let transform = self.params().numeric.get(input.place)?.transform;
                Some(transform.invert(scale.decode(encoded)))
            }
            InputKind::Gap | InputKind::GapInterval => {
                let scale = self.parts.gap.as_ref()?;
                Some(Transform::SignedLog.invert(scale.decode(encoded)))
            }
            _ => Some(f64::from(encoded)),
        }
    }

    /// What a code of a categorical input stands for: the category, `missing`, `unseen`; the name of a [`Novelty`]; `no` or
    /// `yes` for whether something is missing; the bounds of an interval. `None` where there is no such input, or no such code.
    pub fn decode_code(&self, categorical: usize, code: u32) -> Option<Cow<'_, str>> {
        let input = self.layout.inputs.get(self.numeric_inputs()..)?;
        let input = input.get(categorical)?;
        let index = usize::try_from(code).ok()?;
        match input.kind {
            InputKind::Category => {
                let vocabulary = self.parts.vocabularies.get(input.place)?.as_ref()?;
                vocabulary.name(code).map(Cow::from)
            }
            InputKind::Novelty => Novelty::ALL
                .get(index)
                .map(|novelty| Cow::from(novelty.name())),
            InputKind::NumberInterval => self.interval(input, code, plain),
            InputKind::GapInterval => self.interval(input, code, span),
            InputKind::Hour => (code < intervals::HOURS)
                .then(|| Cow::from(format!("{code:02}:00 to {:02}:00", code + 1))),
            InputKind::Weekday => WEEKDAYS.get(index).copied().map(Cow::from),
            _ => ["no", "yes"].get(index).copied().map(Cow::from),
        }
    }

    /// The bounds of an interval in words.
    fn interval(&self, input: &Input, code: u32, words: fn(f64) -> String) -> Option<Cow<'_, str>> {
        if code == intervals::MISSING {
            return Some(Cow::from("missing"));
        }
        let (begin, end) = intervals::bounds(code)?;
        let words = |bound: Option<f32>| -> Option<String> {
            bound.and_then(|bound| self.decode(input, bound)).map(words)
        };
        Some(Cow::from(match (words(begin), words(end)) {
            (Some(begin), Some(end)) => format!("{begin} to {end}"),
            (Some(begin), None) => format!("at least {begin}"),
            (None, Some(end)) => format!("below {end}"),
            (None, None) => return None,
        }))
    }

    /// An input of an event in words, without its name: `950.00`, `at least 20000`, `missing`, `3.0 h`, `14:05`, `Sat`,
    /// `login`; with intervals `20.00 to 35.00`. The event may be one that a network expects. `None` where there is no such input.
    ///
    /// Numbers below 100,000 have two decimals, times are in UTC. Sine and cosine of the time of day both give the time of
    /// day.
    ///
    /// ```
    /// # use dafu_core::{Currency, Money, Timestamp, Transaction};
    /// # use dafu_sequence::encode::{EncoderParams, Histories};
    /// # let pay = |minor: i64, second: i64| -> Result<_, dafu_core::CoreError> {
    /// #     let (amount, at) = (Money::from_minor(minor, Currency::NONE), Timestamp::from_seconds(second)?);
    /// #     Ok(Transaction::new("t".parse()?, "u".parse()?, amount, "m".parse()?, at))
    /// # };
    /// # let records = [pay(4_000, 0)?, pay(95_000, 7_200)?];
    /// let histories = Histories::new(&records);
    /// let encoder = EncoderParams::transactions().fit(&histories, None)?;
    /// let events = histories.encode(&encoder)?;
    /// let second = events.numbers(1);
    /// assert_eq!(encoder.input_names()[..3], ["amount", "gap", "hour_sin"]);
    /// assert_eq!(encoder.describe(second, 0).as_deref(), Some("950.00"));
    /// assert_eq!(encoder.describe(second, 1).as_deref(), Some("2.0 h"));
    /// assert_eq!(encoder.describe(second, 2).as_deref(), Some("02:00"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn describe(&self, event: EventNumbers<'_>, input: usize) -> Option<String> {
        let numeric = self.numeric_inputs();
        if let Some(categorical) = input.checked_sub(numeric) {
            let code = *event.codes.get(categorical)?;
            return self.decode_code(categorical, code).map(Cow::into_owned);
        }
        if self.is_missing(event, input) {
            return Some("missing".to_owned());
        }
        let encoded = *event.numeric.get(input)?;
        let turn = |sine: usize| -> Option<f64> {
            let (sine, cosine) = (event.numeric.get(sine)?, event.numeric.get(sine + 1)?);
            Some((f64::from(*sine).atan2(f64::from(*cosine)) / TAU).rem_euclid(1.0))
        };
        let held = f64::from(encoded).abs() >= self.params().clip * (1.0 - f64::from(f32::EPSILON));
        let bound = match (held, encoded > 0.0) {
            (false, _) => "",
            (true, true) => "at least ",
            (true, false) => "at most ",
        };
        match self.numeric_input(input)?.kind {
            InputKind::HourSine => turn(input).map(time_of_day),
            InputKind::HourCosine => turn(input.checked_sub(1)?).map(time_of_day),
            InputKind::WeekdaySine => turn(input).map(weekday),
            InputKind::WeekdayCosine => turn(input.checked_sub(1)?).map(weekday),
            InputKind::Gap => {
                let gap = span(self.decode_number(input, encoded)?);
                Some(format!("{bound}{gap}"))
            }
            _ => {
                let number = plain(self.decode_number(input, encoded)?);
                Some(format!("{bound}{number}"))
            }
        }
    }

    /// Whether a numeric input is missing in an event, as far as the encoder has a flag for it. The encoded number is 0 then
    /// and tells nothing: objectives over predicted numbers may leave it out.
    pub fn is_missing(&self, event: EventNumbers<'_>, numeric: usize) -> bool {
        let flag = self.missing_flag(numeric);
        flag.and_then(|flag| event.codes.get(flag)) == Some(&1)
    }

    fn numeric_input(&self, numeric: usize) -> Option<&Input> {
        let inputs = self.layout.inputs.get(..self.numeric_inputs())?;
        inputs.get(numeric)
    }
}

fn plain(number: f64) -> String {
    if number.abs() < 1e5 {
        format!("{number:.2}")
    } else if number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        format!("{number:.3e}")
    }
}

/// A length of time in the unit that suits it.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{:.0} s", s.max(0.0)),
        s if s < 7_200.0 - 1.0 => format!("{:.0} min", s / 60.0),
        s if s < 2.0 * SECONDS_PER_DAY - 1.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} d", s / SECONDS_PER_DAY),
    }
}

fn time_of_day(part: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "minutes of a day"
    )]
    let minute = (part * 1_440.0).round() as u32 % 1_440;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn weekday(part: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "days of a week"
    )]
    let day = (part * DAYS_PER_WEEK).round() as usize % WEEKDAYS.len();
    WEEKDAYS.get(day).copied().unwrap_or("Mon").to_owned()
}
