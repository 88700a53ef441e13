use pintle_plugin_api::Client;

/// Numbers that stand for clients in one instance, as `types.client-number` of the WIT package says.
/// They cost no call to tell, so that an instance asks about those only whom it has not met.
#[derive(Default)]
pub(super) struct ClientNumbers {
    met: Vec<Option<Box<Met>>>,
    numbers_given: u64,
}

/// How many clients an instance is known to have met last. One that takes the place of another gives the
/// other a new number when it comes again.
const MET_MAX: usize = 256;

/// A client as it was when it got its number.
struct Met {
    number: u64,
    session_key: u64,
    client_id: Box<str>,
    username: Option<Box<str>>,
    principal: Option<Box<str>>,
}

impl ClientNumbers {
    /// The number of `client` as it is now; never 0.
    #[inline]
    pub(super) fn number_of(&mut self, client: &dyn Client) -> u64 {
        let place = client.session_key() % MET_MAX as u64;
        let place = usize::try_from(place).unwrap_or_default();
        match self.met.get(place) {
            Some(Some(met)) if met.is(client) => met.number,
            _ => self.meet(client, place),
        }
    }

    #[cold]
    fn meet(&mut self, client: &dyn Client, place: usize) -> u64 {
        self.numbers_given += 1;
        // Those who have different places here have different places in a table of the same length
        // that goes by the number.
        let number = self.numbers_given * MET_MAX as u64 + place as u64;
        if self.met.len() <= place {
            self.met.resize_with(place + 1, || None);
        }
        if let Some(met) = self.met.get_mut(place) {
            *met = Some(Box::new(Met {
                number,
                session_key: client.session_key(),
                client_id: client.client_id().into(),
                username: client.username().map(Box::from),
                principal: client.principal().map(Box::from),
            }));
        }
        number
    }
}

impl Met {
    fn is(&self, client: &dyn Client) -> bool {
        self.session_key == client.session_key()
            && *self.client_id == *client.client_id()
            && self.username.as_deref() == client.username()
            && self.principal.as_deref() == client.principal()
    }
}

#[cfg(test)]
mod tests {
    use pintle_plugin_api::ClientDescription;

    use super::{ClientNumbers, MET_MAX};

    fn client(session_key: u64) -> ClientDescription {
        ClientDescription { session_key, ..ClientDescription::new("c", Some("alice")) }
    }

    #[test]
    fn a_client_keeps_its_number_while_it_is_the_same() {
        let mut numbers = ClientNumbers::default();
        let number = numbers.number_of(&client(7));
        assert_ne!(number, 0);
        assert_ne!(numbers.number_of(&client(8)), number);
        assert_eq!(numbers.number_of(&client(7)), number);
    }

    #[test]
    fn whatever_makes_a_client_another_gives_it_a_number_that_was_never_given() {
        let mut numbers = ClientNumbers::default();
        let same = client(7);
        let others = [
            client(8),
            client(7 + MET_MAX as u64),
            ClientDescription { client_id: "d".into(), ..same.clone() },
            ClientDescription { username: None, ..same.clone() },
            ClientDescription { principal: Some("root".into()), ..same.clone() },
            same,
        ];
        let mut given: Vec<u64> = Vec::new();
        for _ in 0..3 {
            given.extend(others.iter().map(|other| numbers.number_of(other)));
        }
        let count_of_8 = given.len() / others.len();
        given.sort_unstable();
        given.dedup();
        // All but the one at a place of its own take each other's place.
        assert_eq!(given.len(), 1 + count_of_8 * (others.len() - 1));
    }

    #[test]
    fn no_more_clients_are_remembered_than_there_are_places() {
        let mut numbers = ClientNumbers::default();
        for session_key in 0..10 * MET_MAX as u64 {
            numbers.number_of(&client(session_key));
        }
        assert_eq!(numbers.met.len(), MET_MAX);
    }
}
