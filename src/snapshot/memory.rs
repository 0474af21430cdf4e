//! Giving memory back after a build, which for a moment takes several times what its result needs.

/// Returns freed memory to the system. glibc keeps it otherwise: having seen the model's file of tens of
/// megabytes freed, it trims its heap only above twice that size.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "malloc_trim has no safe binding; it takes no pointer and may be called at any time"
    )]
    // SAFETY: glibc documents malloc_trim as thread-safe, and it touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}
