//! One pass over a source: rows in, tables and a report out.

use crate::card_token::redact;
use crate::convert::{Cell, Converter, Target, Typed};
use crate::duplicate::{IdMemory, Seen, content_hash};
use crate::params::CheckedIngestParams;
use crate::report::{Finding, IngestReport, QuarantinedRecord};
use crate::{BadRecordClass, IngestError, Policy};
use dafu_core::{Column, ColumnData, Currency, Role, Table};
use std::io::Write;
use std::sync::Arc;

/// Bytes of a quarantined record that are kept in the report.
const SAMPLE_BYTES: usize = 1_000;
/// Cells and text bytes after which a chunk is closed before it has all its rows.
const CHUNK_CELLS: usize = 4 << 20;
const CHUNK_TEXT: usize = 32 << 20;

pub(crate) type Sink = Box<dyn Write + Send>;

/// A row that cannot be used as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken {
    pub(crate) class: BadRecordClass,
    pub(crate) column: Option<usize>,
}

pub(crate) struct Pass<'p> {
    targets: Arc<[Target]>,
    converter: Converter<'p>,
    params: &'p CheckedIngestParams,
    data: Vec<ColumnData>,
    row_numbers: Vec<u64>,
    text_bytes: usize,
    chunk_rows: usize,
    ids: IdMemory,
    id_index: Option<usize>,
    currency_index: Option<usize>,
    sink: Option<Sink>,
    pub(crate) report: IngestReport,
}

impl<'p> Pass<'p> {
    pub(crate) fn new(
        targets: Arc<[Target]>,
        params: &'p CheckedIngestParams,
        sink: Option<Sink>,
    ) -> Self {
        let index_of = |role| targets.iter().position(|target| target.role == role);
        let columns = targets.len().max(1);
        let mut pass = Self {
            converter: Converter::new(params),
            params,
            data: Vec::new(),
            row_numbers: Vec::new(),
            text_bytes: 0,
            chunk_rows: params
                .params()
                .chunk_rows
                .min((CHUNK_CELLS / columns).max(1)),
            ids: IdMemory::new(params.params().limits.max_ids),
            id_index: index_of(Role::TransactionId),
            currency_index: index_of(Role::Currency),
            sink,
            report: IngestReport::default(),
            targets,
        };
        pass.data = pass.empty_data();
        pass
    }

    fn empty_data(&self) -> Vec<ColumnData> {
        self.targets
            .iter()
            .map(|target| ColumnData::empty(target.role.storage()))
            .collect()
    }

    pub(crate) fn targets(&self) -> Arc<[Target]> {
        Arc::clone(&self.targets)
    }

    /// Whether the chunk at hand is large enough.
    pub(crate) fn is_full(&self) -> bool {
        self.row_numbers.len() >= self.chunk_rows || self.text_bytes >= CHUNK_TEXT
    }

    /// Whether the chunk at hand has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.row_numbers.is_empty()
    }

    /// The chunk at hand; the next one begins.
    pub(crate) fn take_table(&mut self) -> Result<Table, IngestError> {
        let empty = self.empty_data();
        let data = std::mem::replace(&mut self.data, empty);
        let row_numbers = std::mem::take(&mut self.row_numbers);
        self.text_bytes = 0;
        let columns = self
            .targets
            .iter()
            .zip(data)
            .map(|(target, data)| Column {
                name: Arc::clone(&target.name),
                role: target.role,
                data,
            })
            .collect();
        Ok(Table::new(columns, row_numbers)?)
    }

    /// Takes in a row. `cell` gives the cell of a target by its index, `raw` the record as text, `noted` what was
    /// coerced before the row came here.
    pub(crate) fn row<'a>(
        &mut self,
        row: u64,
        cell: impl Fn(usize) -> Cell<'a>,
        raw: impl Fn() -> Vec<u8>,
        noted: &[Broken],
    ) -> Result<(), IngestError> {
        self.report.rows_read += 1;
        self.converter.coerced.clear();
        let targets = Arc::clone(&self.targets);
        let currency = self.currency(&cell);
        let mut values = Vec::with_capacity(targets.len());
        for (index, target) in targets.iter().enumerate() {
            match self.converter.convert(target, index, cell(index), currency) {
                Ok(value) => values.push(value),
                Err(class) => {
                    let broken = Broken {
                        class,
                        column: Some(index),
                    };
                    return self.refuse(row, broken, &cell_bytes(&cell(index)), &raw());
                }
            }
        }
        if let Some(broken) = self.duplicate(row, &values) {
            let value = match broken.column.map(|index| &values[index]) {
                Some(Typed::Text(Some(text))) => text.as_bytes().to_vec(),
                _ => Vec::new(),
            };
            if self.params.params().policies.of(broken.class) != Policy::Coerce {
                return self.refuse(row, broken, &value, &raw());
            }
            let index = broken.column.unwrap_or_default();
            self.converter.coerced.push((broken.class, index));
        }
        for broken in noted {
            let column = broken.column.and_then(|index| targets.get(index));
            let finding = Finding {
                class: broken.class,
                row,
                column: column.map_or("", |target| &target.name),
                value: &raw(),
            };
            self.report.add(finding, Policy::Coerce);
        }
        for (class, index) in self.converter.coerced.drain(..) {
            let bytes = cell_bytes(&cell(index));
            let finding = Finding {
                class,
                row,
                column: &targets[index].name,
                value: &bytes,
            };
            self.report.add(finding, Policy::Coerce);
        }
        self.keep(row, values);
        Ok(())
    }

    /// Takes in a row that has no usable cells. `column` of `broken` is the index of a target.
    pub(crate) fn broken_row(
        &mut self,
        row: u64,
        broken: Broken,
        raw: &[u8],
    ) -> Result<(), IngestError> {
        self.report.rows_read += 1;
        self.refuse(row, broken, raw, raw)
    }

    fn currency<'a>(&self, cell: &impl Fn(usize) -> Cell<'a>) -> Currency {
        self.currency_index
            .and_then(|index| match cell(index) {
                Cell::Bytes(bytes) => std::str::from_utf8(bytes.trim_ascii()).ok(),
                _ => None,
            })
            .and_then(|code| Currency::new(&code.to_ascii_uppercase()).ok())
            .unwrap_or_default()
    }

    fn duplicate(&mut self, row: u64, values: &[Typed<'_>]) -> Option<Broken> {
        let Some(index) = self.id_index else {
            let content = content_hash(values.iter());
            let repeated = match self.ids.see_key(content, content, row) {
                Seen::Same { .. } | Seen::Other { .. } => 1,
                Seen::First => 0,
                Seen::Full => {
                    self.report.ids_full_from.get_or_insert(row);
                    0
                }
            };
            *self.report.repeated_rows.get_or_insert(0) += repeated;
            return None;
        };
        let Typed::Text(Some(id)) = &values[index] else {
            return None;
        };
        let content = values
            .iter()
            .zip(self.targets.iter())
            .filter(|(_, target)| target.role != Role::Label)
            .map(|(value, _)| value);
        let class = match self.ids.see(id, content_hash(content), row) {
            Seen::First => return None,
            Seen::Full => {
                self.report.ids_full_from.get_or_insert(row);
                return None;
            }
            Seen::Same { .. } => BadRecordClass::DuplicateId,
            Seen::Other { first_row } => {
                self.report.add_conflict(id, first_row, row);
                BadRecordClass::ConflictingId
            }
        };
        Some(Broken {
            class,
            column: Some(index),
        })
    }

    fn keep(&mut self, row: u64, values: Vec<Typed<'_>>) {
        for (column, value) in self.data.iter_mut().zip(values) {
            match (column, value) {
                (ColumnData::Number(column), Typed::Number(value)) => column.push(value),
                (ColumnData::Time(column), Typed::Time(value)) => column.push(value),
                (ColumnData::Label(column), Typed::Label(value)) => column.push(value),
                (ColumnData::Text(column), Typed::Text(value)) => {
                    self.text_bytes += value.as_ref().map_or(0, |text| text.len());
                    column.push(value.as_deref());
                }
                // A value always has the storage of its column's role.
                _ => {}
            }
        }
        self.row_numbers.push(row);
        self.report.rows_kept += 1;
    }

    /// Rejects or quarantines a row. A class that cannot be coerced is quarantined instead.
    fn refuse(
        &mut self,
        row: u64,
        broken: Broken,
        value: &[u8],
        raw: &[u8],
    ) -> Result<(), IngestError> {
        let class = broken.class;
        let targets = Arc::clone(&self.targets);
        let column = broken
            .column
            .and_then(|index| targets.get(index))
            .map_or("", |target| &target.name);
        let finding = Finding {
            class,
            row,
            column,
            value,
        };
        if self.params.params().policies.of(class) == Policy::Reject {
            self.report.add(finding, Policy::Reject);
            return Err(IngestError::BadRecord {
                row,
                column: column.to_owned(),
                class,
                value: crate::card_token::shown(value),
            });
        }
        self.report.add(finding, Policy::Quarantine);
        self.report.rows_quarantined += 1;
        if self.report.quarantine.len() < self.params.params().limits.max_quarantine_sample {
            // Redacted before it is cut, or a part of a card number would be left at the end.
            let record = redact(raw);
            let cut = cut_at_character(&record, SAMPLE_BYTES);
            self.report.quarantine.push(QuarantinedRecord {
                row,
                class,
                column: column.to_owned(),
                record: String::from_utf8_lossy(cut).into_owned(),
            });
        }
        if let Some(sink) = &mut self.sink {
            let mut line = Vec::new();
            for field in [
                row.to_string().as_bytes(),
                class.name().as_bytes(),
                column.as_bytes(),
            ] {
                quote_into(field, b',', &mut line);
                line.push(b',');
            }
            quote_into(&redact(raw), b',', &mut line);
            line.push(b'\n');
            sink.write_all(&line)
                .map_err(|source| IngestError::Quarantine { row, source })?;
        }
        Ok(())
    }

    /// Ends the pass: the report is complete and the quarantine is written.
    pub(crate) fn finish(&mut self, bytes_read: u64) -> Result<(), IngestError> {
        self.report.bytes_read = bytes_read;
        self.report.ids_remembered = self.ids.len() as u64;
        if let Some(mut sink) = self.sink.take() {
            let row = self.report.rows_read;
            sink.flush()
                .map_err(|source| IngestError::Quarantine { row, source })?;
        }
        Ok(())
    }
}

/// The first line of a written quarantine.
pub(crate) const QUARANTINE_HEADER: &[u8] = b"row,class,column,record\n";

/// A cell as text.
pub(crate) fn cell_bytes(cell: &Cell<'_>) -> Vec<u8> {
    match cell {
        Cell::Missing => Vec::new(),
        Cell::Bytes(bytes) => bytes.to_vec(),
        Cell::Number(value) => value.to_string().into_bytes(),
        Cell::Integer(value) => value.to_string().into_bytes(),
        Cell::Micros(value) | Cell::WallMicros(value) => value.to_string().into_bytes(),
        Cell::Flag(flag) => flag.to_string().into_bytes(),
    }
}

/// The first bytes of a field, without a character that would be cut in two.
pub(crate) fn cut_at_character(bytes: &[u8], limit: usize) -> &[u8] {
    if bytes.len() <= limit {
        return bytes;
    }
    let is_middle = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let cut = (limit.saturating_sub(3)..=limit)
        .rev()
        .find(|&at| !is_middle(at))
        .unwrap_or(limit);
    &bytes[..cut]
}

/// A field as CSV, in quotes where it needs them.
pub(crate) fn quote_into(field: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let special = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    if !field.iter().any(special) {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for &byte in field {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
