//! The columns of a source, and its rows as bytes.
//!
//! A row, numbers little-endian: microseconds of its time (`i64`), row number (`u64`), then each other column in
//! order: a number as the bits of its `f64`; a text as its length plus one (LEB128) and its bytes, or a zero for
//! missing; an instant as `i64` microseconds, the least one for missing; a label as one byte.

use crate::FeatureError;
use dafu_core::table::TableError;
use dafu_core::{Column, ColumnData, Label, Role, Table, Timestamp};

/// Stands for a missing instant; outside the range of [`Timestamp`].
const NO_TIME: i64 = i64::MIN;

/// The columns that all tables of a source have.
#[derive(Debug)]
pub(super) struct Layout {
    /// A table without rows.
    empty: Table,
    /// Place of the time column.
    time: usize,
}

impl Layout {
    /// The layout of the first table of a source.
    pub(super) fn of(table: &Table) -> Result<Self, FeatureError> {
        let mut columns = table.columns().iter();
        let time = columns.position(|column| column.role == Role::Time);
        Ok(Self {
            empty: table.empty_like(),
            time: time.ok_or(FeatureError::NoTimeColumn)?,
        })
    }

    /// The layout known already; that of the table when there is none yet.
    pub(super) fn known_or_of<'l>(
        known: &'l mut Option<Self>,
        table: &Table,
    ) -> Result<&'l Self, FeatureError> {
        match known {
            Some(known) => Ok(known),
            None => Ok(known.insert(Self::of(table)?)),
        }
    }

    /// A table without rows.
    pub(super) const fn empty(&self) -> &Table {
        &self.empty
    }

    /// The times of a table, which must have the columns of the first one.
    pub(super) fn times<'t>(
        &self,
        table: &'t Table,
    ) -> Result<&'t [Option<Timestamp>], FeatureError> {
        let (expected, got) = (self.empty.columns(), table.columns());
        let same = |(a, b): (&Column, &Column)| {
            a.name == b.name && a.role == b.role && a.data.storage() == b.data.storage()
        };
        if expected.len() != got.len() || !expected.iter().zip(got).all(same) {
            let (expected, got) = (describe(expected), describe(got));
            return Err(FeatureError::ChangedColumns { expected, got });
        }
        let times = got.get(self.time).and_then(Column::times);
        times.ok_or(FeatureError::NoTimeColumn)
    }

    /// Appends a row of a table with these columns to bytes.
    pub(super) fn encode(&self, table: &Table, row: usize, time: Timestamp, out: &mut Vec<u8>) {
        out.extend(time.as_micros().to_le_bytes());
        out.extend(table.row_numbers()[row].to_le_bytes());
        for (place, column) in table.columns().iter().enumerate() {
            match &column.data {
                _ if place == self.time => {}
                ColumnData::Number(values) => out.extend(values[row].to_le_bytes()),
                ColumnData::Text(values) => match values.at(row) {
                    None => out.push(0),
                    Some(text) => {
                        write_length(text.len() as u64 + 1, out);
                        out.extend(text.as_bytes());
                    }
                },
                ColumnData::Time(values) => {
                    let micros = values[row].map_or(NO_TIME, Timestamp::as_micros);
                    out.extend(micros.to_le_bytes());
                }
                ColumnData::Label(values) => out.push(match values[row] {
                    Label::Unknown => 0,
                    Label::Legitimate => 1,
                    Label::Fraud => 2,
                }),
            }
        }
    }
}

fn describe(columns: &[Column]) -> Vec<String> {
    let describe = |column: &Column| {
        let (name, role, storage) = (&column.name, column.role, column.data.storage());
        format!("{name} ({role}, {storage:?})")
    };
    columns.iter().map(describe).collect()
}

/// Bytes do not hold what they should.
#[derive(Debug)]
pub(super) struct Damaged;

/// The time of a row as bytes.
pub(super) fn time_of(row: &[u8]) -> Result<i64, Damaged> {
    Reader(row).take().map(i64::from_le_bytes)
}

/// A table that is being read from bytes.
#[derive(Debug)]
pub(super) struct TableReader {
    columns: Vec<Column>,
    row_numbers: Vec<u64>,
    time: usize,
}

impl TableReader {
    pub(super) fn new(layout: &Layout) -> Self {
        Self {
            columns: layout.empty.columns().to_vec(),
            row_numbers: Vec::new(),
            time: layout.time,
        }
    }

    /// Rows read so far.
    pub(super) const fn rows(&self) -> usize {
        self.row_numbers.len()
    }

    /// Adds a row. When the bytes are not exactly a row of this layout, the table is of no use any more.
    pub(super) fn push(&mut self, row: &[u8]) -> Result<(), Damaged> {
        let mut reader = Reader(row);
        let time = reader.time()?;
        self.row_numbers.push(u64::from_le_bytes(reader.take()?));
        for (place, column) in self.columns.iter_mut().enumerate() {
            match &mut column.data {
                ColumnData::Time(values) if place == self.time => {
                    values.push(Some(time.ok_or(Damaged)?));
                }
                ColumnData::Number(values) => values.push(f64::from_le_bytes(reader.take()?)),
                ColumnData::Text(values) => values.push(reader.text()?),
                ColumnData::Time(values) => values.push(reader.time()?),
                ColumnData::Label(values) => values.push(match reader.take()? {
                    [0] => Label::Unknown,
                    [1] => Label::Legitimate,
                    [2] => Label::Fraud,
                    _ => return Err(Damaged),
                }),
            }
        }
        if reader.0.is_empty() {
            Ok(())
        } else {
            Err(Damaged)
        }
    }

    pub(super) fn finish(self) -> Result<Table, TableError> {
        Table::new(self.columns, self.row_numbers)
    }
}

/// Writes a length in LEB128: seven bits to a byte, the lowest first, the top bit set in all bytes but the last.
pub(super) fn write_length(mut length: u64, out: &mut Vec<u8>) {
    while length > 0x7f {
        out.push(0x80 | length.to_le_bytes()[0]);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}

/// Takes values from the front of bytes.
#[derive(Debug)]
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (&first, rest) = self.0.split_first_chunk().ok_or(Damaged)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn bytes(&mut self, length: u64) -> Result<&'b [u8], Damaged> {
        let length = usize::try_from(length).map_err(|_| Damaged)?;
        let (first, rest) = self.0.split_at_checked(length).ok_or(Damaged)?;
        self.0 = rest;
        Ok(first)
    }

    pub(super) fn length(&mut self) -> Result<u64, Damaged> {
        let mut length = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.take()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(Damaged);
            }
            length |= bits << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(Damaged)
    }

    fn time(&mut self) -> Result<Option<Timestamp>, Damaged> {
        match i64::from_le_bytes(self.take()?) {
            NO_TIME => Ok(None),
            micros => Timestamp::from_micros(micros)
                .map(Some)
                .map_err(|_| Damaged),
        }
    }

    fn text(&mut self) -> Result<Option<&'b str>, Damaged> {
        let Some(length) = self.length()?.checked_sub(1) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(self.bytes(length)?);
        text.map(Some).map_err(|_| Damaged)
    }
}
