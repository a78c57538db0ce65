//! Allocator, panic hook and mount, nothing else.

/// Smaller than the standard one, and quicker where most of what is asked for is small (`ARCHITECTURE.md`, "Bytes").
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

fn main() {
    std::panic::set_hook(Box::new(|stop| monkeytown_witness::app::say_stopped(&stop.to_string())));
    monkeytown_witness::app::mount();
}
