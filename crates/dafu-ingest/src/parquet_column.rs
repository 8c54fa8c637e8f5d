//! One column of a Parquet file, a chunk of rows at a time.

use crate::convert::Cell;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::errors::Result;
use parquet::schema::types::ColumnDescriptor;

/// What the stored values mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Meaning {
    Plain,
    Unsigned,
    /// Stored numbers times this are the value.
    Decimal {
        scale: i32,
    },
    /// Days since 1970.
    Date,
    /// Units of a second: how many make a microsecond, or how many microseconds make one.
    Time {
        instant: bool,
        multiply: i64,
        divide: i64,
    },
    Float16,
    /// 16 bytes, written as text.
    Uuid,
    /// Nothing that a table can hold.
    Unreadable(&'static str),
}

impl Meaning {
    pub(crate) fn of(column: &ColumnDescriptor) -> Self {
        if column.max_rep_level() > 0 {
            return Self::Unreadable("it holds lists");
        }
        let time = |instant, unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => Self::Time {
                instant,
                multiply: 1000,
                divide: 1,
            },
            TimeUnit::MICROS => Self::Time {
                instant,
                multiply: 1,
                divide: 1,
            },
            TimeUnit::NANOS => Self::Time {
                instant,
                multiply: 1,
                divide: 1000,
            },
            #[allow(unreachable_patterns, reason = "the enumeration may grow")]
            _ => Self::Unreadable("its unit of time is unknown"),
        };
        match column.logical_type_ref() {
            Some(LogicalType::Decimal(decimal)) => {
                return Self::Decimal {
                    scale: decimal.scale,
                };
            }
            Some(LogicalType::Date) => return Self::Date,
            Some(LogicalType::Timestamp(stamp)) => {
                return time(stamp.is_adjusted_to_u_t_c, &stamp.unit);
            }
            Some(LogicalType::Integer(integer)) if !integer.is_signed => return Self::Unsigned,
            Some(LogicalType::Float16) => return Self::Float16,
            Some(LogicalType::Uuid) => return Self::Uuid,
            Some(LogicalType::Bson | LogicalType::Variant(_)) => {
                return Self::Unreadable("it holds binary documents");
            }
            Some(LogicalType::Geometry(_) | LogicalType::Geography(_)) => {
                return Self::Unreadable("it holds shapes");
            }
            _ => {}
        }
        match column.converted_type() {
            ConvertedType::DECIMAL => Self::Decimal {
                scale: column.type_scale(),
            },
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIMESTAMP_MILLIS => time(true, &TimeUnit::MILLIS),
            ConvertedType::TIMESTAMP_MICROS => time(true, &TimeUnit::MICROS),
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Self::Unsigned,
            ConvertedType::BSON => Self::Unreadable("it holds binary documents"),
            ConvertedType::INTERVAL => Self::Unreadable("it holds intervals"),
            _ if column.physical_type() == Physical::FIXED_LEN_BYTE_ARRAY => {
                Self::Unreadable("it holds binary values")
            }
            _ => Self::Plain,
        }
    }

    fn integer<'a>(self, value: i64) -> Cell<'a> {
        match self {
            Self::Decimal { scale } => Cell::Number(scaled(value as f64, scale)),
            Self::Date => value
                .checked_mul(86_400_000_000)
                .map_or(Cell::Integer(value.into()), Cell::WallMicros),
            Self::Time {
                instant,
                multiply,
                divide,
            } => {
                // A time beyond the range is no time; as a number it is refused by its class.
                let Some(micros) = value.checked_mul(multiply) else {
                    return Cell::Integer(value.into());
                };
                let micros = micros.div_euclid(divide);
                if instant {
                    Cell::Micros(micros)
                } else {
                    Cell::WallMicros(micros)
                }
            }
            _ => Cell::Integer(value.into()),
        }
    }

    fn bytes(self, bytes: &[u8]) -> Cell<'_> {
        match self {
            Self::Decimal { scale } => Cell::Number(scaled(unscaled(bytes), scale)),
            Self::Float16 => match bytes {
                [low, high] => Cell::Number(half(u16::from_le_bytes([*low, *high]))),
                _ => Cell::Missing,
            },
            _ => Cell::Bytes(bytes),
        }
    }
}

fn scaled(unscaled: f64, scale: i32) -> f64 {
    unscaled / 10_f64.powi(scale)
}

/// A big-endian number in two's complement, rounded to `f64` from 16 bytes on.
fn unscaled(bytes: &[u8]) -> f64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    if bytes.len() <= 16 {
        let start = if negative { -1_i128 } else { 0 };
        return bytes
            .iter()
            .fold(start, |value, &byte| (value << 8) | i128::from(byte)) as f64;
    }
    let magnitude = bytes.iter().fold(0.0, |value, &byte| {
        value * 256.0 + f64::from(if negative { !byte } else { byte })
    });
    if negative {
        -magnitude - 1.0
    } else {
        magnitude
    }
}

/// As RFC 9562 writes it.
fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text
}

/// A number of IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    }
}

enum Values {
    Bool(Vec<bool>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    I96(Vec<Int96>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
    Uuid(Vec<FixedLenByteArray>, Vec<String>),
}

/// The values of a chunk of rows.
pub(crate) struct ColumnChunk {
    meaning: Meaning,
    values: Values,
    levels: Vec<i16>,
    /// Definition level of a value that is there.
    present: i16,
    /// Place of each row's value; `u32::MAX` when it is missing.
    places: Vec<u32>,
}

impl ColumnChunk {
    pub(crate) fn new(column: &ColumnDescriptor) -> Self {
        let meaning = Meaning::of(column);
        let values = match column.physical_type() {
            Physical::BOOLEAN => Values::Bool(Vec::new()),
            Physical::INT32 => Values::I32(Vec::new()),
            Physical::INT64 => Values::I64(Vec::new()),
            Physical::INT96 => Values::I96(Vec::new()),
            Physical::FLOAT => Values::F32(Vec::new()),
            Physical::DOUBLE => Values::F64(Vec::new()),
            Physical::BYTE_ARRAY => Values::Bytes(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY if meaning == Meaning::Uuid => {
                Values::Uuid(Vec::new(), Vec::new())
            }
            Physical::FIXED_LEN_BYTE_ARRAY => Values::Fixed(Vec::new()),
        };
        Self {
            meaning,
            values,
            levels: Vec::new(),
            present: column.max_def_level(),
            places: Vec::new(),
        }
    }

    /// Reads up to `rows` rows in place of those held; fewer only at the end of a row group.
    pub(crate) fn read(&mut self, reader: &mut ColumnReader, rows: usize) -> Result<usize> {
        self.levels.clear();
        self.places.clear();
        macro_rules! read_all {
            ($reader:expr, $values:expr) => {{
                $values.clear();
                let mut read = 0;
                while read < rows {
                    let (records, ..) =
                        $reader.read_records(rows - read, Some(&mut self.levels), None, $values)?;
                    if records == 0 {
                        break;
                    }
                    read += records;
                }
                read
            }};
        }
        let read = match (reader, &mut self.values) {
            (ColumnReader::BoolColumnReader(reader), Values::Bool(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::Int32ColumnReader(reader), Values::I32(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::Int64ColumnReader(reader), Values::I64(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::Int96ColumnReader(reader), Values::I96(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::FloatColumnReader(reader), Values::F32(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::DoubleColumnReader(reader), Values::F64(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::ByteArrayColumnReader(reader), Values::Bytes(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Fixed(values)) => {
                read_all!(reader, values)
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Uuid(values, texts)) => {
                let read = read_all!(reader, values);
                texts.clear();
                texts.extend(values.iter().map(|value| uuid(value.data())));
                read
            }
            _ => 0,
        };
        let mut place = 0;
        for row in 0..read {
            let there = self.present == 0 || self.levels.get(row) == Some(&self.present);
            self.places.push(if there { place } else { u32::MAX });
            place += u32::from(there);
        }
        Ok(read)
    }

    /// The cell of a row of the chunk.
    pub(crate) fn cell(&self, row: usize) -> Cell<'_> {
        let Some(&place) = self.places.get(row) else {
            return Cell::Missing;
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let cell = match &self.values {
            Values::Bool(values) => values.get(place).map(|&value| Cell::Flag(value)),
            Values::I32(values) => values.get(place).map(|&value| {
                if self.meaning == Meaning::Unsigned {
                    Cell::Integer(i128::from(value.cast_unsigned()))
                } else {
                    self.meaning.integer(i64::from(value))
                }
            }),
            Values::I64(values) => values.get(place).map(|&value| {
                if self.meaning == Meaning::Unsigned {
                    Cell::Integer(i128::from(value.cast_unsigned()))
                } else {
                    self.meaning.integer(value)
                }
            }),
            Values::I96(values) => values
                .get(place)
                .map(|value| Cell::Micros(value.to_micros())),
            Values::F32(values) => values
                .get(place)
                .map(|&value| Cell::Number(as_written(value))),
            Values::F64(values) => values.get(place).map(|&value| Cell::Number(value)),
            Values::Bytes(values) => values
                .get(place)
                .map(|value| self.meaning.bytes(value.data())),
            Values::Fixed(values) => values
                .get(place)
                .map(|value| self.meaning.bytes(value.data())),
            Values::Uuid(_, texts) => texts.get(place).map(|text| Cell::Bytes(text.as_bytes())),
        };
        cell.unwrap_or(Cell::Missing)
    }
}

/// The shortest decimal number that reads as this `f32`: 0.1, not 0.10000000149.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::{half, unscaled};

    #[test]
    fn reads_decimals_of_any_width() {
        for (bytes, expected) in [
            (&[0x01, 0x00][..], 256.0),
            (&[0xff, 0xfe][..], -2.0),
            (&[0xff; 20][..], -1.0),
            (&[0; 20][..], 0.0),
            (&[][..], 0.0),
        ] {
            assert!((unscaled(bytes) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn reads_half_precision() {
        for (bits, expected) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x7bff, 65504.0),
        ] {
            assert!((half(bits) - expected).abs() <= 1e-20, "{bits:x}");
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00).is_infinite());
    }
}
