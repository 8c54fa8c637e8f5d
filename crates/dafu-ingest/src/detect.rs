//! Looking at the beginning of a CSV file: delimiter, header, sample, roles.

use crate::card_token::{redact, shown};
use crate::input::{ByteInput, Origin};
use crate::params::CheckedIngestParams;
use crate::plan::RolePlan;
use crate::record::{Next, RecordReader};
use crate::sample::Sample;
use crate::{BadRecordClass, IngestError, roles};
use std::collections::BTreeMap;

/// Bytes that are looked at to find the delimiter.
const PREFIX: usize = 64 << 10;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The header and what its columns mean.
pub(crate) struct Detection {
    pub(crate) header: Vec<String>,
    pub(crate) plan: RolePlan,
}

pub(crate) fn detect_csv(
    origin: &Origin,
    params: &CheckedIngestParams,
    known: Option<&RolePlan>,
) -> Result<Detection, IngestError> {
    let checked = params.params();
    let delimiter = match checked.delimiter {
        Some(delimiter) => delimiter,
        None => find_delimiter(origin, params)?,
    };
    let input = ByteInput::open(origin, &checked.limits)?;
    let mut reader = RecordReader::new(input, delimiter, checked.limits);
    let mut assumptions = Vec::new();
    let first = reader.next()?;
    let columns = reader.field_count();
    match first {
        Next::End => return Err(IngestError::Empty),
        _ if columns > checked.limits.max_columns => {
            return Err(IngestError::TooManyColumns {
                limit: checked.limits.max_columns,
            });
        }
        Next::Broken {
            class: class @ BadRecordClass::UnclosedQuote,
            ..
        } => {
            return Err(IngestError::BadRecord {
                row: 0,
                column: String::new(),
                class,
                value: shown(reader.fields().bytes()),
            });
        }
        Next::Broken { .. } => {
            return Err(IngestError::HeaderTooLong {
                limit: checked.limits.max_field,
            });
        }
        Next::Record => {}
    }
    let bytes = reader.fields().bytes();
    let nuls = bytes.split(|byte| *byte == 0).count() - 1;
    if nuls * 3 > bytes.len() {
        return Err(IngestError::NotCsv {
            found: "UTF-16 text without a byte order mark",
            remedy: "convert it to UTF-8 with `iconv -f UTF-16LE -t UTF-8` (or UTF-16BE)",
        });
    }
    let texts: Vec<String> = reader
        .fields()
        .iter()
        .map(|field| String::from_utf8_lossy(field).trim().to_owned())
        .collect();
    let header = if checked.header {
        if texts.iter().all(|text| text.parse::<f64>().is_ok()) {
            assumptions.push(
                "the first row holds only numbers and is taken for the header: if it is data, set `header` to false"
                    .to_owned(),
            );
        }
        names(texts, &mut assumptions)
    } else {
        (1..=columns)
            .map(|number| format!("column_{number}"))
            .collect()
    };
    if let Some(known) = known {
        let mut plan = known.clone();
        plan.delimiter = delimiter;
        return Ok(Detection { header, plan });
    }
    let mut sample = Sample::new(columns);
    if !checked.header {
        sample.push(reader.fields().iter());
    }
    while sample.rows() < checked.sample_rows && !sample.is_full() {
        match reader.next()? {
            Next::Record => sample.push(reader.fields().iter()),
            Next::Broken { .. } => {}
            Next::End => break,
        }
    }
    let mut plan = roles::detect(&header, &sample, checked, assumptions)?;
    plan.delimiter = delimiter;
    Ok(Detection { header, plan })
}

/// Column names, each once: an empty one becomes `column_N`, a repeated one gets a number, a card number is taken out.
pub(crate) fn names(texts: Vec<String>, assumptions: &mut Vec<String>) -> Vec<String> {
    // The last number that a repeated name got, so that many equal names are not counted again and again.
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut header = Vec::with_capacity(texts.len());
    for (index, text) in texts.into_iter().enumerate() {
        let mut name = text.replace(char::is_control, " ");
        let clean = redact(name.as_bytes());
        if clean != name.as_bytes() {
            assumptions.push(format!(
                "a card number was taken out of the name of column {}: if the first row is data, set `header` to false",
                index + 1
            ));
            name = String::from_utf8_lossy(&clean).into_owned();
        }
        if name.is_empty() {
            name = format!("column_{}", index + 1);
            assumptions.push(format!(
                "column {} has no name and is called `{name}`",
                index + 1
            ));
        }
        if let Some(&last) = taken.get(&name) {
            let mut number = last + 1;
            while taken.contains_key(&format!("{name}_{number}")) {
                number += 1;
            }
            let free = format!("{name}_{number}");
            taken.insert(name.clone(), number);
            assumptions.push(format!(
                "the name `{name}` stands twice; column {} is called `{free}`",
                index + 1
            ));
            name = free;
        }
        taken.insert(name.clone(), 1);
        header.push(name);
    }
    header
}

/// The delimiter that cuts the first rows into the same number of fields as the header, and into most of them.
fn find_delimiter(origin: &Origin, params: &CheckedIngestParams) -> Result<u8, IngestError> {
    let limits = params.params().limits;
    let mut input = ByteInput::open(origin, &limits)?;
    let mut prefix = vec![0; PREFIX];
    let mut filled = 0;
    while filled < prefix.len() {
        let read = input.read(&mut prefix[filled..], 0)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    prefix.truncate(filled);
    // A row that the prefix cuts in two says nothing.
    if filled == PREFIX
        && let Some(end) = prefix.iter().rposition(|&byte| byte == b'\n')
    {
        prefix.truncate(end);
    }
    if prefix.starts_with(b"\x1f\x8b") {
        return Err(IngestError::NotCsv {
            found: "a gzip stream inside a gzip stream",
            remedy: "decompress it once",
        });
    }
    let prefix = Origin::Bytes(prefix.into());
    let mut best = (0.0, b',');
    for delimiter in DELIMITERS {
        let input = ByteInput::open(&prefix, &limits)?;
        let mut reader = RecordReader::new(input, delimiter, limits);
        let mut header = None;
        let (mut rows, mut equal) = (0_u32, 0_u32);
        while rows < 200 {
            match reader.next()? {
                Next::End => break,
                Next::Broken { .. } => rows += 1,
                Next::Record => {
                    let count = reader.field_count();
                    match header {
                        None => header = Some(count),
                        Some(columns) => {
                            rows += 1;
                            equal += u32::from(count == columns);
                        }
                    }
                }
            }
        }
        let columns = header.unwrap_or(0);
        if columns < 2 {
            continue;
        }
        let share = if rows == 0 {
            1.0
        } else {
            f64::from(equal) / f64::from(rows)
        };
        // Consistent rows count most; more columns decide between two that are.
        let score = share * 1000.0 + (columns as f64).min(900.0) / 1000.0;
        let score = if share < 0.2 { score / 1000.0 } else { score };
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    Ok(best.1)
}
