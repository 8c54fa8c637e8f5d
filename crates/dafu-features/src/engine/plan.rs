//! A set, compiled: which tables and logs are kept, and what each feature reads.

use super::event::Layout;
use super::gate::Gate;
use super::hash::IdHasher;
use super::log_builder::LogBuilder;
use super::log_plan::LogPlan;
use crate::FeatureError;
use crate::measure::Calendar;
use crate::set::{
    Definition, Derived, EventFeature, Feature, FeatureSet, Field, Filter, Key, Labels, LatePolicy,
    Measure, Quantity, Window,
};
use dafu_core::{Schema, SchemaHash};
use std::sync::Arc;

/// A compiled set. Immutable and shared.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) set: FeatureSet,
    pub(crate) schema: Arc<Schema>,
    pub(crate) hash: SchemaHash,
    pub(crate) layout: Layout,
    pub(crate) hasher: IdHasher,
    pub(crate) tables: Vec<TablePlan>,
    pub(crate) events: Vec<(usize, EventPlan)>,
    pub(crate) derived: Vec<(usize, DerivedPlan)>,
    pub(crate) rules: Rules,
}

/// What every table needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) calendar: Calendar,
    /// Local time less UTC in microseconds.
    pub(crate) offset: i64,
    /// How late events are inserted.
    pub(crate) bound: i64,
    /// After which time labels on records are known; `None` where they are not read.
    pub(crate) known_after: Option<i64>,
    pub(crate) ttl: Option<i64>,
    pub(crate) most_events: u32,
}

/// One kind of entity.
#[derive(Debug)]
pub(crate) struct TablePlan {
    pub(crate) key: Key,
    /// Places of the key's fields among the codes; the second may be missing.
    pub(crate) codes: (usize, Option<usize>),
    pub(crate) logs: Vec<LogPlan>,
    pub(crate) reads: Vec<EntityRead>,
    /// Columns that this table writes, in the order of their places in its own part.
    pub(crate) columns: Vec<usize>,
    /// Whether many events of an entity can mostly be taken at once, see [`super::run`].
    pub(crate) runs: bool,
}

/// Where a number goes: its column in the row, and its place in the part of its table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) column: usize,
    pub(crate) part: usize,
}

/// A number that needs nothing but when an entity was first seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntityRead {
    pub(crate) target: Target,
    pub(crate) op: EntityOp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntityOp {
    IsNew,
    Age,
}

/// A fact of the event, with the places of what it reads.
#[derive(Debug, Clone)]
pub(crate) struct EventPlan {
    pub(crate) feature: EventFeature,
    /// Place of the quantity or field.
    pub(crate) place: usize,
    /// Limits in fixed point.
    pub(crate) limits: Vec<i64>,
}

#[derive(Debug, Clone)]
pub(crate) enum DerivedPlan {
    Ratio(usize, usize),
    Difference(usize, usize),
    Distance(Vec<usize>),
}

struct TableBuilder {
    key: Key,
    codes: (usize, Option<usize>),
    logs: Vec<LogBuilder>,
    reads: Vec<EntityRead>,
    columns: Vec<usize>,
}

impl TableBuilder {
    fn target(&mut self, column: usize) -> Target {
        self.columns.push(column);
        Target {
            column,
            part: self.columns.len() - 1,
        }
    }
}

/// Compiles a set.
struct Compiler<'a> {
    set: &'a FeatureSet,
    layout: Layout,
    hasher: IdHasher,
    tables: Vec<TableBuilder>,
}

impl Compiler<'_> {
    fn table(&mut self, key: &Key) -> &mut TableBuilder {
        let found = self.tables.iter().position(|table| table.key == *key);
        let place = found.unwrap_or_else(|| {
            let mut fields = key.fields();
            let first = fields.next().map_or(0, |field| self.layout.field(field));
            let second = fields.next().map(|field| self.layout.field(field));
            self.tables.push(TableBuilder {
                key: key.clone(),
                codes: (first, second),
                logs: Vec::new(),
                reads: Vec::new(),
                columns: Vec::new(),
            });
            self.tables.len() - 1
        });
        &mut self.tables[place]
    }

    fn window(&mut self, column: usize, window: &Window) -> Result<(), FeatureError> {
        let op = match &window.measure {
            Measure::SinceFirst | Measure::Age { .. } => Some(EntityOp::Age),
            Measure::IsNew { .. } => Some(EntityOp::IsNew),
            _ => None,
        };
        if let Some(op) = op {
            let key = match &window.measure {
                Measure::IsNew { of } | Measure::Age { of } => window.by.and(of.clone())?,
                _ => window.by.clone(),
            };
            let table = self.table(&key);
            let target = table.target(column);
            table.reads.push(EntityRead { target, op });
            return Ok(());
        }
        let bound = match self.set.lateness.policy {
            LatePolicy::Insert => self.set.lateness.bound.as_micros(),
            LatePolicy::Drop | LatePolicy::Error => 0,
        };
        let ids = self.set.duplicates_within > crate::Span::ZERO;
        let needs = self.needs(window);
        let gate = self.gate(window, needs.as_ref());
        self.table(&window.by);
        // The table exists now; the layout and the table are needed at the same time.
        let mut layout = std::mem::take(&mut self.layout);
        let table = self.table(&window.by);
        let wanted = (window.filter.clone(), needs);
        let found = table.logs.iter().position(|log| log.wanted == wanted);
        let place = found.unwrap_or_else(|| {
            table.logs.push(LogBuilder::new(wanted, gate, (bound, ids)));
            table.logs.len() - 1
        });
        let target = table.target(column);
        let added = table.logs[place].add(window, target, &mut layout);
        self.layout = layout;
        added
    }

    /// What an event must have to be in the log of this window, besides meeting its filter.
    fn needs(&self, window: &Window) -> Option<Needs> {
        use crate::set::Subject;
        match window.measure.subject() {
            Subject::Quantity if !window.of.always_in(self.set.record) => {
                Some(Needs::Quantity(window.of.clone()))
            }
            Subject::Places => Some(Needs::Place),
            _ => None,
        }
    }

    fn gate(&mut self, window: &Window, needs: Option<&Needs>) -> Option<Gate> {
        let filter = window
            .filter
            .as_ref()
            .map(|filter| Gate::compile(filter, &mut self.layout, self.hasher));
        let needed = match needs {
            Some(Needs::Quantity(quantity)) => {
                Some(Gate::HasNumber(self.layout.quantity(quantity)))
            }
            Some(Needs::Place) => {
                self.layout.facts = true;
                Some(Gate::HasPlace)
            }
            None => None,
        };
        match (filter, needed) {
            (Some(filter), Some(needed)) => Some(Gate::All(vec![needed, filter])),
            (filter, needed) => filter.or(needed),
        }
    }

    fn event(&mut self, feature: &EventFeature) -> EventPlan {
        let place = match feature {
            EventFeature::Value(quantity) => self.layout.quantity(quantity),
            EventFeature::LogAmount
            | EventFeature::Cents
            | EventFeature::RoundAmount { .. }
            | EventFeature::TrailingZeros
            | EventFeature::JustBelow { .. } => self.layout.quantity(&Quantity::Amount),
            EventFeature::Known(field) => self.layout.field(field),
            EventFeature::HomeDistance
            | EventFeature::IpNotPublic
            | EventFeature::Bot
            | EventFeature::Mobile => {
                self.layout.facts = true;
                0
            }
            _ => 0,
        };
        let limits = match feature {
            EventFeature::JustBelow { limits, .. } => {
                let fixed = limits
                    .iter()
                    .map(|limit| super::event::fixed_number(*limit, &Quantity::Amount));
                fixed.filter_map(Result::ok).collect()
            }
            _ => Vec::new(),
        };
        EventPlan {
            feature: feature.clone(),
            place,
            limits,
        }
    }
}

/// What an event must have to be in a log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Needs {
    Quantity(Quantity),
    Place,
}

/// What tells logs of one table apart.
pub(crate) type Wanted = (Option<Filter>, Option<Needs>);

impl Plan {
    pub(crate) fn compile(set: &FeatureSet) -> Result<Self, FeatureError> {
        set.check()?;
        let hasher = IdHasher::new(set.key);
        let mut compiler = Compiler {
            set,
            layout: Layout::default(),
            hasher,
            tables: Vec::new(),
        };
        let schema = Arc::new(set.schema()?);
        let (mut events, mut derived) = (Vec::new(), Vec::new());
        for (column, feature) in set.features.iter().enumerate() {
            match &feature.definition {
                Definition::Window(window) => compiler.window(column, window)?,
                Definition::Event(event) => events.push((column, compiler.event(event))),
                Definition::Derived(plan) => derived.push((column, derive(plan, &schema))),
            }
        }
        let Compiler { layout, tables, .. } = compiler;
        let tables = tables.into_iter().map(|table| {
            let mut plan = TablePlan {
                key: table.key,
                codes: table.codes,
                logs: table.logs.into_iter().map(LogBuilder::build).collect(),
                reads: table.reads,
                columns: table.columns,
                runs: false,
            };
            plan.runs = plan.is_of_runs();
            plan
        });
        let tables = tables.collect();
        let bound = match set.lateness.policy {
            LatePolicy::Insert => set.lateness.bound.as_micros(),
            LatePolicy::Drop | LatePolicy::Error => 0,
        };
        Ok(Self {
            schema,
            hash: set.hash(),
            layout,
            hasher,
            tables,
            events,
            derived,
            rules: Rules {
                offset: i64::from(set.calendar.offset_minutes) * 60_000_000,
                calendar: set.calendar.clone(),
                bound,
                known_after: match set.labels {
                    Labels::AfterDelay(delay) => Some(delay.as_micros()),
                    Labels::Events => None,
                },
                ttl: set.limits.ttl.map(crate::Span::as_micros),
                most_events: set.limits.events_per_entity,
            },
            set: set.clone(),
        })
    }

    /// Tables whose key has a field.
    pub(crate) fn tables_of(&self, field: &Field) -> impl Iterator<Item = (usize, bool)> {
        let field = field.clone();
        self.tables.iter().enumerate().flat_map(move |(at, table)| {
            let places = table.key.fields().enumerate();
            let hits = places
                .filter(|(_, other)| **other == field)
                .map(|(place, _)| (at, place == 0));
            hits.collect::<Vec<_>>()
        })
    }
}

fn derive(plan: &Derived, schema: &Schema) -> DerivedPlan {
    let place = |name: &String| {
        schema
            .position(name)
            .map_or(0, dafu_core::FeatureIndex::get)
    };
    match plan {
        Derived::Ratio { of, over } => DerivedPlan::Ratio(place(of), place(over)),
        Derived::Difference { of, less } => DerivedPlan::Difference(place(of), place(less)),
        Derived::Distance { of } => DerivedPlan::Distance(of.iter().map(place).collect()),
    }
}

/// The features of a set, for the compiler and the tests.
impl FeatureSet {
    /// A feature by name.
    pub fn by_name(&self, name: &str) -> Option<&Feature> {
        let mut features = self.features.iter();
        features.find(|feature| feature.full_name() == name)
    }
}
