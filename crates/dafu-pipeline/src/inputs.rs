//! From records to rows of features: the preprocessor, with the set of features beside the columns of the source.

use crate::PipelineError;
use crate::features::{Features, joined_schema};
use dafu_core::table::ColumnData;
use dafu_core::{Column, CoreError, Dataset, Role, Schema, SchemaHash, Table, Transaction};
use dafu_features::Preprocessor;
use std::sync::Arc;

/// How records become rows of features.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) preprocessor: Preprocessor,
    /// The features that the stages see: those of the preprocessor, under the names of the set where they are its.
    pub(crate) schema: Arc<Schema>,
    pub(crate) schema_hash: SchemaHash,
    /// Names and roles of the columns of the source that the preprocessor reads.
    source: Vec<(Arc<str>, Role)>,
    /// What the preprocessor reads, in its order: a column of the source by its place among these, or a feature of the
    /// set by its place there.
    order: Vec<InputColumn>,
}

#[derive(Debug, Clone)]
enum InputColumn {
    Source(usize),
    Set(usize, Arc<str>),
}

impl Inputs {
    pub(crate) fn new(
        preprocessor: Preprocessor,
        features: Option<&Features>,
    ) -> Result<Self, CoreError> {
        let schema = match features {
            Some(features) => Arc::new(joined_schema(&preprocessor, features)?),
            None => Arc::clone(preprocessor.schema()),
        };
        let (mut source, mut order) = (Vec::new(), Vec::new());
        for (name, role) in preprocessor.inputs() {
            let name = Arc::from(name);
            if let Some(place) = features.and_then(|features| features.place(&name)) {
                order.push(InputColumn::Set(place, name));
            } else {
                order.push(InputColumn::Source(source.len()));
                source.push((name, role));
            }
        }
        Ok(Self {
            preprocessor,
            schema_hash: schema.hash(),
            schema,
            source,
            order,
        })
    }

    /// The columns of the source, for one event.
    pub(crate) fn source_table(&self, transaction: &Transaction) -> Table {
        let columns = self.source.iter().map(|(name, role)| (name, *role));
        Table::from_transactions_like(columns, std::slice::from_ref(transaction))
    }

    /// The features of one event from the columns of the source and the features of the set.
    pub(crate) fn row(
        &self,
        source: &Table,
        of_set: Option<&[f64]>,
    ) -> Result<Vec<f64>, PipelineError> {
        let mut row = vec![0.0; self.schema.width()];
        let Some(of_set) = of_set else {
            self.preprocessor.transform_row(source, 0, &mut row)?;
            return Ok(row);
        };
        let columns = self.order.iter().map(|input| match input {
            InputColumn::Source(place) => source.columns()[*place].clone(),
            InputColumn::Set(place, name) => Column {
                name: Arc::clone(name),
                role: Role::Numeric,
                data: ColumnData::Number(vec![of_set[*place]]),
            },
        });
        let table = Table::new(columns.collect(), vec![1])?;
        self.preprocessor.transform_row(&table, 0, &mut row)?;
        Ok(row)
    }
}

/// A dataset under the names of another schema of its width.
pub(crate) fn renamed(dataset: &Dataset, schema: &Arc<Schema>) -> Result<Dataset, PipelineError> {
    let mut renamed = Dataset::new(Arc::clone(schema), dataset.values().to_owned())?;
    if let Some(labels) = dataset.labels() {
        renamed = renamed.with_labels(labels.to_vec())?;
    }
    if let Some(times) = dataset.times() {
        renamed = renamed.with_times(times.to_vec())?;
    }
    if let Some(groups) = dataset.groups() {
        renamed = renamed.with_groups(groups.to_vec())?;
    }
    Ok(renamed)
}
