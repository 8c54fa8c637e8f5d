//! The windows that rules ask for, as features.

use super::NamedWindow;
use crate::PipelineError;
use dafu_core::{Column, Role, TableSource, WindowProvider, WindowRequest};
use dafu_features::{Feature, FeatureEngine, FeatureSet, RecordKind, Window};
use dafu_rules::{Condition, RuleSet};
use std::collections::BTreeSet;

/// The set of features that was asked for, and the conditions of rules whose windows join it.
#[derive(Debug)]
pub(crate) struct RuleWindows {
    set: Option<FeatureSet>,
    conditions: Vec<Condition>,
}

impl RuleWindows {
    pub(crate) fn new<'a>(
        set: Option<FeatureSet>,
        rules: impl Iterator<Item = &'a RuleSet>,
    ) -> Self {
        let conditions = rules.flat_map(super::conditions).collect();
        Self { set, conditions }
    }

    /// The set with the windows, and the features that hold them.
    ///
    /// # Errors
    ///
    /// For windows that no set of features can hold.
    pub(crate) fn joined(&self) -> Result<(Option<FeatureSet>, Vec<NamedWindow>), PipelineError> {
        self.joined_beside(&BTreeSet::new())
    }

    /// The set for a history: a column called like a window is meant by the name, so that the window need not join.
    ///
    /// # Errors
    ///
    /// When the history cannot be read.
    pub(crate) fn of_history(
        &self,
        history: &dyn TableSource,
    ) -> Result<Option<FeatureSet>, PipelineError> {
        if self.conditions.is_empty() {
            return Ok(self.set.clone());
        }
        let mut columns = BTreeSet::new();
        if let Some(table) = history.chunks()?.next() {
            let table = table?;
            // Others become no feature of that name.
            let is_number = |column: &&Column| {
                column.numbers().is_some() && !matches!(column.role, Role::Ignore | Role::Label)
            };
            let found = table.columns().iter().filter(is_number);
            columns.extend(found.map(|column| column.name.to_string()));
        }
        Ok(self.joined_beside(&columns)?.0)
    }

    fn joined_beside(
        &self,
        columns: &BTreeSet<String>,
    ) -> Result<(Option<FeatureSet>, Vec<NamedWindow>), PipelineError> {
        let features = self.set.as_ref().map(|set| set.features.as_slice());
        let features = features.unwrap_or_default().iter();
        let mut known: BTreeSet<String> = features.map(Feature::full_name).collect();
        known.extend(columns.iter().cloned());
        let (mut set, mut named) = (self.set.clone(), Vec::new());
        // Calls come first: what their features are called does not depend on columns.
        let calls = requests(&self.conditions, &|_| true);
        for request in calls
            .into_iter()
            .chain(requests(&self.conditions, &|name| known.contains(name)))
        {
            if named.iter().all(|(other, _)| *other != request) {
                let name = join(&mut set, &request)?;
                named.push((request, name));
            }
        }
        Ok((set, named))
    }
}

/// Those of some windows that a set of rules may ask for.
pub(crate) fn windows_of(set: &RuleSet, named: &[NamedWindow]) -> Vec<NamedWindow> {
    let conditions: Vec<Condition> = super::conditions(set).collect();
    let asked = requests(&conditions, &|_| false);
    let named = named.iter().filter(|(request, _)| asked.contains(request));
    named.cloned().collect()
}

/// The windows of conditions; a name that stands for one does so unless it is known.
fn requests(conditions: &[Condition], is_known: &dyn Fn(&str) -> bool) -> Vec<WindowRequest> {
    let windows = conditions
        .iter()
        .flat_map(|condition| condition.windows(is_known));
    windows.collect()
}

/// The name of the feature that answers a request; it joins the set where no feature does.
fn join(set: &mut Option<FeatureSet>, request: &WindowRequest) -> Result<String, PipelineError> {
    let window = Window::try_from(request)?;
    let asked = set.take();
    let asked = asked.unwrap_or_else(|| FeatureSet::new(RecordKind::Transaction).feature(window));
    let mut engine = FeatureEngine::new(&asked)?;
    let slot = engine.prepare(request)?;
    let joined = engine.set().clone();
    let name = joined.features.get(slot).map(Feature::full_name);
    *set = Some(joined);
    Ok(name.unwrap_or_default())
}
