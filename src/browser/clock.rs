//! The browser's clock.

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let now = js_sys::Date::now();
    #[expect(clippy::as_conversions, reason = "a positive whole number below 2^53; saturates otherwise")]
    let now = now as u64;
    now
}
