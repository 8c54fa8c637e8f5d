//! The records of a CSV file, one after the other, into a pass.

use crate::convert::Cell;
use crate::input::{ByteInput, Origin};
use crate::params::CheckedIngestParams;
use crate::pass::{Broken, Pass, cut_at_character, quote_into};
use crate::record::{Fields, Next, RecordReader};
use crate::{BadRecordClass, IngestError, Policy};

pub(crate) struct CsvRows<'s> {
    reader: RecordReader,
    params: &'s CheckedIngestParams,
    delimiter: u8,
    /// Fields of a record that is not ragged.
    columns: usize,
}

impl<'s> CsvRows<'s> {
    pub(crate) fn open(
        origin: &Origin,
        params: &'s CheckedIngestParams,
        delimiter: u8,
        columns: usize,
    ) -> Result<Self, IngestError> {
        let input = ByteInput::open(origin, &params.params().limits)?;
        let mut reader = RecordReader::new(input, delimiter, params.params().limits);
        if params.params().header {
            reader.next()?;
        }
        Ok(Self {
            reader,
            params,
            delimiter,
            columns,
        })
    }

    /// Bytes read so far, after decompression.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.reader.bytes_read()
    }

    /// Gives the next record to a pass; `false` at the end of the file.
    pub(crate) fn next(&mut self, pass: &mut Pass<'_>) -> Result<bool, IngestError> {
        let next = self.reader.next()?;
        let header_records = u64::from(self.params.params().header);
        let row = self.reader.records().saturating_sub(header_records);
        match next {
            Next::End => return Ok(false),
            Next::Record => self.record(row, pass, None)?,
            Next::Broken { class, column, cut } => {
                let targets = pass.targets();
                let target = |position| {
                    let mut targets = targets.iter();
                    targets.position(|target| target.position == Some(position))
                };
                let broken = Broken {
                    class,
                    column: column.and_then(target),
                };
                self.record(row, pass, Some((broken, cut)))?;
            }
        }
        Ok(true)
    }

    fn record(
        &self,
        row: u64,
        pass: &mut Pass<'_>,
        broken: Option<(Broken, bool)>,
    ) -> Result<(), IngestError> {
        let fields = self.reader.fields();
        let raw = || encode(fields, self.delimiter);
        let policies = self.params.params().policies;
        let max_field = self.params.params().limits.max_field;
        let mut noted = Vec::new();
        if let Some((broken, cut)) = broken {
            let hopeless = matches!(
                broken.class,
                BadRecordClass::RowTooLong | BadRecordClass::UnclosedQuote
            );
            if cut || hopeless || policies.of(broken.class) != Policy::Coerce {
                return pass.broken_row(row, broken, &raw());
            }
            noted.push(broken);
        }
        if self.reader.field_count() != self.columns {
            let ragged = Broken {
                class: BadRecordClass::RaggedRow,
                column: None,
            };
            if policies.of(BadRecordClass::RaggedRow) != Policy::Coerce {
                return pass.broken_row(row, ragged, &raw());
            }
            noted.push(ragged);
        }
        let targets = pass.targets();
        let cell = |index: usize| {
            let position = targets[index].position;
            position
                .and_then(|position| fields.at(position))
                .map_or(Cell::Missing, |bytes| {
                    Cell::Bytes(cut_at_character(bytes, max_field))
                })
        };
        pass.row(row, cell, raw, &noted)
    }
}

/// A record as CSV again.
fn encode(fields: Fields<'_>, delimiter: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(fields.bytes().len() + fields.len());
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(delimiter);
        }
        quote_into(field, delimiter, &mut out);
    }
    out
}
