//! Plugins in Lua, loaded and replaced while clients are connected.

use serde_json::{Value, json};

use crate::http::Follower;
use crate::place::House;

const LOUD: &str = "local P = { name = \"loud\", version = \"1.0.0\" }\n\
                    function P.on_publish(client, topic, payload)\n\
                    \u{20} broker.log.info(\"heard \" .. topic)\n\
                    \u{20} return string.upper(payload)\n\
                    end\n\
                    return P\n";

const BROKEN: &str = "local P = {}\nfunction P.on_publish(client, topic, payload\nreturn P\n";

fn load(house: &House, script: &str) -> Value {
    let path = house.place.write("loud.lua", script);
    let body = json!({ "path": path, "on_error": { "publish": "pass" },
        "limits": { "publish": "10s" },
    });
    house.post("/plugins", &body).is(200)
}

/// What a subscriber gets of one message.
fn heard(house: &House, payload: &str) -> String {
    let (mut subscriber, mut publisher) = (house.client("s"), house.client("p"));
    subscriber.subscribe("t");
    publisher.publish("t", payload);
    subscriber.message()
}

#[test]
fn a_loaded_script_changes_the_messages_of_clients_that_were_there() {
    let house = House::new("");
    let (mut subscriber, mut publisher) = (house.client("s"), house.client("p"));
    subscriber.subscribe("t");
    publisher.publish("t", "before");
    assert_eq!(subscriber.message(), "t before");
    let done = load(&house, LOUD);
    assert_eq!(done["plugin"]["name"], "loud");
    assert_eq!(done["plugin"]["kind"], "lua");
    assert_eq!(done["plugin"]["hooks"], json!(["on_publish"]));
    publisher.publish("t", "after");
    assert_eq!(subscriber.message(), "t AFTER");
}

#[test]
fn a_broken_script_is_named_with_its_line_and_the_old_generation_goes_on() {
    let house = House::new("");
    load(&house, LOUD);
    house.place.write("loud.lua", BROKEN);
    let refused = house.post("/plugins/loud/reload", &Value::Null).refuses(422);
    assert!(refused.contains("loud.lua:3"), "{refused}");
    assert_eq!(heard(&house, "x"), "t X");
    assert!(house.broker.reload().unwrap().applied.is_empty());
    assert_eq!(heard(&house, "x"), "t X");
    assert_eq!(house.get("/plugins/loud").is(200)["generation"], 1);
}

#[test]
fn a_script_that_was_saved_takes_the_place_of_the_one_before_and_rolls_back() {
    let house = House::new("");
    load(&house, LOUD);
    house.place.write("loud.lua", &LOUD.replace("upper", "reverse"));
    let applied = house.broker.reload().unwrap().applied;
    assert_eq!(applied, ["the plugin `loud` is replaced"]);
    assert_eq!(heard(&house, "abc"), "t cba");
    house.post("/plugins/loud/rollback", &Value::Null).is(200);
    assert_eq!(heard(&house, "abc"), "t ABC");
    assert!(house.broker.reload().unwrap().applied.is_empty());
    assert_eq!(heard(&house, "abc"), "t ABC");
}

#[test]
fn without_a_policy_a_script_is_refused_with_the_words_that_help() {
    let house = House::new("");
    let path = house.place.write("loud.lua", LOUD);
    let refused = house.post("/plugins", &json!({ "path": path })).refuses(422);
    assert!(refused.contains("say what happens when it fails"), "{refused}");
    assert!(refused.contains("--on-error publish=pass"), "{refused}");
}

#[test]
fn a_folder_is_loaded_once_it_is_granted_what_it_needs_and_passes_its_own_cases() {
    let house = House::new("");
    let case = |payload: &str| {
        format!(
            "[[case]]\nname = \"it shouts\"\npublish = {{ topic = \"t\", payload = \"a\" }}\n\
             expect = {{ verdict = \"rewrite\", payload = \"{payload}\" }}\n"
        )
    };
    let manifest = "name = \"loud\"\nversion = \"1.0.0\"\nmain = \"main.lua\"\n\
                    on_error = { publish = \"pass\" }\n\
                    limits = { publish = \"10s\" }\ngrants = { publish = [\"out/#\"] }\n";
    house.place.write("loud/main.lua", LOUD);
    house.place.write("loud/plugin.toml", manifest);
    house.place.write("loud/cases/shout.toml", &case("B"));
    let mut body = json!({ "path": house.place.path("loud") });
    let refused = house.post("/plugins", &body).refuses(422);
    assert!(refused.contains("publish = [\"out/#\"]"), "{refused}");
    body["grants"] = json!({ "publish": ["out/#"] });
    let refused = house.post("/plugins", &body).refuses(422);
    assert!(refused.contains("it shouts"), "{refused}");
    house.place.write("loud/cases/shout.toml", &case("A"));
    house.post("/plugins", &body).is(200);
    assert_eq!(heard(&house, "x"), "t X");
}

#[test]
fn a_script_of_the_configuration_that_changes_is_replaced_by_a_reload() {
    let place = crate::place::Place::new();
    place.write("loud.lua", LOUD);
    let entry = "[[plugin]]\nuse = \"loud.lua\"\non_error = { publish = \"pass\" }\n\
                 limits = { publish = \"10s\" }\n";
    let broker = place.start(entry).unwrap();
    let house = House { place, broker };
    assert_eq!(heard(&house, "abc"), "t ABC");
    house.place.write("loud.lua", &LOUD.replace("upper", "reverse"));
    assert_eq!(house.broker.reload().unwrap().applied, ["the plugin `loud` is replaced"]);
    assert_eq!(heard(&house, "abc"), "t cba");
    house.place.write("loud.lua", BROKEN);
    let error = house.broker.reload().unwrap_err().to_string();
    assert!(error.contains("loud.lua:3"), "{error}");
    assert_eq!(heard(&house, "abc"), "t cba");
}

#[test]
fn figures_that_a_script_keeps_are_told_with_the_broker_s() {
    let house = House::new("");
    let script = LOUD.replace(
        "  return string.upper(payload)",
        "  broker.metric.count(\"heard_total\", 2, { topic = topic })\n\
         \u{20} broker.metric.gauge(\"length\", #payload)\n\
         \u{20} broker.metric.observe(\"size\", #payload)",
    );
    let path = house.place.write("loud.lua", &script);
    let body = json!({ "path": path, "topics": ["t"], "on_error": { "publish": "pass" },
        "limits": { "publish": "10s" },
    });
    house.post("/plugins", &body).is(200);
    assert_eq!(heard(&house, "abc"), "t abc");
    let text = house.get("/metrics").text;
    for line in [
        "# TYPE pintle_plugin_own_heard counter\n",
        "pintle_plugin_own_heard_total{plugin=\"loud\",topic=\"t\"} 2\n",
        "pintle_plugin_own_length{plugin=\"loud\"} 3.0\n",
        "pintle_plugin_own_size_sum{plugin=\"loud\"} 3.0\n",
        "pintle_plugin_own_size_count{plugin=\"loud\"} 1\n",
    ] {
        assert!(text.contains(line), "no {line} in:\n{text}");
    }
}

#[test]
fn what_a_script_says_is_followed_as_it_comes() {
    // The log is the process's; this is the one test that sets it up.
    let log = pintle_server::config::LogConfig {
        level: pintle_server::config::LogLevel::Off,
        ..pintle_server::config::LogConfig::default()
    };
    pintle_server::Telemetry::init(&log, pintle_server::Verbosity::Configured).unwrap();
    let house = House::new("");
    let path = house.place.write("talker.lua", LOUD);
    let body = json!({ "path": path, "topics": ["t"], "on_error": { "publish": "pass" },
        "limits": { "publish": "10s" },
    });
    house.post("/plugins", &body).is(200);
    let mut follower = Follower::new(house.socket(), "talker");
    house.client("p").publish("t", "x");
    let line = follower.next();
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"heard t".into()));
}
