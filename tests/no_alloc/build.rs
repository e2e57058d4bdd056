//! Links without the standard library's start-up code; `memcpy` and its like are the C library's.

fn main() {
    println!("cargo:rustc-link-arg-bins=-nostartfiles");
    println!("cargo:rustc-link-arg-bins=-lc");
}
