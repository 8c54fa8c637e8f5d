//! Decision tables: rows of cells, checked at load and looked up through an index.

mod answer;
mod cell;
mod check;
mod column;
mod compiled;
mod cover;
mod definition;
#[cfg(feature = "serde")]
mod file;
mod finding;
mod form;
mod index;
mod join;
mod read;
mod segment;

pub use answer::TableAnswer;
pub use compiled::CompiledTable;
pub use definition::{DecisionTable, HitPolicy, TableRow, TableValue};
pub use finding::{TableCheck, TableExample, TableFinding};
