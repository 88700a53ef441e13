use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::fault::{ErrorKind, Fault};

/// A value for each thread that asks for it, made when it first asks. It need not be `Send`: it
/// never leaves its thread.
///
/// Values of threads other than the one that drops this go when those threads next use any
/// `PerThread`, or end.
#[derive(Debug)]
pub(crate) struct PerThread<T> {
    key: Arc<Key>,
    _values: PhantomData<fn() -> T>,
}

#[derive(Debug, Default)]
struct Key {
    is_dropped: AtomicBool,
}

struct Entry {
    key: Arc<Key>,
    /// A [`Held`] of the owner's type.
    held: Rc<dyn Any>,
}

/// `None` until it is made; borrowed while it is in use.
struct Held<T>(RefCell<Option<T>>);

/// Counts keys that were dropped, so that threads see when there is something to clear away.
static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Entries {
    list: Vec<Entry>,
    dropped_seen: u64,
}

thread_local! {
    static ENTRIES: RefCell<Entries> =
        const { RefCell::new(Entries { list: Vec::new(), dropped_seen: 0 }) };
}

impl<T: 'static> PerThread<T> {
    pub(crate) fn new() -> Self {
        Self { key: Arc::default(), _values: PhantomData }
    }

    /// Lets `ask` use this thread's value, which `build` makes if there is none.
    ///
    /// # Errors
    /// That of `build`; or the value is in use further up on this thread.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        build: impl FnOnce() -> Result<T, Fault>,
        ask: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Fault> {
        let held = self.held();
        let Some(Held(value)) = held.downcast_ref::<Held<T>>() else {
            return Err(Fault::new(ErrorKind::Internal, "a value of another type"));
        };
        let Ok(mut value) = value.try_borrow_mut() else {
            return Err(Fault::new(ErrorKind::Internal, "it is called within itself"));
        };
        let value = match &mut *value {
            Some(value) => value,
            none => none.insert(build()?),
        };
        Ok(ask(value))
    }

    /// Forgets this thread's value; also from within [`PerThread::with`] of it, which drops it when
    /// it is done.
    pub(crate) fn discard(&self) {
        let entry = ENTRIES.with_borrow_mut(|entries| {
            let at = entries.list.iter().position(|entry| Arc::ptr_eq(&entry.key, &self.key))?;
            Some(entries.list.swap_remove(at))
        });
        // Outside the borrow: what is dropped may use another `PerThread`.
        drop(entry);
    }

    /// The place of this thread's value.
    #[inline]
    fn held(&self) -> Rc<dyn Any> {
        let (held, is_swept) = ENTRIES.with_borrow_mut(|entries| {
            let is_swept = entries.dropped_seen == DROPPED.load(Ordering::Acquire);
            let known = entries.list.iter().find(|one| Arc::ptr_eq(&one.key, &self.key));
            let held = match known {
                Some(entry) => Rc::clone(&entry.held),
                None => entries.add(&self.key, Rc::new(Held::<T>(RefCell::default()))),
            };
            (held, is_swept)
        });
        if !is_swept {
            sweep();
        }
        held
    }
}

impl<T> Drop for PerThread<T> {
    fn drop(&mut self) {
        self.key.is_dropped.store(true, Ordering::Release);
        DROPPED.fetch_add(1, Ordering::Release);
    }
}

impl Entries {
    #[cold]
    fn add(&mut self, key: &Arc<Key>, held: Rc<dyn Any>) -> Rc<dyn Any> {
        self.list.push(Entry { key: Arc::clone(key), held: Rc::clone(&held) });
        held
    }
}

/// Clears away what belongs to keys that were dropped.
#[cold]
fn sweep() {
    let dropped = DROPPED.load(Ordering::Acquire);
    let swept: Vec<Entry> = ENTRIES.with_borrow_mut(|entries| {
        entries.dropped_seen = dropped;
        let is_gone = |entry: &mut Entry| entry.key.is_dropped.load(Ordering::Acquire);
        entries.list.extract_if(.., is_gone).collect()
    });
    // Outside the borrow, as in `discard`.
    drop(swept);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::thread;

    use super::PerThread;

    #[test]
    fn each_thread_has_a_value_of_its_own_and_keeps_it() {
        let counters: PerThread<u32> = PerThread::new();
        let count = || {
            let step = |value: &mut u32| {
                *value += 1;
                *value
            };
            counters.with(|| Ok(0), step).unwrap()
        };
        assert_eq!((count(), count()), (1, 2));
        thread::scope(|scope| {
            assert_eq!(scope.spawn(count).join().unwrap(), 1);
        });
        assert_eq!(count(), 3);
    }

    #[test]
    fn a_discarded_value_is_made_anew_also_when_discarded_while_in_use() {
        let values: PerThread<u32> = PerThread::new();
        values.with(|| Ok(1), |_| values.discard()).unwrap();
        assert_eq!(values.with(|| Ok(2), |value| *value).unwrap(), 2);
        values.discard();
        assert_eq!(values.with(|| Ok(3), |value| *value).unwrap(), 3);
    }

    #[test]
    fn a_value_in_use_cannot_be_had_again() {
        let values: PerThread<u32> = PerThread::new();
        let inner = values.with(|| Ok(1), |_| values.with(|| Ok(2), |value| *value)).unwrap();
        assert!(inner.unwrap_err().to_string().contains("within itself"));
    }

    #[test]
    fn values_of_a_dropped_owner_go_when_the_thread_next_asks_for_another() {
        let alive = Rc::new(());
        let old: PerThread<Rc<()>> = PerThread::new();
        old.with(|| Ok(Rc::clone(&alive)), |_| ()).unwrap();
        assert_eq!(Rc::strong_count(&alive), 2);
        drop(old);
        let new: PerThread<u32> = PerThread::new();
        new.with(|| Ok(1), |_| ()).unwrap();
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}
