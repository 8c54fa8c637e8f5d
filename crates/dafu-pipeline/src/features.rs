//! The set of features of past events: how its columns join those of a source.

use crate::PipelineError;
use dafu_core::table::ColumnData;
use dafu_core::{Column, CoreError, FeatureSpec, Role, Schema, Table, TableSource, Timestamp};
use dafu_features::{
    AmountFeatures, Definition, EventFeature, FeatureEngine, FeatureError, FeatureSet, Field,
    Labels, LatePolicy, Preprocessor, PreprocessorParams, Quantity, RecordKind, TimeFeature,
};
use ndarray::ArrayView2;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the columns of a set are called among those of a source, before the name of the feature.
const PREFIX: &str = "set.";

/// A set of features, compiled and without memory, with those of its columns that the preprocessor reads.
#[derive(Debug, Clone)]
pub(crate) struct Features {
    engine: FeatureEngine,
    /// Place in the set, and name in a joined table.
    columns: Vec<(usize, Arc<str>)>,
}

impl Features {
    /// # Errors
    ///
    /// As [`FeatureEngine::new`], and [`FeatureError::WrongRecord`] for a set that is not for transactions.
    pub(crate) fn new(set: &FeatureSet) -> Result<Self, FeatureError> {
        if set.record != RecordKind::Transaction {
            return Err(FeatureError::WrongRecord {
                expected: set.record,
                got: RecordKind::Transaction,
            });
        }
        let engine = FeatureEngine::new(set)?;
        let names = engine.schema().features().iter();
        let columns = names
            .map(|spec| Arc::from(joined_name(&spec.name)))
            .enumerate()
            .collect();
        Ok(Self { engine, columns })
    }

    /// The features that read no label.
    pub(crate) fn without_labels(&self) -> Result<Self, FeatureError> {
        if reads_labels(self.set()) {
            Self::new(&self.set().clone().without_labels().labels(Labels::Events))
        } else {
            Ok(self.clone())
        }
    }

    /// Keeps the columns that a preprocessor reads.
    pub(crate) fn read_by(mut self, preprocessor: &Preprocessor) -> Self {
        let numbers = preprocessor
            .inputs()
            .filter(|(_, role)| *role == Role::Numeric);
        let read: BTreeSet<&str> = numbers.map(|(name, _)| name).collect();
        self.columns.retain(|(_, name)| read.contains(&**name));
        self
    }

    /// Place in the set of what a column of a joined table holds.
    pub(crate) fn place(&self, column: &str) -> Option<usize> {
        let name = column.strip_prefix(PREFIX)?;
        let place = self.engine.schema().position(name)?.get();
        let joined = self.columns.binary_search_by_key(&place, |entry| entry.0);
        joined.is_ok().then_some(place)
    }

    fn spec(&self, column: &str) -> Option<&FeatureSpec> {
        self.place(column)
            .map(|place| &self.engine.schema().features()[place])
    }

    pub(crate) fn set(&self) -> &FeatureSet {
        self.engine.set()
    }

    /// An engine without memory.
    pub(crate) fn fresh(&self) -> FeatureEngine {
        self.engine.fresh()
    }

    /// Whether a table has what every event needs.
    pub(crate) fn require(&self, table: &Table) -> Result<(), PipelineError> {
        let by_user = self.set().features.iter().any(|feature| {
            matches!(&feature.definition, Definition::Window(window)
                if window.by.fields().any(|field| *field == Field::User))
        });
        let roles = [Role::Time, Role::TransactionId, Role::User];
        let needed = if by_user { &roles[..] } else { &roles[..2] };
        match needed.iter().find(|&&role| table.by_role(role).is_none()) {
            Some(&role) => Err(PipelineError::MissingRole { role }),
            None => Ok(()),
        }
    }

    /// As [`Features::require`], for the first table of a source.
    pub(crate) fn require_of(&self, source: &dyn TableSource) -> Result<(), PipelineError> {
        match source.chunks()?.next() {
            Some(table) => self.require(&*table?),
            None => Ok(()),
        }
    }

    /// A table with the columns of the set behind its own. `rows`: features of the set, a row for each of the table.
    pub(crate) fn join(
        &self,
        table: &Table,
        rows: ArrayView2<'_, f64>,
    ) -> Result<Table, PipelineError> {
        let own = table.columns().iter().cloned();
        let joined = self.columns.iter().map(|(place, name)| Column {
            name: Arc::clone(name),
            role: Role::Numeric,
            data: ColumnData::Number(rows.column(*place).to_vec()),
        });
        let columns = own.chain(joined).collect();
        Ok(Table::new(columns, table.row_numbers().to_vec())?)
    }

    /// Settings for a joined table: the groups of the set, and nothing twice that the set has, too.
    pub(crate) fn settings(
        &self,
        mut params: PreprocessorParams,
        source: &Table,
    ) -> PreprocessorParams {
        for spec in self.engine.schema().features() {
            let name = &*spec.name;
            let asked = params.columns.get(name).cloned();
            if source.column(name).is_none() {
                params.columns.remove(name);
            }
            let mut settings = asked.unwrap_or_default();
            settings.group = settings.group.or(Some(spec.group));
            params.columns.insert(joined_name(name), settings);
        }
        let set = &self.set().features;
        let has = |wanted: &EventFeature| {
            let found = |definition: &Definition| matches!(definition, Definition::Event(event) if event == wanted);
            set.iter().any(|feature| found(&feature.definition))
        };
        params.time_features.retain(|feature| !match feature {
            TimeFeature::Hour => has(&EventFeature::Hour),
            TimeFeature::Weekday => has(&EventFeature::Weekday),
            TimeFeature::Weekend => has(&EventFeature::Weekend),
            TimeFeature::Night => has(&EventFeature::Night),
            TimeFeature::HourCycle => has(&EventFeature::HourSin) && has(&EventFeature::HourCos),
            TimeFeature::WeekdayCycle => false,
        });
        params.distance = params.distance && !has(&EventFeature::HomeDistance);
        let raw =
            params.amount != AmountFeatures::Log && !has(&EventFeature::Value(Quantity::Amount));
        let log = params.amount != AmountFeatures::Raw && !has(&EventFeature::LogAmount);
        match (raw, log) {
            (true, true) => params.amount = AmountFeatures::Both,
            (true, false) => params.amount = AmountFeatures::Raw,
            (false, true) => params.amount = AmountFeatures::Log,
            (false, false) => {
                let settings = params.roles.entry(Role::Amount).or_default();
                settings.skip = settings.skip.or(Some(true));
            }
        }
        params
    }
}

/// Whether a set reads labels, too.
pub(crate) fn reads_labels(set: &FeatureSet) -> bool {
    set.clone().without_labels().features.len() < set.features.len()
}

/// Microseconds by which events may be late.
pub(crate) fn lateness(set: &FeatureSet) -> i64 {
    match set.lateness.policy {
        LatePolicy::Insert => set.lateness.bound.as_micros(),
        _ => 0,
    }
}

/// Whether events that begin at an instant go on from a memory whose newest event is this: not where they begin before it,
/// since a memory does not know what it did not know then.
pub(crate) fn goes_on(newest: Option<Timestamp>, first: Option<Timestamp>, bound: i64) -> bool {
    match (newest, first) {
        (Some(newest), Some(first)) => newest.since(first) <= bound,
        _ => true,
    }
}

/// Time of the first event of a table.
pub(crate) fn first_time(table: &Table) -> Option<Timestamp> {
    let times = table.by_role(Role::Time).and_then(Column::times)?;
    times.iter().copied().flatten().min()
}

/// The features of a preprocessor under the names, types, units, groups and descriptions that the set gives them. A
/// name that a feature of the source has gets `_2`, `_3`, ...
pub(crate) fn joined_schema(
    preprocessor: &Preprocessor,
    features: &Features,
) -> Result<Schema, CoreError> {
    let mut specs = preprocessor.schema().features().to_vec();
    let plain: BTreeMap<usize, &str> = preprocessor.plain_columns().collect();
    // Features stand in the order of the columns that they are made of.
    let columns = preprocessor.report().columns.iter();
    let owners = columns.flat_map(|column| column.features.iter().map(|_| &*column.column));
    let (mut ours, mut taken) = (Vec::new(), BTreeSet::new());
    for (place, (spec, column)) in specs.iter_mut().zip(owners).enumerate() {
        let of_set = features.spec(column);
        let Some(of_set) = of_set else {
            taken.insert(Arc::clone(&spec.name));
            continue;
        };
        ours.push(place);
        let plain = plain.get(&place).is_some_and(|name| *name == column);
        *spec = if plain {
            of_set.clone().with_nullable(spec.nullable)
        } else {
            let own = |text: &str| text.replacen(column, &of_set.name, 1);
            FeatureSpec {
                name: Arc::from(own(&spec.name)),
                description: own(&spec.description),
                ..spec.clone()
            }
        };
    }
    for place in ours {
        let name = Arc::clone(&specs[place].name);
        let mut number = 1;
        while !taken.insert(Arc::clone(&specs[place].name)) {
            number += 1;
            specs[place].name = Arc::from(format!("{name}_{number}"));
        }
    }
    Schema::new(specs)
}

fn joined_name(feature: &str) -> String {
    format!("{PREFIX}{feature}")
}
