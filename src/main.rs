//! Panic hook and mount, nothing else.

/// Smaller than the standard one, and quicker where most of what is asked for is small (`ARCHITECTURE.md`, "Bytes").
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

fn main() {
    console_error_panic_hook::set_once();
    monkeytown_witness::app::mount();
}
