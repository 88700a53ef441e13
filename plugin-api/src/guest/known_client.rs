use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::bindings::pintle::plugin::client;

/// What was asked about a client, which stays as it is for as long as its number is the same.
#[derive(Default)]
pub(super) struct KnownClient {
    id: OnceCell<String>,
    username: OnceCell<Option<String>>,
    principal: OnceCell<Option<String>>,
    session_key: OnceCell<u64>,
}

/// How many are remembered. One that takes the place of another costs the other its questions again.
const KNOWN_MAX: usize = 256;

type Known = [Option<(u64, Rc<KnownClient>)>; KNOWN_MAX];

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new([const { None }; KNOWN_MAX]) };
}

impl KnownClient {
    /// The client of this number, which the running hook is about. Number 0 stands for nobody, and so
    /// for nobody twice.
    pub(super) fn numbered(number: u64) -> Rc<Self> {
        KNOWN.with_borrow_mut(|known| {
            let place = usize::try_from(number % KNOWN_MAX as u64).ok();
            let place = place.filter(|_| number != 0).and_then(|place| known.get_mut(place));
            match place {
                Some(Some((other, client))) if *other == number => Rc::clone(client),
                Some(place) => Rc::clone(&place.insert((number, Rc::default())).1),
                None => Rc::default(),
            }
        })
    }

    pub(super) fn id(&self) -> &str {
        self.id.get_or_init(client::id)
    }

    pub(super) fn username(&self) -> Option<&str> {
        self.username.get_or_init(client::username).as_deref()
    }

    pub(super) fn principal(&self) -> Option<&str> {
        self.principal.get_or_init(client::principal).as_deref()
    }

    pub(super) fn session_key(&self) -> u64 {
        *self.session_key.get_or_init(client::session_key)
    }
}
