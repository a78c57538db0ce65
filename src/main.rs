//! Allocator and mount, nothing else. A panic traps, which `src/boot.js` tells the witness.

/// Smaller than the standard one, and quicker where most of what is asked for is small (`ARCHITECTURE.md`, "Bytes").
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

fn main() {
    monkeytown_witness::app::mount();
}
