#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| toolrl_fuzz::dialects(data));
