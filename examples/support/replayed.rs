//! A file replayed through sets of features: the rows of some days, for models to learn from and to judge.

use crate::args::Args;
use dafu::features::{FeatureEngine, FeatureSet, LatePolicy, Span};
use dafu::ingest::{FileSource, IngestParams};
use dafu::{Label, Progress, Role, TableSource};
use ndarray::{Array2, ArrayViewMut1};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The rows of the days that are wanted, in the order of the file.
#[derive(Debug, Default)]
pub struct Rows {
    /// Day of each row.
    pub days: Vec<i64>,
    /// Customer of each row, numbered as they come.
    pub customers: Vec<u32>,
    /// Whether each row is a fraud.
    pub frauds: Vec<bool>,
    /// The features of each row, by set.
    pub sets: Vec<Features>,
    /// Rows of the whole file.
    pub read: u64,
}

/// The features of some rows.
#[derive(Debug, Clone)]
pub struct Features {
    /// Name of the set.
    pub name: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Row after row.
    values: Vec<f64>,
}

impl Features {
    /// Columns with the values of all rows, row after row.
    pub fn new(name: &str, columns: Vec<String>, values: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            columns,
            values,
        }
    }

    /// The values of a row.
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.columns.len();
        &self.values[row * width..(row + 1) * width]
    }

    /// The rows of these numbers as a matrix.
    ///
    /// # Errors
    ///
    /// None in practice: rows of another length than the columns.
    pub fn matrix(&self, rows: &[usize]) -> Result<Array2<f64>, Box<dyn Error>> {
        let width = self.columns.len();
        let mut values = Vec::with_capacity(rows.len() * width);
        for row in rows {
            values.extend_from_slice(self.row(*row));
        }
        Ok(Array2::from_shape_vec((rows.len(), width), values)?)
    }

    /// The columns of a smaller set.
    ///
    /// # Errors
    ///
    /// For a column that is not there.
    pub fn of_set(&self, name: &str, set: &FeatureSet) -> Result<Self, Box<dyn Error>> {
        let schema = set.schema()?;
        let wanted = schema.features().iter().map(|spec| spec.name.to_string());
        let columns: Vec<String> = wanted.collect();
        let places = columns.iter().map(|column| {
            let place = self.columns.iter().position(|own| own == column);
            place.ok_or_else(|| format!("no column {column}").into())
        });
        let places: Vec<usize> = places.collect::<Result<_, Box<dyn Error>>>()?;
        let rows = self.values.chunks_exact(self.columns.len());
        Ok(Self {
            name: name.to_owned(),
            values: rows
                .flat_map(|row| places.iter().map(|&place| row[place]))
                .collect(),
            columns,
        })
    }
}

/// The file that `--input` names, else this one below `DAFU_DATA`; says so where there is neither.
pub fn real_data(args: &Args, file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DAFU_DATA");
    let found = args.value("input").map(PathBuf::from);
    let found = found.or_else(|| Some(Path::new(&folder?).join(file)));
    if found.is_none() {
        println!("skipped: DAFU_DATA is not set and no --input is given");
    }
    found
}

/// Opens a file for [`replay`].
///
/// # Errors
///
/// When it cannot be read.
pub fn open(path: &Path) -> Result<FileSource, Box<dyn Error>> {
    Ok(FileSource::open(path, &wide())?)
}

/// Wide chunks: the engine works through the entities of a chunk one after the other.
pub fn wide() -> IngestParams {
    IngestParams::default().chunk_rows(1 << 16)
}

/// Replays a file through several sets of features at once and keeps the rows of some days. All rows before them are
/// remembered by the engines, none is held here.
///
/// # Errors
///
/// When the file cannot be read, has no time, user or label, or is not in order of time.
pub fn replay(
    source: &FileSource,
    sets: &[(&str, FeatureSet)],
    days: &Range<i64>,
    progress: &dyn Progress,
) -> Result<Rows, Box<dyn Error>> {
    let mut rows = Rows::default();
    let mut engines = Vec::new();
    for (name, set) in sets {
        let set = set.clone().lateness(Span::ZERO, LatePolicy::Error);
        let engine = FeatureEngine::new(&set)?;
        rows.sets.push(Features {
            name: (*name).to_owned(),
            columns: engine
                .schema()
                .features()
                .iter()
                .map(|spec| spec.name.to_string())
                .collect(),
            values: Vec::new(),
        });
        engines.push(engine);
    }
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    for table in source.tables()? {
        let table = table?;
        rows.read += table.rows() as u64;
        let times = table.by_role(Role::Time).and_then(|column| column.times());
        let times = times.ok_or("the file has no time")?;
        let day = |row: usize| times[row].map(dafu::Timestamp::day);
        let kept = |row: &usize| day(*row).is_some_and(|day| days.contains(&day));
        let kept: Vec<usize> = (0..table.rows()).filter(kept).collect();
        for (engine, features) in engines.iter_mut().zip(&mut rows.sets) {
            let dataset = engine.observe_table(&table)?;
            for &row in &kept {
                features.values.extend(dataset.values().row(row));
            }
        }
        let users = table.by_role(Role::User).and_then(|column| column.texts());
        let users = users.ok_or("the file has no user")?;
        let labels = table
            .by_role(Role::Label)
            .and_then(|column| column.labels());
        let labels = labels.ok_or("the file has no label")?;
        for row in kept {
            let next = u32::try_from(numbers.len())?;
            let user = users.at(row).unwrap_or_default();
            rows.customers
                .push(*numbers.entry(user.to_owned()).or_insert(next));
            rows.days.extend(day(row));
            rows.frauds.push(labels[row] == Label::Fraud);
        }
        progress.report("replay", rows.read, source.rows_hint());
        // The file is in order of time: nothing after this table is wanted.
        let last = table.rows().checked_sub(1).and_then(day);
        if last.is_some_and(|last| last >= days.end) {
            break;
        }
    }
    Ok(rows)
}

/// Medians of columns, to put where a value is missing.
#[derive(Debug, Clone)]
pub struct Medians(Vec<f64>);

impl Medians {
    /// Of the values that are there; 0 for a column without any.
    pub fn of(rows: &Array2<f64>) -> Self {
        let median = |column: ndarray::ArrayView1<'_, f64>| {
            let mut values: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
            values.sort_by(f64::total_cmp);
            let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
            match (values.get(low), values.get(high)) {
                (Some(low), Some(high)) => f64::midpoint(*low, *high),
                _ => 0.0,
            }
        };
        Self(rows.columns().into_iter().map(median).collect())
    }

    /// Puts them where a value is missing.
    pub fn fill(&self, rows: &mut Array2<f64>) {
        let fill = |(mut column, median): (ArrayViewMut1<'_, f64>, &f64)| {
            column.mapv_inplace(|value| if value.is_nan() { *median } else { value });
        };
        rows.columns_mut().into_iter().zip(&self.0).for_each(fill);
    }
}

/// Writes a matrix as little-endian f64, row after row.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_matrix(path: &Path, rows: &Array2<f64>) -> Result<(), Box<dyn Error>> {
    let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
    Ok(fs::write(path, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::Medians;
    use ndarray::array;

    #[test]
    fn medians_leave_out_missing_values() {
        let nan = f64::NAN;
        let mut rows = array![[1.0, nan], [nan, nan], [3.0, nan], [9.0, nan]];
        let medians = Medians::of(&rows);
        medians.fill(&mut rows);
        assert_eq!(rows, array![[1.0, 0.0], [3.0, 0.0], [3.0, 0.0], [9.0, 0.0]]);
    }
}
