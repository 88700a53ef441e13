use std::cell::Cell;

/// Through how many plugins something may have come.
pub(crate) const HOPS_MAX: u8 = 4;

/// Why what is beyond [`HOPS_MAX`] is not done.
pub(crate) const TOO_MANY_HOPS: &str = "it came through too many plugins";

thread_local! {
    static HOPS: Cell<u8> = const { Cell::new(0) };
}

/// Through how many plugins that came which this thread is busy with.
pub(crate) fn hops() -> u8 {
    HOPS.get()
}

/// Does what has come through so many plugins.
pub(crate) fn after_hops<T>(hops: u8, act: impl FnOnce() -> T) -> T {
    let _before = come_through(hops);
    act()
}

/// The same for what follows, until the answer is dropped.
pub(crate) fn come_through(hops: u8) -> Before {
    Before(HOPS.replace(hops))
}

/// Is true again when it is dropped.
#[must_use]
pub(crate) struct Before(u8);

impl Drop for Before {
    fn drop(&mut self) {
        HOPS.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{after_hops, hops};

    #[test]
    fn what_happens_meanwhile_has_come_as_far_and_what_follows_has_not() {
        let inner = after_hops(1, || (hops(), after_hops(2, hops), hops()));
        assert_eq!((inner, hops()), ((1, 2, 1), 0));
    }
}
