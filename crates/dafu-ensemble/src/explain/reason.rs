//! From contributions of columns to reasons by group.

use crate::EnsembleError;
use crate::samples::check_length;

/// What one group of columns has to do with a suspicion.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GroupReason<G> {
    /// The group.
    pub group: G,
    /// Its part of all contributions towards suspicion, above 0 and at most 1.
    pub share: f64,
    /// The sum of its contributions, those against suspicion as well.
    pub contribution: f64,
    /// The column of the group that contributes most.
    pub column: usize,
    /// The value of that column; NaN is missing.
    pub value: f64,
}

/// Reasons by group, the strongest first: groups with columns that made the row suspicious.
///
/// A share counts what speaks for fraud only, so that shares sum to 1 and a group does not lose its reason to a column of the
/// same group that speaks against it. Without any such column there is no reason. Groups with the same share keep the order of
/// their first columns, and of equal columns the first is named.
///
/// Shapes: one entry a column in all slices: contributions as [`dafu_core::Explain`] or the leaves of a model give them, positive
/// towards suspicion; the group of the column, any name; the value of the row.
///
/// # Errors
///
/// Slices of different lengths, a contribution that is not finite (its column is named as the row).
///
/// # Complexity
///
/// O(d g) for d columns in g groups.
///
/// # Examples
///
/// ```
/// use dafu_ensemble::explain::group_reasons;
///
/// let reasons = group_reasons(&[0.5, 2.0, 1.5, -1.0], &["amount", "place", "amount", "place"], &[120.0, 812.0, 3.0, 0.0])?;
/// assert_eq!((reasons[0].group, reasons[0].share, reasons[0].column), ("amount", 0.5, 2));
/// assert_eq!((reasons[1].group, reasons[1].contribution, reasons[1].value), ("place", 1.0, 812.0));
/// # Ok::<(), dafu_ensemble::EnsembleError>(())
/// ```
pub fn group_reasons<G: Clone + PartialEq>(
    contributions: &[f64],
    groups: &[G],
    values: &[f64],
) -> Result<Vec<GroupReason<G>>, EnsembleError> {
    check_length("groups", contributions.len(), groups.len())?;
    check_length("values", contributions.len(), values.len())?;
    let mut reasons: Vec<(GroupReason<G>, f64)> = Vec::new();
    let columns = contributions.iter().zip(groups.iter().zip(values));
    for (column, (contribution, (group, value))) in columns.enumerate() {
        if !contribution.is_finite() {
            return Err(EnsembleError::RowOutOfRange {
                what: "the contribution",
                row: column,
                expected: "finite",
                got: *contribution,
            });
        }
        let support = contribution.max(0.0);
        let known = reasons
            .iter_mut()
            .find(|(reason, _)| reason.group == *group);
        if let Some((reason, most)) = known {
            reason.share += support;
            reason.contribution += contribution;
            if contribution > most {
                *most = *contribution;
                (reason.column, reason.value) = (column, *value);
            }
            continue;
        }
        let reason = GroupReason {
            group: group.clone(),
            share: support,
            contribution: *contribution,
            column,
            value: *value,
        };
        reasons.push((reason, *contribution));
    }
    let mut reasons: Vec<_> = reasons.into_iter().map(|(reason, _)| reason).collect();
    reasons.retain(|reason| reason.share > 0.0);
    let total: f64 = reasons.iter().map(|reason| reason.share).sum();
    for reason in &mut reasons {
        reason.share /= total;
    }
    reasons.sort_by(|one, two| two.share.total_cmp(&one.share));
    Ok(reasons)
}
