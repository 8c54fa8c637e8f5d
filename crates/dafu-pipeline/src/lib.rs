//! The Detector: roles, preprocessing, forest, thresholds and assessments in one builder.
