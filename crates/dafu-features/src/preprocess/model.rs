//! The fitted preprocessor and how it turns tables into datasets.

use super::params::Infinite;
use super::plan::{
    self, Input, NumberPlan, NumberSource, Plan, Plans, Step, TextCode, TextPlan, TimePlan,
};
use super::report::FitReport;
use super::row::{self, RowKey};
use crate::{FeatureError, haversine_km};
use dafu_core::table::TextColumn;
use dafu_core::{Column, Dataset, FeatureSpec, GeoPoint, Label, Role, Schema, Table, Timestamp};
use ndarray::{Array2, ArrayViewMut2};
use std::ops::Range;
use std::sync::Arc;

/// Rows of one block: its features stay in the cache while column after column is written.
const BLOCK: usize = 256;

/// From tables to feature rows, as learned from training rows; immutable.
///
/// Every cell depends on its own row and on what was learned, never on the other rows of a table: the same row gives
/// the same bits alone and in any table.
///
/// ```
/// use dafu_core::table::ColumnData;
/// use dafu_core::{Column, Role, Table};
/// use dafu_features::PreprocessorParams;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let table = |amounts: Vec<f64>, categories: &[&str]| {
///     let rows = (1..=amounts.len() as u64).collect();
///     let texts = categories.iter().map(|&text| Some(text)).collect();
///     let amount = Column { name: "amount".into(), role: Role::Amount, data: ColumnData::Number(amounts) };
///     let category = Column { name: "category".into(), role: Role::Category, data: ColumnData::Text(texts) };
///     Table::new(vec![amount, category], rows)
/// };
/// let training = table(vec![5.0, f64::NAN, 9.0], &["food", "fuel", "food"])?;
/// let preprocessor = PreprocessorParams::default().fit(&training)?;
/// let names: Vec<_> = preprocessor.schema().features().iter().map(|f| &*f.name).collect();
/// assert_eq!(
///     names,
///     ["amount", "log_amount", "amount_missing", "category=food", "category=fuel"]
/// );
/// let later = preprocessor.transform(&table(vec![f64::NAN], &["travel"])?)?;
/// assert_eq!(later.row(0)?.get("amount"), Some(7.0));
/// assert_eq!(later.row(0)?.get("category=food"), Some(0.0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessor {
    plans: Plans,
    schema: Arc<Schema>,
    report: FitReport,
}

/// How a row is read: as any row, or as a training row of this fold.
type Fold<'a> = Option<&'a [u16]>;

impl Preprocessor {
    /// `specs`: the features of `plans`.
    pub(crate) fn new(
        plans: Plans,
        specs: Vec<FeatureSpec>,
        report: FitReport,
    ) -> Result<Self, FeatureError> {
        let schema = Arc::new(Schema::new(specs)?);
        Ok(Self {
            plans,
            schema,
            report,
        })
    }

    #[cfg(feature = "serde")]
    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The features: names, types, units, groups, in column order.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// What each column became when fitting, and why.
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// Names and roles of the columns that a table must have, in order. A column is found by its name, else, for roles
    /// that only one column can have, by its role.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, Role)> {
        let inputs = self.plans.inputs.iter();
        inputs.map(|input| (input.name.as_str(), input.role))
    }

    /// The features that are the numbers of a column as they are, missing ones filled in and nothing scaled: place of
    /// the feature and name of the column, in order.
    pub fn plain_columns(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut next = 0;
        self.plans.steps.iter().filter_map(move |plan| {
            let place = next;
            next += plan.width();
            match &plan.step {
                Step::Number(NumberPlan {
                    source: NumberSource::Column(id),
                    scale: None,
                    ..
                }) => plan::input(&self.plans.inputs, *id).map(|input| (place, &*input.name)),
                _ => None,
            }
        })
    }

    /// The features of a table, with labels, groups (users, hashed to 32 bits) and, when every row has one, times.
    ///
    /// For rows that the preprocessor was fitted on, when a column is encoded by its fraud rate, take
    /// [`Preprocessor::transform_training`]: here each of them would see its own label.
    ///
    /// Shape: `table.rows() x schema().width()`, row-major.
    ///
    /// # Errors
    ///
    /// [`FeatureError::MissingColumn`], [`FeatureError::WrongStorage`], [`FeatureError::Infinite`].
    ///
    /// # Complexity
    ///
    /// O(rows x features); one allocation for the matrix and one for each attribute.
    pub fn transform(&self, table: &Table) -> Result<Dataset, FeatureError> {
        self.dataset(table, None)
    }

    /// As [`Preprocessor::transform`] for the rows that the preprocessor was fitted on: fraud rates of levels are
    /// those of the other folds, so that no row sees its own label.
    ///
    /// # Errors
    ///
    /// As [`Preprocessor::transform`].
    pub fn transform_training(&self, table: &Table) -> Result<Dataset, FeatureError> {
        let folds = self.training_folds(table);
        self.dataset(table, Some(&folds))
    }

    /// The fold of each row of a training table.
    pub fn training_folds(&self, table: &Table) -> Vec<u16> {
        let text = |role| table.by_role(role).and_then(Column::texts);
        let (transactions, users) = (text(Role::TransactionId), text(Role::User));
        let times = table.by_role(Role::Time).and_then(Column::times);
        let records = table.row_numbers().iter().enumerate();
        records
            .map(|(row, &record)| {
                self.plans.folds.of(RowKey {
                    transaction: transactions.and_then(|texts| texts.at(row)),
                    record,
                    user: users.and_then(|texts| texts.at(row)),
                    time: times.and_then(|times| times.get(row).copied().flatten()),
                })
            })
            .collect()
    }

    fn dataset(&self, table: &Table, folds: Fold<'_>) -> Result<Dataset, FeatureError> {
        let mut values = Array2::zeros((table.rows(), self.schema.width()));
        let room = values.len();
        let cells = values.as_slice_mut().ok_or(FeatureError::Output {
            expected: room,
            got: 0,
        })?;
        self.write(table, 0..table.rows(), cells, folds)?;
        let mut dataset = Dataset::new(Arc::clone(&self.schema), values)?;
        if let Some(labels) = table.by_role(Role::Label).and_then(Column::labels) {
            dataset = dataset.with_labels(labels.to_vec())?;
        }
        if let Some(times) = table.by_role(Role::Time).and_then(Column::times) {
            let times: Option<Vec<Timestamp>> = times.iter().copied().collect();
            if let Some(times) = times {
                dataset = dataset.with_times(times)?;
            }
        }
        if let Some(users) = table.by_role(Role::User).and_then(Column::texts) {
            dataset = dataset.with_groups(users.iter().map(row::group).collect())?;
        }
        Ok(dataset)
    }

    /// The features of a table into the caller's matrix of `table.rows() x schema().width()`.
    ///
    /// # Errors
    ///
    /// As [`Preprocessor::transform`], and [`FeatureError::Output`] for a matrix of another shape or one that is not
    /// row-major and contiguous.
    ///
    /// # Complexity
    ///
    /// O(rows x features), no allocation (texts of more than 256 bytes excepted).
    pub fn transform_into(
        &self,
        table: &Table,
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<(), FeatureError> {
        let expected = table.rows() * self.schema.width();
        let got = out.len();
        let fits = out.dim() == (table.rows(), self.schema.width());
        match out.as_slice_mut() {
            Some(cells) if fits => self.write(table, 0..table.rows(), cells, None),
            _ => Err(FeatureError::Output { expected, got }),
        }
    }

    /// The features of one row of a table into the caller's slice, in schema order.
    ///
    /// # Errors
    ///
    /// As [`Preprocessor::transform`], and [`FeatureError::Row`], [`FeatureError::Output`].
    ///
    /// # Complexity
    ///
    /// O(features), no allocation (texts of more than 256 bytes excepted).
    pub fn transform_row(
        &self,
        table: &Table,
        row: usize,
        out: &mut [f64],
    ) -> Result<(), FeatureError> {
        if row >= table.rows() {
            return Err(FeatureError::Row {
                row,
                rows: table.rows(),
            });
        }
        self.write(table, row..row + 1, out, None)
    }

    /// Writes rows, block after block, step after step.
    fn write(
        &self,
        table: &Table,
        rows: Range<usize>,
        out: &mut [f64],
        folds: Fold<'_>,
    ) -> Result<(), FeatureError> {
        let width = self.schema.width();
        let expected = rows.len() * width;
        if out.len() != expected {
            return Err(FeatureError::Output {
                expected,
                got: out.len(),
            });
        }
        let mut first = rows.start;
        for block in out.chunks_mut(BLOCK * width) {
            let count = block.len() / width;
            let mut target = Target {
                table,
                rows: first..first + count,
                cells: block,
                width,
                offset: 0,
            };
            for plan in &self.plans.steps {
                self.write_plan(plan, &mut target, folds)?;
                target.offset += plan.width();
            }
            first += count;
        }
        Ok(())
    }

    fn write_plan(
        &self,
        plan: &Plan,
        target: &mut Target<'_>,
        folds: Fold<'_>,
    ) -> Result<(), FeatureError> {
        match &plan.step {
            Step::Number(plan) => self.write_number(plan, target),
            Step::Missing(input) => self.write_missing(*input, target),
            Step::Time(plan) => self.write_time(plan, target),
            Step::Text(plan) => {
                let texts = texts(self.column(plan.input, target.table)?)?;
                write_text(plan, texts, target, folds);
                Ok(())
            }
        }
    }

    fn write_number(&self, plan: &NumberPlan, target: &mut Target<'_>) -> Result<(), FeatureError> {
        let finish = |value: f64| {
            let value = match plan.fill {
                Some(fill) if value.is_nan() => fill,
                _ => value,
            };
            plan.scale.map_or(value, |scale| scale.apply(value))
        };
        match plan.source {
            NumberSource::Column(input) => {
                let numbers = self.numbers(input, target)?;
                for (cells, &value) in target.rows_of_cells().zip(numbers) {
                    cells[0] = finish(without_infinity(value));
                }
            }
            NumberSource::Log(input) => {
                let numbers = self.numbers(input, target)?;
                for (cells, &value) in target.rows_of_cells().zip(numbers) {
                    cells[0] = finish(row::signed_log(without_infinity(value)));
                }
            }
            NumberSource::Distance(inputs) => {
                let mut columns = [[].as_slice(); 4];
                for (column, input) in columns.iter_mut().zip(inputs) {
                    *column = self.numbers(input, target)?;
                }
                for (row, cells) in target.rows_of_cells().enumerate() {
                    cells[0] = finish(distance(columns.map(|column| column[row])));
                }
            }
        }
        Ok(())
    }

    fn write_missing(&self, input: u32, target: &mut Target<'_>) -> Result<(), FeatureError> {
        let column = self.column(input, target.table)?;
        let start = target.rows.start;
        for (row, cells) in target.rows_of_cells().enumerate() {
            let row = start + row;
            let missing = match &column.data {
                dafu_core::ColumnData::Number(values) => !values[row].is_finite(),
                dafu_core::ColumnData::Text(values) => values.at(row).is_none(),
                dafu_core::ColumnData::Time(values) => values[row].is_none(),
                dafu_core::ColumnData::Label(values) => values[row] == Label::Unknown,
            };
            cells[0] = f64::from(u8::from(missing));
        }
        Ok(())
    }

    fn write_time(&self, plan: &TimePlan, target: &mut Target<'_>) -> Result<(), FeatureError> {
        let column = self.column(plan.input, target.table)?;
        let times = column
            .times()
            .ok_or_else(|| wrong_storage(column, Role::Time))?;
        let times = &times[target.rows.clone()];
        let clock = self.plans.clock;
        let seconds = |time: Option<Timestamp>| {
            time.map_or(i64::from(plan.fill), |time| clock.second_of_week(time))
        };
        for (cells, &time) in target.rows_of_cells().zip(times) {
            let (first, second) = clock.value(plan.feature, seconds(time));
            cells[0] = first;
            if let (true, Some(cell)) = (plan.is_cycle(), cells.get_mut(1)) {
                *cell = second;
            }
        }
        Ok(())
    }

    /// The numbers of the target's rows, without infinities unless they count as missing.
    fn numbers<'t>(&self, input: u32, target: &Target<'t>) -> Result<&'t [f64], FeatureError> {
        let column = self.column(input, target.table)?;
        let numbers = column
            .numbers()
            .ok_or_else(|| wrong_storage(column, Role::Numeric))?;
        let numbers = &numbers[target.rows.clone()];
        if self.plans.infinite == Infinite::Reject {
            reject_infinite(
                column,
                numbers,
                &target.table.row_numbers()[target.rows.clone()],
            )?;
        }
        Ok(numbers)
    }

    fn column<'t>(&self, input: u32, table: &'t Table) -> Result<&'t Column, FeatureError> {
        // Checked when loading: every step names an input there is.
        let place = usize::try_from(input).unwrap_or(usize::MAX);
        let input = plan::input(&self.plans.inputs, input).ok_or(FeatureError::NoFeatures {
            columns: self.plans.inputs.len(),
        })?;
        // A table of the inputs alone has them in their order.
        match table.columns().get(place) {
            Some(column)
                if *column.name == *input.name && column.data.storage() == input.storage() =>
            {
                Ok(column)
            }
            _ => find_column(input, table),
        }
    }
}

impl TimePlan {
    fn is_cycle(&self) -> bool {
        use super::params::TimeFeature;
        matches!(
            self.feature,
            TimeFeature::HourCycle | TimeFeature::WeekdayCycle
        )
    }
}

/// The cells to fill: these rows, from this feature on.
struct Target<'a> {
    table: &'a Table,
    rows: Range<usize>,
    cells: &'a mut [f64],
    width: usize,
    offset: usize,
}

impl Target<'_> {
    /// For each row, its cells from the step's first feature on.
    fn rows_of_cells(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let offset = self.offset;
        self.cells
            .chunks_exact_mut(self.width)
            .map(move |cells| &mut cells[offset..])
    }
}

/// A column by position and name, by name, or by a role that only one column can have.
pub(crate) fn find_column<'t>(input: &Input, table: &'t Table) -> Result<&'t Column, FeatureError> {
    let columns = table.columns();
    let at_place = usize::try_from(input.position)
        .ok()
        .and_then(|place| columns.get(place))
        .filter(|column| *column.name == *input.name);
    let found = at_place.or_else(|| table.column(&input.name)).or_else(|| {
        let unique = input.role.is_unique();
        unique.then(|| table.by_role(input.role)).flatten()
    });
    let column = found.ok_or_else(|| FeatureError::MissingColumn {
        name: input.name.clone(),
        role: input.role,
    })?;
    if column.data.storage() == input.storage() {
        Ok(column)
    } else {
        Err(wrong_storage(column, input.role))
    }
}

fn wrong_storage(column: &Column, role: Role) -> FeatureError {
    FeatureError::WrongStorage {
        name: column.name.to_string(),
        expected: role.storage(),
        got: column.data.storage(),
    }
}

pub(crate) fn texts(column: &Column) -> Result<&TextColumn, FeatureError> {
    column
        .texts()
        .ok_or_else(|| wrong_storage(column, Role::Category))
}

pub(crate) fn reject_infinite(
    column: &Column,
    numbers: &[f64],
    records: &[u64],
) -> Result<(), FeatureError> {
    match numbers.iter().position(|value| value.is_infinite()) {
        None => Ok(()),
        Some(row) => Err(FeatureError::Infinite {
            column: column.name.to_string(),
            record: records.get(row).copied().unwrap_or_default(),
            got: numbers[row],
        }),
    }
}

pub(crate) fn without_infinity(value: f64) -> f64 {
    if value.is_infinite() { f64::NAN } else { value }
}

/// Kilometres between two points given in degrees; NaN when a coordinate is missing or not on the earth.
pub(crate) fn distance(degrees: [f64; 4]) -> f64 {
    let [latitude, longitude, to_latitude, to_longitude] = degrees;
    let from = GeoPoint::new(latitude, longitude);
    let to = GeoPoint::new(to_latitude, to_longitude);
    match (from, to) {
        (Ok(from), Ok(to)) => haversine_km(from, to),
        _ => f64::NAN,
    }
}

fn write_text(plan: &TextPlan, texts: &TextColumn, target: &mut Target<'_>, folds: Fold<'_>) {
    let start = target.rows.start;
    let rows = target.rows_of_cells().enumerate();
    match &plan.code {
        TextCode::OneHot {
            other,
            own_missing,
            missing,
            unseen,
        } => {
            let known = plan.levels.len();
            let width = known + usize::from(*other) + usize::from(*own_missing);
            let further = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
            for (row, cells) in rows {
                let slot = plan.levels.slot(texts.at(start + row));
                let place = match slot {
                    slot if slot < known => slot,
                    slot if slot == known => further(*missing),
                    _ => further(*unseen),
                };
                let flags = &mut cells[..width];
                flags.fill(0.0);
                if let Some(flag) = flags.get_mut(place) {
                    *flag = 1.0;
                }
            }
        }
        TextCode::Value {
            values,
            folds: by_fold,
            ..
        } => {
            for (row, cells) in rows {
                let slot = plan.levels.slot(texts.at(start + row));
                let of_fold = folds
                    .and_then(|folds| folds.get(start + row))
                    .and_then(|&fold| by_fold.get(usize::from(fold)));
                cells[0] = of_fold.unwrap_or(values)[slot];
            }
        }
        TextCode::Hash { buckets, fill } => {
            for (row, cells) in rows {
                let flags = &mut cells[..usize::from(*buckets)];
                flags.fill(0.0);
                if let Some(text) = texts.at(start + row).or(fill.as_deref()) {
                    let (place, sign) = row::bucket(text, *buckets);
                    if let Some(cell) = flags.get_mut(place) {
                        *cell = sign;
                    }
                }
            }
        }
    }
}
