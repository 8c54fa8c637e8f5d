#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dafu_fuzz::graph_stream(data));
