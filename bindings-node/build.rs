//! Finds how this platform links a Node addon.

fn main() {
    napi_build::setup();
}
