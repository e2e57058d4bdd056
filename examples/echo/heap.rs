//! What a heap keeps: glibc gives back the end of it alone, so that one small block there holds on
//! to all that is free below. A loop that has nothing to do may ask for the rest.

/// Gives free memory back to the system, where the C library can be asked to.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(
    unsafe_code,
    reason = "the C library's own function, which any program may call at any time"
)]
pub(crate) fn trim() {
    // SAFETY: so it is declared in glibc's malloc.h; it takes its own locks.
    unsafe extern "C" {
        safe fn malloc_trim(pad: usize) -> core::ffi::c_int;
    }
    malloc_trim(0);
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn trim() {}
