//! What the values of a column look like in a sample.

use crate::NumberStyle;
use crate::TimeFormat;
use crate::convert::is_missing;
use crate::label::LabelValues;
use crate::number::{parse as parse_number, without_currency_sign};
use crate::params::{DateOrder, IngestParams};
use crate::sample::Sample;
use crate::time_format::{TimeProblem, parse as parse_time};
use dafu_core::Timestamp;
use dafu_core::table::Storage;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

/// Counts over the values of a column that are not missing.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnStats {
    pub(crate) rows: usize,
    pub(crate) present: usize,
    pub(crate) numbers: usize,
    pub(crate) number_style: NumberStyle,
    pub(crate) integers: usize,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) times: usize,
    pub(crate) time_format: TimeFormat,
    /// What was assumed about the order of day and month, if anything.
    pub(crate) time_assumption: Option<String>,
    pub(crate) labels: usize,
    pub(crate) label_words: usize,
    pub(crate) ips: usize,
    pub(crate) emails: usize,
    pub(crate) user_agents: usize,
    pub(crate) distinct: usize,
    /// Values and how often they occur, while there are at most four.
    pub(crate) few: Option<BTreeMap<String, usize>>,
    /// Integers, each larger than the one before.
    pub(crate) counts_up: bool,
}

impl ColumnStats {
    pub(crate) fn share(&self, count: usize) -> f64 {
        if self.present == 0 {
            0.0
        } else {
            count as f64 / self.present as f64
        }
    }

    /// Whether nearly all values are numbers.
    pub(crate) fn is_numeric(&self) -> bool {
        self.share(self.numbers) >= 0.9
    }

    /// Looks at a column of a sample.
    pub(crate) fn of(sample: &Sample, column: usize, params: &IngestParams) -> Self {
        let mut stats = Self {
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            counts_up: true,
            few: Some(BTreeMap::new()),
            ..Self::default()
        };
        let values: Vec<&str> = sample
            .column(column)
            .filter(|text| !is_missing(text, Storage::Number, &params.missing))
            .collect();
        stats.rows = sample.rows();
        stats.present = values.len();
        stats.look_at_numbers(&values, params.number_style);
        stats.look_at_times(&values, params);
        stats.look_at_texts(&values);
        stats
    }

    fn look_at_numbers(&mut self, values: &[&str], declared: Option<NumberStyle>) {
        let styles: Vec<NumberStyle> =
            declared.map_or_else(|| NumberStyle::ALL.to_vec(), |style| vec![style]);
        let mut hits = vec![0_usize; styles.len()];
        for text in values {
            // The other styles are worth a look only where there is a comma.
            let plain = !text.contains(',');
            for (hit, &style) in hits.iter_mut().zip(&styles) {
                if plain && style == NumberStyle::PointGrouped {
                    continue;
                }
                let number = parse_number(without_currency_sign(text), style);
                *hit += usize::from(number.is_some());
            }
        }
        let mut best = 0;
        for index in 1..hits.len() {
            if hits[index] > hits[best] {
                best = index;
            }
        }
        // Grouped numbers need not all have groups.
        let style = match styles[best] {
            NumberStyle::Point if hits.len() > 1 => {
                Self::grouped(values, NumberStyle::PointGrouped, hits[0])
            }
            NumberStyle::Comma if hits.len() > 1 => {
                Self::grouped(values, NumberStyle::CommaGrouped, hits[1])
            }
            style => style,
        };
        self.number_style = style;
        let mut last = f64::NEG_INFINITY;
        for text in values {
            let Some(number) = parse_number(without_currency_sign(text), style) else {
                self.counts_up = false;
                continue;
            };
            self.numbers += 1;
            self.integers += usize::from(number.value.fract() == 0.0);
            self.counts_up &= number.value.fract() == 0.0 && number.value > last;
            last = number.value;
            self.min = self.min.min(number.value);
            self.max = self.max.max(number.value);
        }
        self.counts_up &= self.numbers > 0;
    }

    /// The style with groups when it reads more values than the one without.
    fn grouped(values: &[&str], grouped: NumberStyle, plain_hits: usize) -> NumberStyle {
        let plain = if grouped == NumberStyle::PointGrouped {
            NumberStyle::Point
        } else {
            NumberStyle::Comma
        };
        let hits = values
            .iter()
            .filter(|text| parse_number(without_currency_sign(text), grouped).is_some())
            .count();
        if hits > plain_hits { grouped } else { plain }
    }

    fn look_at_times(&mut self, values: &[&str], params: &IngestParams) {
        let looks_like_date = |text: &str| {
            text.len() >= 6
                && text.as_bytes()[0].is_ascii_digit()
                && text
                    .bytes()
                    .take(5)
                    .any(|byte| matches!(byte, b'-' | b'/' | b'.'))
        };
        let dates: Vec<&str> = values
            .iter()
            .copied()
            .filter(|text| looks_like_date(text))
            .collect();
        if dates.len() * 2 > values.len() && self.numbers < values.len() {
            self.look_at_dates(&dates, params);
        }
        // The unit that most numbers are in, and only numbers that can be times of this century.
        let mut units = [0_usize; 4];
        let kinds = [
            TimeFormat::EpochSeconds,
            TimeFormat::EpochMillis,
            TimeFormat::EpochMicros,
            TimeFormat::EpochNanos,
        ];
        for text in values {
            if let Ok(number) = text.parse::<f64>()
                && number >= 1e8
                && let Some(kind) = TimeFormat::of_epoch(number)
                && let Some(index) = kinds.iter().position(|&other| other == kind)
            {
                units[index] += 1;
            }
        }
        for (kind, count) in kinds.into_iter().zip(units) {
            if count > self.times {
                self.times = count;
                self.time_format = kind;
                self.time_assumption = None;
            }
        }
    }

    fn look_at_dates(&mut self, dates: &[&str], params: &IngestParams) {
        let read = |format| Dates::read(dates, format, params);
        let year = read(TimeFormat::YearFirst);
        if year.count * 2 > dates.len() {
            self.times = year.count;
            self.time_format = TimeFormat::YearFirst;
            return;
        }
        let (day, month) = (read(TimeFormat::DayFirst), read(TimeFormat::MonthFirst));
        let (format, assumption) = match params.date_order {
            DateOrder::DayFirst => (TimeFormat::DayFirst, None),
            DateOrder::MonthFirst => (TimeFormat::MonthFirst, None),
            DateOrder::Detect if day.count > month.count => (TimeFormat::DayFirst, None),
            DateOrder::Detect if month.count > day.count => (TimeFormat::MonthFirst, None),
            DateOrder::Detect if day.count == 0 => return,
            DateOrder::Detect => Self::undecided(&day, &month),
        };
        self.times = if format == TimeFormat::DayFirst {
            day.count
        } else {
            month.count
        };
        self.time_format = format;
        self.time_assumption = assumption;
    }

    /// No day above 12 was seen. Times in a file mostly go up and lie close together: the order in which they do so
    /// clearly better wins, else the day comes first.
    fn undecided(day: &Dates, month: &Dates) -> (TimeFormat, Option<String>) {
        let better = |a: &Dates, b: &Dates| {
            (a.descents * 4 < b.descents && b.descents > 3)
                || (a.descents <= b.descents && a.span_days() * 4.0 < b.span_days())
        };
        let format = if better(month, day) {
            TimeFormat::MonthFirst
        } else {
            TimeFormat::DayFirst
        };
        let why = if format == TimeFormat::MonthFirst || better(day, month) {
            "the times then lie closer together and in better order"
        } else {
            "nothing in the sample speaks against it"
        };
        let text = format!("dates without a day above 12 are read as {format}, since {why}");
        (format, Some(text))
    }

    fn look_at_texts(&mut self, values: &[&str]) {
        let mut seen: HashSet<u64> = HashSet::new();
        for text in values {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            seen.insert(hasher.finish());
            if let Some(few) = &mut self.few {
                if let Some(count) = few.get_mut(*text) {
                    *count += 1;
                } else if few.len() < 4 && text.len() <= 64 {
                    few.insert((*text).to_owned(), 1);
                } else {
                    self.few = None;
                }
            }
            self.labels += usize::from(LabelValues::is_usual(text));
            self.label_words += usize::from(LabelValues::is_fraud_word(text));
            let dotted = text.bytes().filter(|&byte| byte == b'.').count() == 3;
            if dotted
                || text.contains("::")
                || text.bytes().filter(|&byte| byte == b':').count() == 7
            {
                self.ips += usize::from(text.parse::<IpAddr>().is_ok());
            }
            self.emails += usize::from(is_email(text));
            self.user_agents += usize::from(
                ["Mozilla/", "Dalvik/", "Opera/", "okhttp/", "curl/"]
                    .iter()
                    .any(|start| text.starts_with(start)),
            );
        }
        self.distinct = seen.len();
    }
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains(['@', ' '])
    })
}

/// What a column of dates looks like in one format.
struct Dates {
    count: usize,
    descents: usize,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Dates {
    fn read(texts: &[&str], format: TimeFormat, params: &IngestParams) -> Self {
        let mut dates = Self {
            count: 0,
            descents: 0,
            first: None,
            last: None,
        };
        let mut before = None;
        for text in texts {
            let (Ok(at) | Err(TimeProblem::Gap(at) | TimeProblem::Twice(at))) =
                parse_time(text, format, params.zone)
            else {
                continue;
            };
            dates.count += 1;
            dates.descents += usize::from(before.is_some_and(|before| at < before));
            before = Some(at);
            dates.first = Some(dates.first.map_or(at, |first| first.min(at)));
            dates.last = Some(dates.last.map_or(at, |last| last.max(at)));
        }
        dates
    }

    fn span_days(&self) -> f64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last.since(first) as f64 / 86_400e6,
            _ => 0.0,
        }
    }
}
