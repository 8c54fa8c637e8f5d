//! Rule sets that were checked, over the rows of a schema.

mod explain;
mod missing;
mod report;

use crate::check::check;
use crate::language::{ConditionError, Diagnostic};
use crate::program::{Logic, Predicates, Row, Truth, Undecided, Ways};
use crate::ruleset::{
    Conflict, Lists, ListsAt, MOST_RULES, OnMissing, Rule, RuleSet, RuleState, Shown, Suppressions,
    Template, wrong,
};
use crate::{Action, Condition, RuleError, RuleSchema};
use dafu_core::{Decision, EntityId, EntityKey, RuleOutcome, Timestamp, WindowRequest};
pub use explain::{ConditionPart, Joint, Margin, MarginKind, RuleExplanation};
pub use missing::{MissingCause, MissingValue};
pub use report::RuleReport;
use std::collections::BTreeSet;

/// When an event happens, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The time of the event: lists and dates of rules are looked at as of then.
    pub at: Timestamp,
    /// Who takes part: rules may be silenced for one of them.
    pub entities: &'a [EntityKey],
    /// Rules that are silenced, beside those that the set silences.
    pub suppressions: Option<&'a Suppressions>,
}

impl<'a> Moment<'a> {
    /// A moment of which nothing else is known.
    pub const fn at(at: Timestamp) -> Self {
        Self {
            at,
            entities: &[],
            suppressions: None,
        }
    }

    /// The same moment, with those who take part: the set may silence rules for one of them.
    #[must_use]
    pub const fn entities(mut self, entities: &'a [EntityKey]) -> Self {
        self.entities = entities;
        self
    }

    /// The same moment, in which rules may be silenced for these entities.
    #[must_use]
    pub const fn suppressed(
        mut self,
        suppressions: &'a Suppressions,
        entities: &'a [EntityKey],
    ) -> Self {
        self.entities = entities;
        self.suppressions = Some(suppressions);
        self
    }
}

/// A rule that was checked.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) rule: Rule,
    /// Its id, as reports name it.
    pub(crate) name: EntityId,
    pub(crate) code: EntityId,
    pub(crate) condition: Condition,
    pub(crate) logic: Logic,
    reason: Template,
}

/// What of a rule is looked at for every event, apart from what is not.
#[derive(Debug, Clone, Copy)]
struct Running {
    /// In force from the first moment to the last, both included; never where the first is later.
    from: Timestamp,
    last: Timestamp,
    on_missing: OnMissing,
    shadow: bool,
    /// What becomes of it where its condition does not hold, and where it does.
    outcomes: [RuleOutcome; 2],
    /// How strict its action is among those of the set.
    strictness: u32,
    /// Its place by falling priority.
    rank: u32,
    approves: bool,
    score: f64,
    weight: f64,
}

impl Running {
    /// What becomes of it where its condition says that.
    fn outcome(&self, truth: Truth, at: Timestamp) -> RuleOutcome {
        let fires = match (truth, self.on_missing) {
            _ if at < self.from || self.last < at => return RuleOutcome::Inactive,
            (Truth::Unknown, OnMissing::Fire) | (Truth::True, _) => true,
            (Truth::Unknown, _) => return RuleOutcome::NotEvaluated,
            (Truth::False, _) => false,
        };
        self.outcomes[usize::from(fires)]
    }
}

/// The first and the last moment in which a rule is in force.
fn in_force(rule: &Rule) -> (Timestamp, Timestamp) {
    let never = (Timestamp::MAX, Timestamp::MIN);
    if !matches!(rule.state, RuleState::Active | RuleState::Shadow) {
        return never;
    }
    let from = rule.effective_from.unwrap_or(Timestamp::MIN);
    match rule.effective_until {
        None => (from, Timestamp::MAX),
        // Before the first moment there is none.
        Some(until) => match Timestamp::from_micros(until.as_micros() - 1) {
            Ok(last) => (from, last),
            Err(_) => never,
        },
    }
}

fn running(rules: &[Compiled]) -> Vec<Running> {
    let actions: BTreeSet<&Action> = rules.iter().map(|compiled| &compiled.rule.action).collect();
    let running = |compiled: &Compiled| {
        let rule = &compiled.rule;
        let (from, last) = in_force(rule);
        let shadow = rule.state == RuleState::Shadow;
        let strictness = actions.iter().position(|action| **action == rule.action);
        Running {
            from,
            last,
            on_missing: rule.when_missing(),
            shadow,
            outcomes: match rule.state {
                RuleState::Shadow => [RuleOutcome::NotFired, RuleOutcome::Shadow],
                _ => [RuleOutcome::NotFired, RuleOutcome::Fired],
            },
            rank: 0,
            strictness: u32::try_from(strictness.unwrap_or(0)).unwrap_or(u32::MAX),
            approves: rule.action == Action::Approve,
            score: rule.risk_score,
            weight: rule.weight,
        }
    };
    let mut all: Vec<Running> = rules.iter().map(running).collect();
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(rules[*place].rule.priority));
    for (rank, place) in order.into_iter().enumerate() {
        all[place].rank = u32::try_from(rank).unwrap_or(u32::MAX);
    }
    all
}

/// A rule set over the rows of a schema. Immutable: it can be shared by threads.
#[derive(Debug, Clone)]
pub struct RuleEngine {
    set: RuleSet,
    hash: u64,
    rules: Vec<Compiled>,
    warnings: Vec<ConditionError>,
    predicates: Predicates,
    ways: Ways,
    running: Vec<Running>,
    lists: Lists,
    suppressions: Suppressions,
    schema: RuleSchema,
    /// Variables, then windows.
    shown: Vec<Shown>,
    slots: (usize, usize),
}

impl RuleEngine {
    pub(crate) fn new(set: &RuleSet, schema: &RuleSchema) -> Result<Self, RuleError> {
        if set.rules.len() > MOST_RULES {
            return Err(RuleError::TooManyRules {
                most: MOST_RULES,
                got: set.rules.len(),
            });
        }
        let mut errors = Vec::new();
        let schema = set.joined(schema, &mut errors);
        let mut ids = BTreeSet::new();
        let mut predicates = Predicates::default();
        let mut checked = Vec::with_capacity(set.rules.len());
        let (mut conditions, mut warnings) = (Vec::new(), Vec::new());
        for rule in &set.rules {
            if !ids.insert(rule.id.as_str()) {
                let why = "the id stands twice; give each rule one of its own";
                errors.push(wrong(rule, why));
            }
            let names = rule.check();
            let found = compile(rule, &schema, &mut predicates);
            let reason = template(rule, &schema, &predicates);
            match (names, found, reason) {
                (Ok(names), Ok((condition, logic, found)), Ok(reason)) => {
                    if !found.is_empty() {
                        warnings.push(ConditionError::new(&rule.condition, found).titled(&rule.id));
                    }
                    checked.push((rule, names, condition, logic, reason));
                }
                (names, Ok(_), reason) => errors.extend(names.err().or(reason.err())),
                // A reason may name windows of the condition.
                (names, Err(error), _) => {
                    errors.extend(names.err());
                    conditions.push(error.titled(&rule.id));
                }
            }
        }
        if !conditions.is_empty() {
            errors.push(RuleError::Conditions(conditions));
        }
        RuleError::all(errors)?;
        let mut ways = Ways::default();
        let rules: Vec<Compiled> = checked
            .into_iter()
            .map(|(rule, (name, code), condition, logic, reason)| {
                ways.add(&logic, predicates.all());
                Compiled {
                    rule: rule.clone(),
                    name,
                    code,
                    condition,
                    logic,
                    reason,
                }
            })
            .collect();
        let running = running(&rules);
        Ok(Self {
            hash: set.hash(),
            rules,
            warnings,
            slots: (
                schema.number_slots() + predicates.windows().len(),
                schema.text_slots(),
            ),
            shown: shown(&schema, predicates.windows()),
            schema,
            predicates,
            running,
            ways,
            lists: Lists::new(&set.lists),
            suppressions: Suppressions::new(&set.suppressions),
            set: set.clone(),
        })
    }

    /// The set as it was given.
    pub const fn rule_set(&self) -> &RuleSet {
        &self.set
    }

    /// The schema against which the set was checked, with its lists, and with its currency where the schema had none.
    pub const fn schema(&self) -> &RuleSchema {
        &self.schema
    }

    /// Identity of the set, [`RuleSet::hash`].
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Conditions that can be used, but hardly mean what they say.
    pub fn warnings(&self) -> &[ConditionError] {
        &self.warnings
    }

    /// Windows whose values stand behind the numbers of the schema, in this order: ask a
    /// [`WindowProvider`](dafu_core::WindowProvider) for them.
    pub fn windows(&self) -> &[WindowRequest] {
        self.predicates.windows()
    }

    /// Numbers and texts of a row, windows included.
    pub const fn slots(&self) -> (usize, usize) {
        self.slots
    }

    /// The place of a rule.
    ///
    /// # Errors
    ///
    /// [`RuleError::UnknownRule`] where no rule has this id.
    pub fn place(&self, id: &str) -> Result<usize, RuleError> {
        let place = self
            .rules
            .iter()
            .position(|compiled| compiled.rule.id == id);
        place.ok_or_else(|| RuleError::UnknownRule { id: id.into() })
    }

    /// What the rules say about an event. O(tests); allocates the report.
    ///
    /// # Errors
    ///
    /// [`RuleError::Row`] for a row of another size, [`RuleError::Missing`] where a rule with a say does not allow missing
    /// values and is not silenced.
    pub fn evaluate(&self, row: Row<'_>, moment: &Moment<'_>) -> Result<RuleReport, RuleError> {
        let mut report = RuleReport::default();
        self.evaluate_into(row, moment, &mut report)?;
        Ok(report)
    }

    /// [`evaluate`](Self::evaluate) into a report that is used again: no allocation once it was as large.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate); the report then says nothing.
    pub fn evaluate_into(
        &self,
        row: Row<'_>,
        moment: &Moment<'_>,
        report: &mut RuleReport,
    ) -> Result<(), RuleError> {
        report.clear();
        row.check(self.slots)?;
        report.at = moment.at;
        report.fired.resize(self.running.len(), 0);
        let mut fired = 0;
        for (place, running) in self.running.iter().enumerate() {
            let in_force = running.from <= moment.at && moment.at <= running.last;
            let outcome = if in_force {
                match self.ways.quick(place, row) {
                    Ok(holds) => running.outcomes[usize::from(holds)],
                    Err(undecided) => match self.slow_outcome((place, undecided), row, moment) {
                        Ok(outcome) => outcome,
                        Err(error) => {
                            report.clear();
                            return Err(error);
                        }
                    },
                }
            } else {
                RuleOutcome::Inactive
            };
            report.outcomes.push(outcome);
            // Written in any case, and kept if it counts: which rules fire is not to be guessed.
            report.fired[fired] = place;
            fired += usize::from(outcome == RuleOutcome::Fired);
        }
        report.fired.truncate(fired);
        if !moment.entities.is_empty() {
            self.suppress(moment, report);
        }
        self.combine(report);
        Ok(())
    }

    /// What becomes of a rule of which numbers alone do not tell.
    #[inline(never)]
    fn slow_outcome(
        &self,
        (place, undecided): (usize, Undecided),
        row: Row<'_>,
        moment: &Moment<'_>,
    ) -> Result<RuleOutcome, RuleError> {
        let running = &self.running[place];
        let lists = &ListsAt(&self.lists, moment.at);
        if let Some(holds) = self
            .ways
            .rest((place, undecided), row, self.predicates.all(), lists)
        {
            return Ok(running.outcomes[usize::from(holds)]);
        }
        let compiled = &self.rules[place];
        match (
            self.logic_truth(&compiled.logic, row, lists),
            running.on_missing,
        ) {
            (Truth::Unknown, OnMissing::Skip) => Ok(RuleOutcome::NotEvaluated),
            (Truth::Unknown, OnMissing::Error) if self.silences(compiled, moment) => {
                Ok(RuleOutcome::NotEvaluated)
            }
            (Truth::Unknown, OnMissing::Error) => Err(self.missing_error(compiled, row, moment.at)),
            (truth, _) => Ok(running.outcomes[usize::from(truth != Truth::False)]),
        }
    }

    /// Whether a rule is silenced for somebody who takes part.
    fn silences(&self, compiled: &Compiled, moment: &Moment<'_>) -> bool {
        let (entities, at) = (moment.entities, moment.at);
        let all = [Some(&self.suppressions), moment.suppressions];
        all.into_iter()
            .flatten()
            .any(|suppressions| suppressions.is_suppressed(&compiled.rule.id, entities, at))
    }

    fn suppress(&self, moment: &Moment<'_>, report: &mut RuleReport) {
        for (compiled, outcome) in self.rules.iter().zip(&mut report.outcomes) {
            let spoke = matches!(outcome, RuleOutcome::Fired | RuleOutcome::Shadow);
            if spoke && self.silences(compiled, moment) {
                *outcome = RuleOutcome::Suppressed;
            }
        }
        let outcomes = &report.outcomes;
        report
            .fired
            .retain(|place| outcomes.get(*place) == Some(&RuleOutcome::Fired));
    }

    /// Score and action of the rules that fired.
    fn combine(&self, report: &mut RuleReport) {
        let fired = report.fired.iter().map(|place| &self.running[*place]);
        let weight = || {
            let all = self.running.iter().zip(&report.outcomes);
            let voters = all.filter(|(running, outcome)| {
                let said = matches!(outcome, RuleOutcome::Fired | RuleOutcome::NotFired);
                !running.shadow && said
            });
            voters.map(|(running, _)| running.weight).sum()
        };
        let scores = fired.map(|running| (running.score, running.weight));
        let risk_score = self.set.combination.score(scores, weight);
        let mut decided: Option<usize> = None;
        for place in &report.fired {
            let wins = decided.is_none_or(|before: usize| self.wins(*place, before));
            if wins {
                decided = Some(*place);
            }
        }
        report.decided_by = decided;
        report.action = decided.map_or(Action::Approve, |place| {
            self.rules[place].rule.action.clone()
        });
        report.risk_score = risk_score;
        report.band = self.set.bands.band(risk_score);
        report.rule_set_hash = self.hash;
    }

    /// The decision that the rules that fired ask for; `None` where none did. Of several the strictest counts, unless the
    /// set says otherwise ([`Conflict`]). Actions of other names are a review where nothing else was asked for, and
    /// nothing beside others.
    pub fn decision(&self, report: &RuleReport) -> Option<Decision> {
        let action = |place: usize| &self.rules[place].rule.action;
        let known = report
            .fired()
            .filter(|place| !matches!(action(*place), Action::Custom(_)));
        let decides = match self.set.conflict {
            Conflict::First => known.min_by_key(|place| self.running[*place].rank),
            Conflict::ApproveOverrides if report.action == Action::Approve => report.decided_by,
            _ => known.max_by_key(|place| action(*place).decision()),
        };
        let decision = decides.map(|place| action(place).decision());
        let unknown = (report.fired().len() > 0).then_some(Decision::Review);
        decision.or(unknown)
    }

    /// Whether the action of a rule that fired counts more than that of another.
    pub(crate) fn wins(&self, place: usize, before: usize) -> bool {
        let (running, before) = (&self.running[place], &self.running[before]);
        let earlier = running.rank < before.rank;
        let stricter = (running.strictness, before.rank) > (before.strictness, running.rank);
        match self.set.conflict {
            Conflict::First => earlier,
            Conflict::Strictest => stricter,
            Conflict::ApproveOverrides if running.approves == before.approves => stricter,
            Conflict::ApproveOverrides => running.approves,
        }
    }

    /// A whole condition, or a part of one, with missing values.
    fn logic_truth(&self, logic: &Logic, row: Row<'_>, lists: &ListsAt<'_>) -> Truth {
        let mut test = |place: usize| {
            let predicate = self.predicates.all().get(place);
            predicate.map_or(Truth::Unknown, |predicate| predicate.truth(row, lists))
        };
        logic.truth(&mut test)
    }

    /// Whether the condition of a rule holds, whatever its state, by walking its tree: what jumps and batches are checked
    /// against.
    ///
    /// # Errors
    ///
    /// [`RuleError::UnknownRule`] where no rule has this id, [`RuleError::Row`] for a row of another size.
    pub fn truth_by_tree(&self, id: &str, row: Row<'_>, at: Timestamp) -> Result<Truth, RuleError> {
        row.check(self.slots)?;
        let compiled = &self.rules[self.place(id)?];
        Ok(self.logic_truth(&compiled.logic, row, &ListsAt(&self.lists, at)))
    }

    /// Variables and windows that a rule reads.
    pub(crate) fn variables<'a>(&'a self, compiled: &Compiled) -> Vec<&'a Shown> {
        let mut read = BTreeSet::new();
        compiled.logic.for_tests(&mut |place, _| {
            if let Some(predicate) = self.predicates.all().get(place) {
                predicate.for_slots(&mut |slot| {
                    read.insert(slot);
                });
            }
        });
        self.shown
            .iter()
            .filter(|shown| read.contains(&shown.slot()))
            .collect()
    }

    pub(crate) fn rules(&self) -> &[Compiled] {
        &self.rules
    }

    pub(crate) const fn predicates(&self) -> &Predicates {
        &self.predicates
    }

    pub(crate) const fn lists(&self) -> &Lists {
        &self.lists
    }
}

/// Variables, then windows, as people see them.
fn shown(schema: &RuleSchema, windows: &[WindowRequest]) -> Vec<Shown> {
    let variables = schema.slots();
    let variables = variables.map(|(variable, slot)| Shown::new(variable, slot));
    let slots = schema.number_slots()..;
    let windows = windows.iter().zip(slots);
    let windows = windows.map(|(window, slot)| Shown::window(window, slot));
    variables.chain(windows).collect()
}

fn template(
    rule: &Rule,
    schema: &RuleSchema,
    predicates: &Predicates,
) -> Result<Template, RuleError> {
    match &rule.reason {
        None => Ok(Template::plain(&rule.condition)),
        Some(text) => Template::parse(text, schema, predicates.windows())
            .map_err(|why| wrong(rule, format!("`reason`: {why}"))),
    }
}

fn compile(
    rule: &Rule,
    schema: &RuleSchema,
    predicates: &mut Predicates,
) -> Result<(Condition, Logic, Vec<Diagnostic>), ConditionError> {
    let condition = Condition::parse(&rule.condition)?;
    let checked = check(condition.expr(), schema, predicates);
    let checked = checked.map_err(|found| ConditionError::new(&rule.condition, found))?;
    Ok((condition, checked.logic, checked.warnings))
}
