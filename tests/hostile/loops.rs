//! Plugins that answer each other.

use crate::house::{Code, House, Others, lua, wasm};

const PROBE: &[u8] = include_bytes!("../contract/component/probe.wasm");

/// A script that makes another message of each that it sees.
fn echo(to: &str) -> Code {
    lua(&format!("return {{ on_publish = function() broker.emit({{ topic = '{to}' }}) end }}"))
}

fn entry(from: &str, to: &str) -> String {
    format!(
        "topics = [\"{from}\"]\ngrants = {{ publish = [\"{to}\"] }}\n\
         on_error = {{ publish = \"reject\" }}\nlimits = {{ publish = \"20s\" }}\n"
    )
}

/// Everything that comes of one message to `topic`, under any topic of two levels; then others go
/// on.
fn comes_of_one(house: &House, topic: &str) -> Vec<String> {
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("a");
    client.subscribes("+/+", 0);
    client.publishes(topic, "x");
    let mut watch = house.broker.v5("watch");
    watch.publishes("the/end", "x");
    let mut topics = Vec::new();
    loop {
        let topic = client.next_publish().topic;
        if topic == "the/end" {
            break;
        }
        topics.push(topic);
    }
    others.go_on();
    topics
}

#[test]
fn two_scripts_that_emit_to_each_other_come_to_an_end() {
    let (a, b) = (echo("to/b"), Code { file: "b.lua", ..echo("to/a") });
    let house =
        House::with_chain(&[("a", &a, &entry("to/a", "to/b")), ("b", &b, &entry("to/b", "to/a"))]);
    assert_eq!(comes_of_one(&house, "to/a"), ["to/a", "to/b", "to/a"]);
}

/// At the limit there is one message for each choice of at most four of the plugins.
#[test]
fn scripts_that_answer_everything_end_at_the_limit_which_is_counted() {
    let code = echo("the/echo");
    let entry = entry("the/echo", "the/echo");
    let names = ["1", "2", "3", "4", "5", "6"];
    let house = House::with_chain(&names.map(|name| (name, &code, &*entry)));
    assert_eq!(comes_of_one(&house, "the/echo").len(), 1 + 6 + 15 + 20 + 15);
    for (name, refused) in [("4", None), ("5", Some(1)), ("6", Some(5))] {
        let stats = house.plugin(&["stats", name]);
        let told = refused.map(|count| format!("{count} messages refused"));
        assert_eq!(stats.contains("messages refused"), told.is_some(), "{stats}");
        assert!(told.is_none_or(|told| stats.contains(&told)), "{stats}");
    }
    house.broker.says(&["A plugin's message was dropped.", "too many plugins"]);
}

#[test]
fn scripts_and_components_that_answer_each_other_end_at_the_limit() {
    let script = echo("emit-sign/x");
    let script = Code { file: "script.lua", ..script };
    let component = wasm(PROBE);
    let of_script = entry("sign", "emit-sign/x");
    let of_component =
        entry("emit-sign/+", "sign") + "config = { name = \"probe\", hooks = [\"publish\"] }\n";
    let house = House::with_chain(&[
        ("1", &script, &of_script),
        ("2", &component, &of_component),
        ("3", &script, &of_script),
        ("4", &component, &of_component),
        ("5", &script, &of_script),
        ("6", &component, &of_component),
    ]);
    // One by the client, three that answer the first three components, one that answers them.
    assert_eq!(comes_of_one(&house, "emit-sign/x").len(), 1 + 3 + 1);
    let stats = house.plugin(&["stats", "6"]);
    assert!(stats.contains("1 messages refused"), "{stats}");
}

/// What is published on an event is an event itself.
#[test]
fn scripts_that_publish_what_they_hear_of_come_to_an_end() {
    let hears = |from: &str, to: &str| {
        lua(&format!(
            "return {{ events = {{ 'published' }}, on_events = function(batch)\n\
             for _, event in batch do\n\
             if event.topic == '{from}' then broker.publish({{ topic = '{to}' }}) end\n\
             end end }}"
        ))
    };
    let (a, b) = (hears("to/a", "to/b"), Code { file: "b.lua", ..hears("to/b", "to/a") });
    let entry = "grants = { publish = [\"to/+\"] }\n";
    let house = House::with_chain(&[("hostile", &a, entry), ("b", &b, entry)]);
    let mut others = Others::of(&house.broker);
    let mut client = house.broker.v5("c");
    client.subscribes("to/+", 0);
    client.publishes("to/a", "x");
    for topic in ["to/a", "to/b", "to/a", "to/b", "to/a"] {
        assert_eq!(client.next_publish().topic, topic);
    }
    house.broker.says(&["A plugin failed.", "on_events", "too many plugins"]);
    client.receives_nothing();
    others.go_on();
}
