//! Where code and data go on the board; a host knows by itself.

fn main() {
    println!("cargo:rerun-if-changed=board.x");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        println!("cargo:rustc-link-arg-bins=-T{folder}/board.x");
    }
}
