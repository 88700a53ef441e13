use std::collections::HashMap;

use foldhash::fast::RandomState;

/// The number that stands for a level's text while any edge of the tree uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LevelName(pub(crate) u32);

/// Level texts, each kept once however many nodes carry it.
#[derive(Debug, Default)]
pub(crate) struct LevelNames {
    names: HashMap<Box<str>, Named, RandomState>,
    /// Numbers given back, used again before new ones.
    free: Vec<u32>,
    next: u32,
}

#[derive(Debug)]
struct Named {
    number: u32,
    uses: u32,
}

impl LevelNames {
    /// The name of `text`, if any edge uses it.
    pub(crate) fn get(&self, text: &str) -> Option<LevelName> {
        self.names.get(text).map(|named| LevelName(named.number))
    }

    /// The name of `text`, for one more edge.
    pub(crate) fn acquire(&mut self, text: &str) -> LevelName {
        if let Some(named) = self.names.get_mut(text) {
            named.uses += 1;
            return LevelName(named.number);
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        self.names.insert(text.into(), Named { number, uses: 1 });
        LevelName(number)
    }

    /// Ends one use; the text goes with the last.
    pub(crate) fn release(&mut self, text: &str) {
        let Some(named) = self.names.get_mut(text) else {
            return;
        };
        named.uses -= 1;
        if named.uses == 0 {
            self.free.push(named.number);
            self.names.remove(text);
        }
    }
}
