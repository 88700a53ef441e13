use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use mlua::{Lua, LuaString, Result};
use pintle_plugin_api::Action;

/// Texts that scripts are told again and again, and that are made once.
pub(super) struct Texts {
    publish: LuaString,
    receive: LuaString,
    subscribe: LuaString,
    will: LuaString,
    topics: Vec<Topic>,
    /// Of those that are long, the last.
    long: Topic,
}

#[derive(Clone)]
struct Topic {
    name: String,
    text: LuaString,
}

/// Topics remembered: each has one place, and whichever has the same place takes it.
const TOPICS_MAX: usize = 256;
const TOPIC_BYTES_MAX: usize = 256;
/// Which topics have the same place is of no use to anybody.
const HASHER: FixedState = FixedState::with_seed(0);

impl Texts {
    pub(super) fn new(lua: &Lua) -> Result<Self> {
        let none = Topic { name: String::new(), text: lua.create_string("")? };
        Ok(Self {
            publish: lua.create_string("publish")?,
            receive: lua.create_string("receive")?,
            subscribe: lua.create_string("subscribe")?,
            will: lua.create_string("will")?,
            topics: vec![none.clone(); TOPICS_MAX],
            long: none,
        })
    }

    /// Name of an action and text of the topic or filter that it is about.
    pub(super) fn of_action(
        &mut self,
        lua: &Lua,
        action: &Action<'_>,
    ) -> Result<(&LuaString, &LuaString)> {
        let (name, topic) = match action {
            Action::Publish(message) => (&self.publish, message.topic),
            Action::Receive(message) => (&self.receive, message.topic),
            Action::Will(message) => (&self.will, message.topic),
            Action::Subscribe(subscription) => (&self.subscribe, subscription.filter.as_str()),
        };
        Ok((name, kept(&mut self.topics, &mut self.long, lua, topic)?))
    }

    pub(super) fn topic(&mut self, lua: &Lua, name: &str) -> Result<&LuaString> {
        kept(&mut self.topics, &mut self.long, lua, name)
    }
}

fn kept<'a>(
    topics: &'a mut [Topic],
    long: &'a mut Topic,
    lua: &Lua,
    name: &str,
) -> Result<&'a LuaString> {
    let place = usize::from(HASHER.hash_one(name) as u8) % TOPICS_MAX;
    let known = match topics.get_mut(place) {
        Some(topic) if name.len() <= TOPIC_BYTES_MAX => topic,
        _ => long,
    };
    if known.name != name {
        known.text = lua.create_string(name)?;
        known.name.clear();
        known.name.push_str(name);
    }
    Ok(&known.text)
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::Texts;

    #[test]
    fn every_topic_is_told_as_it_is_however_many_there_are() {
        let lua = Lua::new();
        let mut texts = Texts::new(&lua).unwrap();
        for round in 0..3 {
            for at in 0..1000 {
                let name = format!("a/{at}/{}", "x".repeat(at % 300));
                assert_eq!(
                    texts.topic(&lua, &name).unwrap().as_bytes(),
                    name.as_bytes(),
                    "{round}"
                );
            }
        }
        assert_eq!(texts.topic(&lua, "").unwrap().as_bytes(), b"");
    }

    #[test]
    fn a_topic_that_comes_again_is_not_made_again() {
        let lua = Lua::new();
        let mut texts = Texts::new(&lua).unwrap();
        texts.topic(&lua, "a/b").unwrap();
        let before = lua.used_memory();
        for _ in 0..100 {
            texts.topic(&lua, "a/b").unwrap();
        }
        assert_eq!(lua.used_memory(), before);
    }
}
