//! The risk of merchants: factors of their history with intervals and evidence, combined by rules.

mod amounts;
mod assessment;
mod book;
mod factor;
mod history;
mod interval;
mod measure;
mod params;
mod processor;
mod rules;
mod sampled;
mod sums;

pub use assessment::MerchantAssessment;
pub use book::MerchantBook;
pub use factor::{Factor, FactorKind};
pub use history::MerchantHistory;
pub use params::MerchantFactors;
pub use processor::MerchantRiskProcessor;
pub use sums::{MOST_COUNTRIES, MOST_CUSTOMERS};
