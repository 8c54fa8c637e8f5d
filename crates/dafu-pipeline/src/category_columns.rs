//! Which columns of a feature row hold categories.

use dafu_core::{FeatureType, Schema};

/// Columns of categories: those given, or else all that the schema says are categories of at most so many levels.
pub(crate) fn category_columns(given: &[usize], schema: &Schema, most_levels: usize) -> Vec<usize> {
    if !given.is_empty() {
        return given.to_vec();
    }
    let features = schema.features().iter().enumerate();
    let categories = features.filter(|(_, feature)| match &feature.feature_type {
        FeatureType::Category { levels } => levels.len() <= most_levels,
        _ => false,
    });
    categories.map(|(column, _)| column).collect()
}
