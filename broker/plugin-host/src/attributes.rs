use foldhash::HashMap;
use parking_lot::Mutex;
use pintle_plugin_api::HostError;

/// What one plugin keeps with sessions.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Mutex<HashMap<u64, HashMap<String, Vec<u8>>>>);

/// Sessions that something is kept with.
const SESSIONS_MAX: usize = 100_000;
/// Names and values of one session together.
const BYTES_MAX: usize = 4 << 10;

impl Attributes {
    pub(crate) fn get(&self, session: u64, name: &str) -> Option<Vec<u8>> {
        self.0.lock().get(&session)?.get(name).cloned()
    }

    pub(crate) fn set(
        &self,
        session: u64,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), HostError> {
        let mut all = self.0.lock();
        let Some(value) = value else {
            if let Some(kept) = all.get_mut(&session) {
                kept.remove(name);
                if kept.is_empty() {
                    all.remove(&session);
                }
            }
            return Ok(());
        };
        if all.len() >= SESSIONS_MAX && !all.contains_key(&session) {
            return Err(HostError::Quota("attribute_sessions_max"));
        }
        let kept = all.entry(session).or_default();
        let others = kept.iter().filter(|(other, _)| *other != name);
        let bytes: usize = others.map(|(name, value)| name.len() + value.len()).sum();
        if bytes + name.len() + value.len() > BYTES_MAX {
            return Err(HostError::Quota("attribute_bytes_max"));
        }
        kept.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    /// The session has ended.
    pub(crate) fn forget(&self, session: u64) {
        self.0.lock().remove(&session);
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Attributes;

    #[test]
    fn each_session_has_its_own() {
        let attributes = Attributes::default();
        attributes.set(1, "a", Some(b"x")).unwrap();
        assert_eq!(attributes.get(1, "a").unwrap(), b"x");
        assert_eq!(attributes.get(2, "a"), None);
        attributes.forget(1);
        assert!(attributes.is_empty());
    }

    #[test]
    fn a_session_holds_so_much_and_no_more() {
        let attributes = Attributes::default();
        attributes.set(1, "a", Some(&[0; 4000])).unwrap();
        assert!(attributes.set(1, "b", Some(&[0; 100])).is_err());
        attributes.set(1, "a", None).unwrap();
        attributes.set(1, "b", Some(&[0; 100])).unwrap();
    }
}
