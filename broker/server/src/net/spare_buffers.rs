/// Buffers that need not grow first, for whoever gathers bytes next; the one used last comes first,
/// as it is the most likely to be in the processor's cache.
#[derive(Debug, Default)]
pub(super) struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    /// What they take together.
    bytes: usize,
}

/// What a worker keeps in all: enough for some hundred receivers that are sent to in turn.
const SPARE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A smaller one is soon made.
const BUFFER_BYTES_MIN: usize = 4 * 1024;
/// A larger one is too much for most.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

impl SpareBuffers {
    pub(super) const fn new() -> Self {
        Self { buffers: Vec::new(), bytes: 0 }
    }

    /// An empty buffer, with an allocation if there is one to spare.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        buffer
    }

    /// Keeps a buffer, without what is in it, if it is worth it.
    pub(super) fn put(&mut self, mut buffer: Vec<u8>) {
        let size = buffer.capacity();
        let is_worth_it = (BUFFER_BYTES_MIN..=BUFFER_BYTES_MAX).contains(&size);
        if is_worth_it && self.bytes + size <= SPARE_BYTES_MAX {
            buffer.clear();
            self.bytes += size;
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_with_its_allocation() {
        let mut spare = SpareBuffers::new();
        let mut buffer = Vec::with_capacity(BUFFER_BYTES_MIN);
        buffer.push(1);

        spare.put(buffer);

        let again = spare.take();
        assert!(again.is_empty());
        assert_eq!(again.capacity(), BUFFER_BYTES_MIN);
        assert_eq!(spare.take().capacity(), 0);
        assert_eq!(spare.bytes, 0);
    }

    #[test]
    fn small_and_huge_buffers_are_not_kept() {
        let mut spare = SpareBuffers::new();

        spare.put(Vec::with_capacity(BUFFER_BYTES_MIN - 1));
        spare.put(Vec::with_capacity(BUFFER_BYTES_MAX + 1));

        assert_eq!(spare.take().capacity(), 0);
    }

    #[test]
    fn only_so_many_bytes_are_kept() {
        let mut spare = SpareBuffers::new();

        for _ in 0..=SPARE_BYTES_MAX / BUFFER_BYTES_MAX {
            spare.put(Vec::with_capacity(BUFFER_BYTES_MAX));
        }

        assert_eq!(spare.bytes, SPARE_BYTES_MAX);
        assert_eq!(spare.buffers.len(), SPARE_BYTES_MAX / BUFFER_BYTES_MAX);
    }
}
