#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| rootling_fuzz::run("root_device", data));
