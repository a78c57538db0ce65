//! libFuzzer over the target that `FUZZ_TARGET` names; `cargo xtask fuzz` builds and starts it.
#![no_main]

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let run = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        monkeytown_fuzzing::target(&name).unwrap_or_else(|| panic!("no target is called {name}")).run
    });
    run(bytes);
});
