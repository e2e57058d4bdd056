//! Whether the compiler has AVX-512, which Rust has from 1.89 on.

use std::process::Command;
use std::{env, str};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(sockless_avx512)");
    if minor().is_some_and(|minor| minor >= 89) {
        println!("cargo::rustc-cfg=sockless_avx512");
    }
}

/// The second number of `rustc 1.89.0 (...)`.
fn minor() -> Option<u32> {
    let said = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?.stdout;
    let version = str::from_utf8(&said).ok()?.strip_prefix("rustc 1.")?;
    version.split('.').next()?.parse().ok()
}
