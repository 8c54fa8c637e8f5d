//! A source under the roles that the user gave to its columns, and one that tells how far it was read.

use crate::model::with_roles;
use dafu_core::table::Chunks;
use dafu_core::{Column, Progress, Role, SourceError, Table, TableSource};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

/// A source under the user's roles.
pub(crate) struct Tagged<'a> {
    pub(crate) source: &'a dyn TableSource,
    pub(crate) roles: &'a BTreeMap<String, Role>,
    /// Whether the label column is left out.
    pub(crate) without_labels: bool,
    /// Set when a label is seen.
    pub(crate) labelled: Cell<bool>,
}

impl Tagged<'_> {
    fn retag<'t>(&self, table: Cow<'t, Table>) -> Result<Cow<'t, Table>, SourceError> {
        let mut roles = self.roles.clone();
        if self.without_labels {
            let is_label = |column: &&Column| {
                self.roles.get(&*column.name).unwrap_or(&column.role) == &Role::Label
            };
            let labels = table.columns().iter().filter(is_label);
            roles.extend(labels.map(|column| (column.name.to_string(), Role::Ignore)));
        }
        let tagged = if roles.is_empty() {
            table
        } else {
            let tagged = with_roles(&table, &roles).map_err(SourceError::new)?;
            Cow::Owned(tagged.into_owned())
        };
        if !self.labelled.get() {
            let labels = tagged.by_role(Role::Label).and_then(Column::labels);
            let mut labels = labels.unwrap_or_default().iter();
            self.labelled
                .set(labels.any(|label| label.known().is_some()));
        }
        Ok(tagged)
    }
}

impl TableSource for Tagged<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let chunks = self.source.chunks()?;
        Ok(Box::new(chunks.map(|chunk| self.retag(chunk?))))
    }

    fn rows_hint(&self) -> Option<u64> {
        self.source.rows_hint()
    }
}

/// A source that tells how far it has been read.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) source: &'a dyn TableSource,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) step: &'static str,
}

impl TableSource for Told<'_> {
    fn chunks(&self) -> Result<Chunks<'_>, SourceError> {
        let total = self.source.rows_hint();
        let mut done = 0;
        let chunks = self.source.chunks()?.inspect(move |chunk| {
            if let Ok(table) = chunk {
                done += table.rows() as u64;
                self.progress.report(self.step, done, total);
            }
        });
        Ok(Box::new(chunks))
    }

    fn rows_hint(&self) -> Option<u64> {
        self.source.rows_hint()
    }
}
