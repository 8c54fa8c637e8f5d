//! Strategies and oracles for the tests of dafu.
