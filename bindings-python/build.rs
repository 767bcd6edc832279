//! Linker flags of the extension module: macOS looks Python's symbols up when it is loaded.
//! (maturin passes the same; `make` builds with cargo alone.)

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") {
        println!("cargo::rustc-cdylib-link-arg=-undefined");
        println!("cargo::rustc-cdylib-link-arg=dynamic_lookup");
    }
}
