//! One CSV record after the other, as bytes, with caps on fields, rows and columns.

use crate::input::ByteInput;
use crate::params::Limits;
use crate::{BadRecordClass, IngestError};
use csv_core::ReadRecordResult;

const INPUT_BYTES: usize = 64 << 10;
const SCRATCH_BYTES: usize = 4 << 10;
const SCRATCH_ENDS: usize = 64;

/// What the next record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// A record within the limits.
    Record,
    /// A record that breaks a limit or has no end. `cut` when only its beginning is held.
    Broken {
        class: BadRecordClass,
        column: Option<usize>,
        cut: bool,
    },
    /// The end of the file.
    End,
}

/// The fields of a record, unquoted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    pub(crate) const fn new(bytes: &'a [u8], ends: &'a [usize]) -> Self {
        Self { bytes, ends }
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// A field; `None` past the last one.
    pub(crate) fn at(&self, column: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(column)?;
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let fields = *self;
        (0..fields.len()).filter_map(move |column| fields.at(column))
    }
}

/// Reads records. Memory: about twice the row limit at most, whatever the file holds.
pub(crate) struct RecordReader {
    input: ByteInput,
    core: csv_core::Reader,
    buffer: Box<[u8]>,
    position: usize,
    filled: usize,
    /// Nothing more comes from the input; the closing line end was given to the parser.
    ended: bool,
    out: Vec<u8>,
    ends: Vec<usize>,
    out_length: usize,
    ends_length: usize,
    /// Fields of the record, those that are not held included.
    fields: usize,
    row: u64,
    limits: Limits,
}

impl RecordReader {
    pub(crate) fn new(input: ByteInput, delimiter: u8, limits: Limits) -> Self {
        Self {
            input,
            core: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            buffer: vec![0; INPUT_BYTES].into_boxed_slice(),
            position: 0,
            filled: 0,
            ended: false,
            out: vec![0; SCRATCH_BYTES.min(limits.max_row)],
            ends: vec![0; SCRATCH_ENDS],
            out_length: 0,
            ends_length: 0,
            fields: 0,
            row: 0,
            limits,
        }
    }

    /// Number of records read so far, the header included.
    pub(crate) const fn records(&self) -> u64 {
        self.row
    }

    /// Bytes read from the input so far.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.input.taken()
    }

    /// The record that [`Self::next`] found.
    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.out[..self.out_length], &self.ends[..self.ends_length])
    }

    /// How many fields the record has, also when not all of them are held.
    pub(crate) const fn field_count(&self) -> usize {
        self.fields
    }

    /// Reads the next record.
    pub(crate) fn next(&mut self) -> Result<Next, IngestError> {
        self.out_length = 0;
        self.ends_length = 0;
        self.fields = 0;
        let mut broken = None;
        let mut scratch = [0_u8; SCRATCH_BYTES];
        let mut scratch_ends = [0_usize; SCRATCH_ENDS];
        loop {
            if self.position == self.filled && !self.ended {
                self.fill()?;
            }
            let input = &self.buffer[self.position..self.filled];
            let at_end = input.is_empty();
            let (result, taken, written, ended) = if broken.is_some() {
                self.core
                    .read_record(input, &mut scratch, &mut scratch_ends)
            } else {
                self.core.read_record(
                    input,
                    &mut self.out[self.out_length..],
                    &mut self.ends[self.ends_length..],
                )
            };
            self.position += taken;
            self.fields += ended;
            if broken.is_none() {
                self.out_length += written;
                self.ends_length += ended;
            }
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull
                    if broken.is_some() => {}
                ReadRecordResult::OutputFull => broken = self.grow_out(),
                ReadRecordResult::OutputEndsFull => broken = self.grow_ends(),
                ReadRecordResult::End => return Ok(Next::End),
                ReadRecordResult::Record => {
                    self.row += 1;
                    // The closing line end would have ended any record but one with an open quote.
                    if at_end {
                        return Ok(Next::Broken {
                            class: BadRecordClass::UnclosedQuote,
                            column: self.fields.checked_sub(1),
                            cut: broken.is_some(),
                        });
                    }
                    return Ok(broken.or_else(|| self.long_field()).unwrap_or(Next::Record));
                }
            }
        }
    }

    fn fill(&mut self) -> Result<(), IngestError> {
        let row = self.row.saturating_sub(1);
        self.position = 0;
        self.filled = 0;
        // A byte order mark is found only when it comes in one piece.
        while self.filled < 4 {
            let read = self.input.read(&mut self.buffer[self.filled..], row)?;
            self.filled += read;
            if read == 0 {
                break;
            }
        }
        if self.filled < 4 {
            self.buffer[self.filled] = b'\n';
            self.filled += 1;
            self.ended = true;
        }
        Ok(())
    }

    fn grow_out(&mut self) -> Option<Next> {
        let limit = self.limits.max_row;
        if self.out.len() < limit {
            self.out.resize((self.out.len() * 2).min(limit), 0);
            return None;
        }
        let column = self.ends_length;
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        let long_field = self.out_length - start > self.limits.max_field;
        // The beginning of the field that did not fit is held as its last field.
        if let Some(end) = self.ends.get_mut(column) {
            *end = self.out_length;
            self.ends_length += 1;
        }
        let class = if long_field {
            BadRecordClass::FieldTooLong
        } else {
            BadRecordClass::RowTooLong
        };
        Some(Next::Broken {
            class,
            column: long_field.then_some(column),
            cut: true,
        })
    }

    fn grow_ends(&mut self) -> Option<Next> {
        // One more than allowed, so that a row with too many fields is known to be one.
        let limit = self.limits.max_columns.saturating_add(1);
        if self.ends.len() < limit {
            let length = (self.ends.len() * 2).min(limit);
            self.ends.resize(length, 0);
            return None;
        }
        Some(Next::Broken {
            class: BadRecordClass::RaggedRow,
            column: None,
            cut: true,
        })
    }

    fn long_field(&self) -> Option<Next> {
        if self.out_length <= self.limits.max_field {
            return None;
        }
        let column = self
            .fields()
            .iter()
            .position(|field| field.len() > self.limits.max_field)?;
        Some(Next::Broken {
            class: BadRecordClass::FieldTooLong,
            column: Some(column),
            cut: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, RecordReader};
    use crate::BadRecordClass;
    use crate::input::{ByteInput, Origin};
    use crate::params::Limits;
    use proptest::prelude::*;

    fn reader(bytes: &[u8], limits: Limits) -> RecordReader {
        let input = ByteInput::open(&Origin::Bytes(bytes.into()), &limits).unwrap();
        RecordReader::new(input, b',', limits)
    }

    fn all(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = reader(bytes, Limits::default());
        let mut records = Vec::new();
        while reader.next().unwrap() != Next::End {
            records.push(reader.fields().iter().map(<[u8]>::to_vec).collect());
        }
        records
    }

    #[test]
    fn finds_a_quote_that_is_not_closed() {
        for text in ["a,b\n1,\"2", "a,b\n1,\"2\n3,4\n", "\""] {
            let mut reader = reader(text.as_bytes(), Limits::default());
            let mut last = Next::End;
            loop {
                match reader.next().unwrap() {
                    Next::End => break,
                    next => last = next,
                }
            }
            let Next::Broken { class, .. } = last else {
                panic!("{text:?}: {last:?}")
            };
            assert_eq!(class, BadRecordClass::UnclosedQuote, "{text:?}");
        }
        assert_eq!(all(b"a,\"b\"").len(), 1);
    }

    #[test]
    fn a_giant_field_is_skipped_without_holding_it() {
        let limits = Limits {
            max_field: 100,
            max_row: 1000,
            ..Limits::default()
        };
        let text = format!("a,b\n1,{}\n2,3\n", "x".repeat(5_000_000));
        let mut reader = reader(text.as_bytes(), limits);
        assert_eq!(reader.next().unwrap(), Next::Record);
        let Next::Broken { class, column, cut } = reader.next().unwrap() else {
            panic!()
        };
        assert_eq!(
            (class, column, cut),
            (BadRecordClass::FieldTooLong, Some(1), true)
        );
        assert!(reader.out.capacity() <= 1000);
        assert_eq!(reader.next().unwrap(), Next::Record);
        assert_eq!(reader.fields().at(1), Some(&b"3"[..]));
    }

    proptest! {
        #[test]
        fn reads_what_the_csv_crate_reads(text in "[a-c,\"\r\n ]{0,40}") {
            let mut oracle = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<Vec<u8>>> = oracle
                .byte_records()
                .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
                .collect();
            let mut got = all(text.as_bytes());
            // A quote that is not closed takes the line end with it that was added to find it.
            if got != expected && let Some(field) = got.last_mut().and_then(|record| record.last_mut()) {
                prop_assert_eq!(field.pop(), Some(b'\n'));
            }
            prop_assert_eq!(got, expected);
        }
    }
}
