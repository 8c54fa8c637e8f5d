#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dafu_fuzz::forest_import(data));
