//! Linker flags of the shared library: its SONAME, and that it is never unloaded.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let part = |name: &str| std::env::var(format!("CARGO_PKG_VERSION_{name}")).unwrap_or_default();
    // Until 1.0 the minor version is the ABI's: 0.1.x can replace 0.1.y, 0.2 cannot.
    let abi = format!("{}.{}", part("MAJOR"), part("MINOR"));
    let flags: &[String] = match std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default().as_str() {
        "linux" | "android" | "freebsd" | "netbsd" | "openbsd" => &[
            format!("-Wl,-soname,libmailbearer.so.{abi}"),
            // Library threads outlive a dlclose; their code must too.
            "-Wl,-z,nodelete".to_owned(),
        ],
        _ => &[],
    };
    for flag in flags {
        println!("cargo::rustc-cdylib-link-arg={flag}");
    }
}
