//! Four-panel figures, HTML reports and exports for fraud detection runs.
