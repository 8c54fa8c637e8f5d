//! From records to numbers: imputation, encoding, scaling and time features, fitted on training rows only.
