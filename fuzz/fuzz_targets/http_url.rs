#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| rootling_fuzz::run("http_url", data));
