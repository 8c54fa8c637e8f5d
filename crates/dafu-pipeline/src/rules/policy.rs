//! Rules that decide on what the stages found out.

use super::{NamedWindow, RuleRows};
use crate::PipelineError;
use dafu_core::{Assessment, Decision, Evidence, Schema, Transaction};
use dafu_rules::{Conflict, Row, RuleEngine, RuleError, RuleReport, RuleSet};

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

    /// Decides about an event, and gives the hash of the rules. Whatever rules want, their reasons come first; they explain
    /// the decision, not the risk.
    pub(crate) fn decide(
        &self,
        assessment: &mut Assessment,
        features: &[f64],
        transaction: Option<&Transaction>,
    ) -> Result<Option<u64>, PipelineError> {
        let scores = assessment
            .evidence
            .iter()
            .map(|found: &Evidence| found.score.get());
        let further: Vec<f64> = std::iter::once(assessment.risk_score.get())
            .chain(scores)
            .collect();
        let said = |engine: &RuleEngine, row: Row<'_>, report: RuleReport| {
            let reasons = engine.reasons(row, &report);
            (
                engine.decision(&report),
                reasons,
                engine.record(row, &report),
            )
        };
        let (wanted, mut reasons, record) =
            self.rows
                .evaluate((features, &further), transaction, said)?;
        if let Some(wanted) = wanted {
            let approves = wanted == Decision::Approve;
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
        assessment.rules.extend(record.outcomes);
        assessment.missing.extend(record.missing);
        Ok(record.rule_set_hash)
    }
}
