//! Rules that decide on what the stages found out.

use super::{NamedWindow, RuleRows};
use crate::PipelineError;
use dafu_core::{Assessment, Evidence, Schema, Transaction};
use dafu_rules::{Action, Conflict, RuleError, RuleSet};

/// Rules over features, records, the risk and the scores of stages.
#[derive(Debug)]
pub(crate) struct PolicyRules {
    rows: RuleRows,
    set: RuleSet,
    windows: Vec<NamedWindow>,
}

/// What the score of a stage is called.
fn score_name(stage: &str) -> String {
    format!("{stage}_score")
}

impl PolicyRules {
    pub(crate) fn new<'a>(
        set: RuleSet,
        features: &Schema,
        stages: impl Iterator<Item = &'a str>,
        windows: Vec<NamedWindow>,
    ) -> Result<Self, RuleError> {
        let scores = stages.map(score_name);
        let further: Vec<String> = std::iter::once("risk_score".to_owned())
            .chain(scores)
            .collect();
        let rows = RuleRows::new(&set, features, &further, &windows)?;
        Ok(Self { rows, set, windows })
    }

    pub(crate) const fn needs_records(&self) -> bool {
        self.rows.needs_records()
    }

    pub(crate) const fn parts(&self) -> (&RuleSet, &Vec<NamedWindow>) {
        (&self.set, &self.windows)
    }

    /// Decides about an event. Whatever rules want, their reasons come first; they explain the decision, not the risk.
    pub(crate) fn decide(
        &self,
        assessment: &mut Assessment,
        features: &[f64],
        transaction: Option<&Transaction>,
    ) -> Result<(), PipelineError> {
        let scores = assessment
            .evidence
            .iter()
            .map(|found: &Evidence| found.score.get());
        let further: Vec<f64> = std::iter::once(assessment.risk_score.get())
            .chain(scores)
            .collect();
        let (report, mut reasons) = self
            .rows
            .evaluate((features, &further), transaction, true)?;
        if report.decided_by.is_some() {
            let wanted = report.action.decision();
            let approves = report.action == Action::Approve;
            assessment.decision = match self.set.conflict {
                Conflict::First => wanted,
                Conflict::ApproveOverrides if approves => wanted,
                _ => assessment.decision.max(wanted),
            };
        }
        for reason in &mut reasons {
            reason.contribution = 0.0;
        }
        reasons.append(&mut assessment.reasons);
        assessment.reasons = reasons;
        assessment
            .rules
            .extend(self.rows.engine().named_outcomes(&report));
        assessment.rule_set_hash = Some(report.rule_set_hash);
        Ok(())
    }
}
