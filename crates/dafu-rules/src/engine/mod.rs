//! Rule sets that were checked, over the rows of a schema.

mod explain;
mod report;

use crate::check::check;
use crate::language::{ConditionError, Diagnostic};
use crate::program::{Logic, Predicates, Row, Truth, Undecided, Ways};
use crate::ruleset::{
    Conflict, Lists, ListsAt, MOST_RULES, OnMissing, Rule, RuleSet, RuleState, Shown, Suppressions,
    Template,
};
use crate::schema::Slot;
use crate::{Action, Condition, RuleError, RuleSchema};
use dafu_core::{EntityId, EntityKey, RuleOutcome, Timestamp, WindowRequest};
pub use explain::{ConditionPart, Joint, Margin, MarginKind, RuleExplanation};
pub use report::RuleReport;
use std::collections::BTreeSet;

/// When an event happens, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The time of the event: lists and dates of rules are looked at as of then.
    pub at: Timestamp,
    /// Who takes part: rules may be silenced for one of them.
    pub entities: &'a [EntityKey],
    /// Rules that are silenced.
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
    /// In force from the first moment to before the second; never where the first is later.
    from: Timestamp,
    until: Timestamp,
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

fn running(rules: &[Compiled]) -> Vec<Running> {
    let actions: BTreeSet<&Action> = rules.iter().map(|compiled| &compiled.rule.action).collect();
    let running = |compiled: &Compiled| {
        let rule = &compiled.rule;
        let alive = matches!(rule.state, RuleState::Active | RuleState::Shadow);
        let strictness = actions.iter().position(|action| **action == rule.action);
        Running {
            from: if alive {
                rule.effective_from.unwrap_or(Timestamp::MIN)
            } else {
                Timestamp::MAX
            },
            // The last moment there is, is after all dates of rules.
            until: if alive {
                rule.effective_until.unwrap_or(Timestamp::MAX)
            } else {
                Timestamp::MIN
            },
            on_missing: rule.on_missing,
            shadow: rule.state == RuleState::Shadow,
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
        let schema = with_lists(set, schema)?;
        let mut ids = BTreeSet::new();
        let mut predicates = Predicates::default();
        let mut checked = Vec::with_capacity(set.rules.len());
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for rule in &set.rules {
            if !ids.insert(rule.id.as_str()) {
                return Err(wrong(
                    rule,
                    "the id stands twice; give each rule one of its own",
                ));
            }
            let names = check_fields(rule)?;
            let reason = template(rule, &schema)?;
            match compile(rule, &schema, &mut predicates) {
                Ok((condition, logic, found)) => {
                    if !found.is_empty() {
                        warnings.push(ConditionError::new(&rule.condition, found).titled(&rule.id));
                    }
                    checked.push((rule, names, condition, logic, reason));
                }
                Err(error) => errors.push(error.titled(&rule.id)),
            }
        }
        if !errors.is_empty() {
            return Err(RuleError::Conditions(errors));
        }
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
            predicates,
            running,
            ways,
            lists: Lists::new(&set.lists),
            shown: schema
                .slots()
                .map(|(variable, slot)| Shown::new(variable, slot))
                .collect(),
            set: set.clone(),
        })
    }

    /// The set as it was given.
    pub const fn rule_set(&self) -> &RuleSet {
        &self.set
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
    /// [`RuleError::Row`] for a row of another size, [`RuleError::Missing`] where a rule does not allow missing values.
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
        let lists = ListsAt(&self.lists, moment.at);
        report.fired.resize(self.running.len(), 0);
        let mut fired = 0;
        for (place, running) in self.running.iter().enumerate() {
            let in_force = running.from <= moment.at && moment.at < running.until;
            let outcome = if in_force {
                match self.ways.quick(place, row) {
                    Ok(holds) => running.outcomes[usize::from(holds)],
                    Err(undecided) => match self.slow_outcome((place, undecided), row, &lists) {
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
        if let Some(suppressions) = moment.suppressions {
            self.suppress(suppressions, moment, report);
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
        lists: &ListsAt<'_>,
    ) -> Result<RuleOutcome, RuleError> {
        let running = &self.running[place];
        if let Some(holds) = self
            .ways
            .rest((place, undecided), row, self.predicates.all(), lists)
        {
            return Ok(running.outcomes[usize::from(holds)]);
        }
        match (
            self.truth(&self.rules[place], row, lists),
            running.on_missing,
        ) {
            (Truth::Unknown, OnMissing::Skip) => Ok(RuleOutcome::NotEvaluated),
            (Truth::Unknown, OnMissing::Error) => Err(self.missing_error(&self.rules[place], row)),
            (truth, _) => Ok(running.outcomes[usize::from(truth != Truth::False)]),
        }
    }

    fn suppress(&self, suppressions: &Suppressions, moment: &Moment<'_>, report: &mut RuleReport) {
        for (compiled, outcome) in self.rules.iter().zip(&mut report.outcomes) {
            let spoke = matches!(outcome, RuleOutcome::Fired | RuleOutcome::Shadow);
            if spoke && suppressions.is_suppressed(&compiled.rule.id, moment.entities, moment.at) {
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
            let voters = all
                .filter(|(running, outcome)| !running.shadow && **outcome != RuleOutcome::Inactive);
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

    /// The whole condition, with missing values.
    fn truth(&self, compiled: &Compiled, row: Row<'_>, lists: &ListsAt<'_>) -> Truth {
        let mut test = |place: usize| {
            let predicate = self.predicates.all().get(place);
            predicate.map_or(Truth::Unknown, |predicate| predicate.truth(row, lists))
        };
        compiled.logic.truth(&mut test)
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
        Ok(self.truth(compiled, row, &ListsAt(&self.lists, at)))
    }

    /// Variables that a rule reads.
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

    pub(crate) fn missing_error(&self, compiled: &Compiled, row: Row<'_>) -> RuleError {
        RuleError::Missing {
            rule: compiled.rule.id.clone(),
            variable: self
                .missing_of(compiled, row)
                .into_iter()
                .next()
                .unwrap_or_default(),
        }
    }

    fn missing_of(&self, compiled: &Compiled, row: Row<'_>) -> Vec<String> {
        let shown = self
            .variables(compiled)
            .into_iter()
            .filter(|shown| shown.value(row).is_none());
        let mut names: Vec<String> = shown.map(|shown| shown.name.to_string()).collect();
        // Windows have no name but their call.
        let (numbers, _) = self.slots;
        let before = numbers - self.windows().len();
        let mut windows = BTreeSet::new();
        compiled.logic.for_tests(&mut |place, _| {
            let Some(predicate) = self.predicates.all().get(place) else {
                return;
            };
            predicate.for_slots(&mut |slot| {
                if let Slot::Number(slot) = slot
                    && slot >= before
                    && row.numbers.get(slot).is_none_or(|number| number.is_nan())
                {
                    windows.insert(slot - before);
                }
            });
        });
        let windows = windows
            .into_iter()
            .filter_map(|window| self.windows().get(window));
        names.extend(windows.map(crate::language::window_source));
        names
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

fn wrong(rule: &Rule, why: impl Into<String>) -> RuleError {
    RuleError::Rule {
        id: rule.id.clone(),
        why: why.into(),
    }
}

/// The schema with the lists of the set.
fn with_lists(set: &RuleSet, schema: &RuleSchema) -> Result<RuleSchema, RuleError> {
    let mut names = BTreeSet::new();
    let mut schema = schema.clone().without_lists();
    for list in &set.lists {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins = list
            .name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit());
        let wrong = |why| {
            Err(RuleError::List {
                name: list.name.clone(),
                why,
            })
        };
        if !begins || !list.name.bytes().all(letters) {
            return wrong("names are letters, digits and `_`, and do not begin with a digit");
        }
        if !names.insert(&list.name) {
            return wrong("the name stands twice");
        }
        schema = schema.list(list.name.as_str());
    }
    Ok(schema)
}

/// The name of a rule and the code of its reason.
fn check_fields(rule: &Rule) -> Result<(EntityId, EntityId), RuleError> {
    let name = EntityId::new(&rule.id).map_err(|error| wrong(rule, error.to_string()))?;
    let code = match &rule.reason_code {
        Some(code) => code.clone(),
        None => format!("rules.{}", rule.id),
    };
    let code = EntityId::new(code).map_err(|error| wrong(rule, error.to_string()))?;
    if !(0.0..=1.0).contains(&rule.risk_score) {
        let why = format!("`risk_score` must be from 0 to 1, got {}", rule.risk_score);
        return Err(wrong(rule, why));
    }
    if !(rule.weight.is_finite() && rule.weight >= 0.0) {
        return Err(wrong(
            rule,
            format!("`weight` must be a number from 0, got {}", rule.weight),
        ));
    }
    if let (Some(from), Some(until)) = (rule.effective_from, rule.effective_until)
        && from >= until
    {
        return Err(wrong(
            rule,
            "`effective_from` must be before `effective_until`",
        ));
    }
    Ok((name, code))
}

fn template(rule: &Rule, schema: &RuleSchema) -> Result<Template, RuleError> {
    match &rule.reason {
        None => Ok(Template::plain(&rule.condition)),
        Some(text) => {
            Template::parse(text, schema).map_err(|why| wrong(rule, format!("`reason`: {why}")))
        }
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
