#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dafu_fuzz::rules_condition(data));
