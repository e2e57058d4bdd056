//! Links the C library, for its start-up code and `memcpy`; there is no other runtime.

fn main() {
    println!("cargo:rustc-link-arg-bins=-lc");
}
