//! Learning from training rows in one pass.

use super::fit_number::{NumberFit, NumberNeeds};
use super::fit_text::TextFit;
use super::model::{Preprocessor, distance, find_column, reject_infinite, without_infinity};
use super::params::{
    AmountFeatures, CheckedPreprocessorParams, Infinite, PreprocessorParams, Settings, TimeFeature,
};
use super::plan::{Input, NumberPlan, NumberSource, Plan, Plans, Step, TimePlan};
use super::report::{ColumnReport, FitReport};
use super::row::{self, Clock, RowKey};
use crate::FeatureError;
use dafu_core::table::Storage;
use dafu_core::{Column, FeatureGroup, Fit, Label, Role, Table, TableSource};
use std::collections::BTreeMap;

/// The name of the feature made of four coordinates; settings for it can be given under this name.
const DISTANCE: &str = "home_merchant_distance";
const HOURS_PER_WEEK: usize = 168;

/// Learns a [`Preprocessor`] from one table after the other.
///
/// What is learned depends on the rows and their order, not on how they are cut into tables. Memory is bounded by
/// [`PreprocessorParams::exact_values`] numbers and [`PreprocessorParams::max_levels`] levels for each column.
///
/// ```
/// use dafu_core::table::ColumnData;
/// use dafu_core::{Column, Role, Table};
/// use dafu_features::PreprocessorParams;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut fitter = PreprocessorParams::default().check()?.fitter();
/// for amounts in [[3.0, 4.0], [8.0, 9.0]] {
///     let data = ColumnData::Number(amounts.to_vec());
///     let column = Column { name: "amount".into(), role: Role::Amount, data };
///     fitter.observe(&Table::new(vec![column], vec![1, 2])?)?;
/// }
/// let preprocessor = fitter.finish()?;
/// assert_eq!(preprocessor.report().rows, 4);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Fitter {
    params: PreprocessorParams,
    layout: Option<Layout>,
    rows: u64,
}

/// The columns of the first table, with what is learned about each.
#[derive(Debug, Clone)]
struct Layout {
    columns: Vec<ColumnFit>,
    distance: Option<DistanceFit>,
    /// Whether some column is encoded by its fraud rate.
    folds: bool,
}

#[derive(Debug, Clone)]
struct ColumnFit {
    input: Input,
    settings: Settings,
    missing: u64,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Skipped,
    /// The number, its logarithm, or both.
    Number {
        raw: Option<Box<NumberFit>>,
        log: Option<Box<NumberFit>>,
    },
    /// Rows by hour of the week.
    Time(Box<[u64; HOURS_PER_WEEK]>),
    Text(TextFit),
}

#[derive(Debug, Clone)]
struct DistanceFit {
    /// Places among the columns.
    columns: [usize; 4],
    settings: Settings,
    missing: u64,
    fit: NumberFit,
}

impl CheckedPreprocessorParams {
    /// Starts learning table by table.
    pub fn fitter(&self) -> Fitter {
        Fitter {
            params: self.params().clone(),
            layout: None,
            rows: 0,
        }
    }

    /// Learns from all rows of a source, in one pass.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Source`], and those of [`Fitter::observe`] and [`Fitter::finish`].
    ///
    /// # Complexity
    ///
    /// O(rows x columns), and O(n log n) once for the n numbers kept of each column.
    pub fn fit<S: TableSource + ?Sized>(&self, source: &S) -> Result<Preprocessor, FeatureError> {
        let mut fitter = self.fitter();
        for table in source.chunks()? {
            fitter.observe(&*table?)?;
        }
        fitter.finish()
    }
}

impl PreprocessorParams {
    /// Checks the parameters and learns from all rows of a source, in one pass.
    ///
    /// # Errors
    ///
    /// As [`PreprocessorParams::check`] and [`CheckedPreprocessorParams::fit`].
    pub fn fit<S: TableSource + ?Sized>(&self, source: &S) -> Result<Preprocessor, FeatureError> {
        self.check()?.fit(source)
    }
}

impl<S: TableSource + ?Sized> Fit<S> for PreprocessorParams {
    type Model = Preprocessor;
    type Error = FeatureError;
    fn fit(&self, data: &S) -> Result<Preprocessor, FeatureError> {
        Self::fit(self, data)
    }
}

impl<S: TableSource + ?Sized> Fit<S> for CheckedPreprocessorParams {
    type Model = Preprocessor;
    type Error = FeatureError;
    fn fit(&self, data: &S) -> Result<Preprocessor, FeatureError> {
        Self::fit(self, data)
    }
}

impl Fitter {
    /// Learns from the rows of one more table. The first table decides which columns there are.
    ///
    /// # Errors
    ///
    /// [`FeatureError::UnknownColumn`] and [`FeatureError::NotApplicable`] for settings that do not fit the columns,
    /// [`FeatureError::MissingColumn`], [`FeatureError::WrongStorage`] and [`FeatureError::Infinite`].
    ///
    /// # Complexity
    ///
    /// O(rows x columns).
    pub fn observe(&mut self, table: &Table) -> Result<(), FeatureError> {
        let layout = match self.layout.take() {
            Some(layout) => layout,
            None => Layout::of(table, &self.params)?,
        };
        let layout = self.layout.insert(layout);
        layout.observe(table, &self.params)?;
        self.rows += table.rows() as u64;
        Ok(())
    }

    /// Ends learning.
    ///
    /// # Errors
    ///
    /// [`FeatureError::NoRows`], [`FeatureError::NoFeatures`], [`FeatureError::TooLarge`],
    /// [`FeatureError::NoLabels`].
    pub fn finish(self) -> Result<Preprocessor, FeatureError> {
        let layout = self.layout.filter(|_| self.rows > 0);
        let layout = layout.ok_or(FeatureError::NoRows)?;
        let mut finished = Finished {
            params: &self.params,
            rows: self.rows,
            inputs: Vec::new(),
            places: BTreeMap::new(),
            plans: Vec::new(),
            reports: Vec::new(),
        };
        let columns = layout.columns.len();
        let inputs: Vec<Input> = layout.columns.iter().map(|c| c.input.clone()).collect();
        for column in layout.columns {
            finished.column(column)?;
        }
        if let Some(distance) = layout.distance {
            finished.distance(distance, &inputs)?;
        }
        finished.build(columns)
    }
}

impl Layout {
    fn of(table: &Table, params: &PreprocessorParams) -> Result<Self, FeatureError> {
        let columns: Vec<_> = table
            .columns()
            .iter()
            .enumerate()
            .map(|(position, column)| ColumnFit::new(column, position, params))
            .collect::<Result<_, _>>()?;
        let place = |role| {
            let found = columns.iter().position(|column| column.input.role == role);
            found.filter(|_| params.distance)
        };
        let corners = [
            place(Role::UserLatitude),
            place(Role::UserLongitude),
            place(Role::MerchantLatitude),
            place(Role::MerchantLongitude),
        ];
        let distance = match corners {
            [Some(a), Some(b), Some(c), Some(d)] => {
                let mut settings = params.settings(DISTANCE, Role::Numeric);
                let asked = params.columns.get(DISTANCE).and_then(|asked| asked.group);
                settings.group = asked.unwrap_or(FeatureGroup::Location);
                (!settings.skip).then(|| DistanceFit {
                    columns: [a, b, c, d],
                    missing: 0,
                    fit: NumberFit::new(NumberNeeds::of(&settings), DISTANCE, params),
                    settings,
                })
            }
            _ => None,
        };
        let known = |name: &str| {
            columns.iter().any(|column| column.input.name == name)
                || (name == DISTANCE && distance.is_some())
        };
        if let Some(name) = params.columns.keys().find(|name| !known(name)) {
            return Err(FeatureError::UnknownColumn {
                name: name.clone(),
                known: columns
                    .into_iter()
                    .map(|column| column.input.name)
                    .collect(),
            });
        }
        let folds = columns
            .iter()
            .any(|column| matches!(&column.state, State::Text(fit) if fit.wants_labels()));
        Ok(Self {
            columns,
            distance,
            folds,
        })
    }

    fn observe(&mut self, table: &Table, params: &PreprocessorParams) -> Result<(), FeatureError> {
        let tallies = self.folds.then(|| tallies(table, params));
        for column in &mut self.columns {
            column.observe(table, params, tallies.as_deref())?;
        }
        if let Some(distances) = &mut self.distance {
            let mut numbers = [[].as_slice(); 4];
            for (numbers, &place) in numbers.iter_mut().zip(&distances.columns) {
                let column = find_column(&self.columns[place].input, table)?;
                *numbers = column.numbers().unwrap_or_default();
            }
            for row in 0..table.rows() {
                // Coordinates are numbers by their role, so that every row is there.
                let kilometres = distance(numbers.map(|numbers| numbers[row]));
                if kilometres.is_nan() {
                    distances.missing += 1;
                } else {
                    distances.fit.push(kilometres);
                }
            }
        }
        Ok(())
    }
}

/// Fold of each row, and its label where known.
fn tallies(table: &Table, params: &PreprocessorParams) -> Vec<(u16, Option<bool>)> {
    let text = |role| table.by_role(role).and_then(Column::texts);
    let (transactions, users) = (text(Role::TransactionId), text(Role::User));
    let times = table.by_role(Role::Time).and_then(Column::times);
    let labels = table.by_role(Role::Label).and_then(Column::labels);
    let records = table.row_numbers().iter().enumerate();
    records
        .map(|(row, &record)| {
            let fold = params.folds.of(RowKey {
                transaction: transactions.and_then(|texts| texts.at(row)),
                record,
                user: users.and_then(|texts| texts.at(row)),
                time: times.and_then(|times| times.get(row).copied().flatten()),
            });
            let label = labels.and_then(|labels| labels.get(row).copied());
            (fold, label.and_then(Label::known))
        })
        .collect()
}

impl ColumnFit {
    fn new(
        column: &Column,
        position: usize,
        params: &PreprocessorParams,
    ) -> Result<Self, FeatureError> {
        let (name, role) = (column.name.to_string(), column.role);
        let settings = params.settings(&name, role);
        if let Some(asked) = params.columns.get(&name) {
            let storage = role.storage();
            let number = asked.number_impute.is_some() && storage != Storage::Number;
            let text = (asked.encoding.is_some() || asked.text_impute.is_some())
                && storage != Storage::Text;
            let scaling =
                asked.scaling.is_some() && !matches!(storage, Storage::Number | Storage::Text);
            for (wrong, setting) in [
                (number, "`number_impute`"),
                (text, "`encoding` or `text_impute`"),
                (scaling, "`scaling`"),
            ] {
                if wrong {
                    return Err(FeatureError::NotApplicable {
                        column: name,
                        storage,
                        setting,
                    });
                }
            }
        }
        let state = match role.storage() {
            _ if settings.skip => State::Skipped,
            Storage::Number => {
                let fit = || Box::new(NumberFit::new(NumberNeeds::of(&settings), &name, params));
                let amount = role == Role::Amount;
                let raw = !amount || params.amount != AmountFeatures::Log;
                let log = amount && params.amount != AmountFeatures::Raw;
                State::Number {
                    raw: raw.then(fit),
                    log: log.then(fit),
                }
            }
            Storage::Time => State::Time(Box::new([0; HOURS_PER_WEEK])),
            Storage::Text => State::Text(TextFit::new(&settings, params)),
            Storage::Label => State::Skipped,
        };
        Ok(Self {
            input: Input {
                name,
                role,
                position: u32::try_from(position).unwrap_or(u32::MAX),
            },
            settings,
            missing: 0,
            state,
        })
    }

    fn observe(
        &mut self,
        table: &Table,
        params: &PreprocessorParams,
        tallies: Option<&[(u16, Option<bool>)]>,
    ) -> Result<(), FeatureError> {
        if matches!(self.state, State::Skipped) {
            return Ok(());
        }
        let column = find_column(&self.input, table)?;
        match &mut self.state {
            State::Skipped => {}
            State::Number { raw, log } => {
                let numbers = column.numbers().unwrap_or_default();
                if params.infinite == Infinite::Reject {
                    reject_infinite(column, numbers, table.row_numbers())?;
                }
                for value in numbers.iter().copied().map(without_infinity) {
                    if value.is_nan() {
                        self.missing += 1;
                        continue;
                    }
                    if let Some(raw) = raw {
                        raw.push(value);
                    }
                    if let Some(log) = log {
                        log.push(row::signed_log(value));
                    }
                }
            }
            State::Time(hours) => {
                let clock = clock(params);
                for time in column.times().unwrap_or_default() {
                    let Some(time) = *time else {
                        self.missing += 1;
                        continue;
                    };
                    let hour = usize::try_from(clock.second_of_week(time) / 3600);
                    if let Some(count) = hour.ok().and_then(|hour| hours.get_mut(hour)) {
                        *count += 1;
                    }
                }
            }
            State::Text(fit) => {
                for (row, text) in column.texts().iter().flat_map(|t| t.iter()).enumerate() {
                    self.missing += u64::from(text.is_none());
                    let tally = tallies.and_then(|tallies| tallies.get(row).copied());
                    fit.push(text, tally);
                }
            }
        }
        Ok(())
    }
}

fn clock(params: &PreprocessorParams) -> Clock {
    Clock {
        offset_minutes: params.utc_offset_minutes,
        night_from: params.night_from,
        night_until: params.night_until,
    }
}

/// The steps made so far.
struct Finished<'a> {
    params: &'a PreprocessorParams,
    rows: u64,
    inputs: Vec<Input>,
    /// Place among the inputs by place in the table.
    places: BTreeMap<u32, u32>,
    /// Each with the report that it belongs to.
    plans: Vec<(Plan, usize)>,
    reports: Vec<ColumnReport>,
}

impl Finished<'_> {
    /// The place of an input, added when it is new.
    fn input(&mut self, input: &Input) -> u32 {
        let next = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(input.position).or_insert(next);
        if place == next {
            self.inputs.push(input.clone());
        }
        place
    }

    fn step(&mut self, step: Step, group: FeatureGroup) {
        self.plans.push((Plan { step, group }, self.reports.len()));
    }

    fn report(&mut self, column: ColumnReport) {
        self.reports.push(column);
    }

    fn column(&mut self, column: ColumnFit) -> Result<(), FeatureError> {
        let ColumnFit {
            input,
            settings,
            missing,
            state,
        } = column;
        let mut report = ColumnReport {
            column: input.name.clone(),
            role: input.role,
            missing,
            levels: None,
            level_error: 0,
            features: Vec::new(),
            note: String::new(),
        };
        match state {
            State::Skipped => {
                report.note = match input.role {
                    Role::Label => "the label is never a feature".to_owned(),
                    Role::Ignore => "left out".to_owned(),
                    role => format!("no feature: columns with role {role} are skipped"),
                };
            }
            State::Number { raw, log } => {
                let id = self.input(&input);
                let keep = input.role == Role::Amount;
                let mut notes = Vec::new();
                let fits = [
                    raw.map(|fit| (NumberSource::Column(id), fit)),
                    log.map(|fit| (NumberSource::Log(id), fit)),
                ];
                for (source, fit) in fits.into_iter().flatten() {
                    notes.push(self.number(source, &fit, (missing, keep), &settings)?);
                }
                if settings.number_impute != super::NumberImpute::Keep {
                    notes.extend(self.indicator(id, missing, &settings));
                }
                report.note = notes.join("; ");
            }
            State::Time(hours) => {
                let id = self.input(&input);
                report.note = self.time(id, &hours, missing, &settings);
            }
            State::Text(fit) => {
                (report.levels, report.level_error) = (Some(fit.levels()), fit.error());
                let (params, rows) = (self.params, self.rows);
                let finished = fit.finish(&input.name, &settings, params, rows)?;
                report.note = finished.note;
                if let Some((levels, code)) = finished.code {
                    let input = self.input(&input);
                    let plan = super::plan::TextPlan {
                        input,
                        levels,
                        code,
                    };
                    self.step(Step::Text(Box::new(plan)), settings.group);
                    if settings.text_impute != super::TextImpute::OwnLevel {
                        let further = self.indicator(input, missing, &settings);
                        report.note.extend(further.map(|note| format!("; {note}")));
                    }
                }
            }
        }
        self.report(report);
        Ok(())
    }

    /// Adds a number feature, and says what was done. `keep`: even when it is constant.
    fn number(
        &mut self,
        source: NumberSource,
        fit: &NumberFit,
        (missing, keep): (u64, bool),
        settings: &Settings,
    ) -> Result<String, FeatureError> {
        let log = matches!(source, NumberSource::Log(_));
        let name = match source.inputs() {
            [id] => super::plan::input(&self.inputs, *id).map_or("", |input| &input.name),
            _ => DISTANCE,
        };
        let name = name.to_owned();
        let finished = fit.finish(&name, settings, missing, log)?;
        let drop = self.params.constants == super::Constants::Drop && !keep;
        if drop && finished.constant {
            return Ok(finished.dropped_note());
        }
        let plan = NumberPlan {
            source,
            fill: finished.fill,
            scale: finished.scale,
        };
        self.step(Step::Number(plan), settings.group);
        Ok(finished.note)
    }

    fn indicator(&mut self, input: u32, missing: u64, settings: &Settings) -> Option<String> {
        let wanted = match settings.indicator {
            super::Indicator::Never => false,
            super::Indicator::WhenSeen => missing > 0 && missing < self.rows,
            super::Indicator::Always => true,
        };
        wanted.then(|| {
            self.step(Step::Missing(input), settings.group);
            "a flag tells where it is missing".to_owned()
        })
    }

    fn time(
        &mut self,
        input: u32,
        hours: &[u64; HOURS_PER_WEEK],
        missing: u64,
        settings: &Settings,
    ) -> String {
        // The first of several: `max_by_key` would give the last.
        let most = hours.iter().copied().max().unwrap_or_default();
        let hour = hours.iter().position(|&count| count == most);
        let hour = u32::try_from(hour.unwrap_or_default()).unwrap_or_default();
        let features: Vec<TimeFeature> = self.params.time_features.iter().copied().collect();
        if features.is_empty() {
            return "no time feature was asked for".to_owned();
        }
        for feature in features {
            let plan = TimePlan {
                input,
                feature,
                fill: hour * 3600,
            };
            self.step(Step::Time(plan), settings.group);
        }
        let (weekday, of_day) = (hour / 24, hour % 24);
        let filled = format!(
            "a missing time counts as weekday {weekday}, {of_day:02}:00, the most frequent hour"
        );
        let notes = [
            Some("calendar features of the row's own time".to_owned()),
            (missing > 0).then_some(filled),
            self.indicator(input, missing, settings),
        ];
        notes.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn distance(&mut self, fit: DistanceFit, inputs: &[Input]) -> Result<(), FeatureError> {
        let ids = fit.columns.map(|place| self.input(&inputs[place]));
        let (missing, settings) = (fit.missing, fit.settings);
        let source = NumberSource::Distance(ids);
        let note = self.number(source, &fit.fit, (missing, false), &settings)?;
        self.report(ColumnReport {
            column: DISTANCE.to_owned(),
            role: Role::Numeric,
            missing,
            levels: None,
            level_error: 0,
            features: Vec::new(),
            note,
        });
        Ok(())
    }

    fn build(mut self, columns: usize) -> Result<Preprocessor, FeatureError> {
        if self.plans.is_empty() {
            return Err(FeatureError::NoFeatures { columns });
        }
        let (steps, owners): (Vec<_>, Vec<_>) = self.plans.into_iter().unzip();
        let plans = Plans {
            inputs: self.inputs,
            steps,
            clock: clock(self.params),
            infinite: self.params.infinite,
            folds: self.params.folds,
        };
        let mut specs = Vec::new();
        for (step, spec) in plans.specs() {
            let owner = owners.get(step).copied().unwrap_or(usize::MAX);
            if let Some(report) = self.reports.get_mut(owner) {
                report.features.push(spec.name.to_string());
            }
            specs.push(spec);
        }
        let report = FitReport {
            rows: self.rows,
            columns: self.reports,
        };
        Preprocessor::new(plans, specs, report)
    }
}
