#![no_main]

// A panic that the crate turns into an error is none: libFuzzer's hook would end the process at once.
libfuzzer_sys::fuzz_target!(
    init: drop(std::panic::take_hook()),
    |data: &[u8]| toolrl_fuzz::tokenizer(data)
);
