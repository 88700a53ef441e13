//! Plugins that are loaded, replaced and taken out while clients are connected.

use std::fs;

use serde_json::{Value, json};

use crate::place::{House, Place};

const OPEN_ONLY: &str = "topic readwrite open/#\n";

#[test]
fn a_loaded_plugin_decides_from_the_next_message_on_also_of_clients_that_were_there() {
    let house = House::new("");
    let (mut subscriber, mut publisher) = (house.client("s"), house.client("p"));
    subscriber.subscribe("#");
    publisher.publish("closed/a", "before");
    assert_eq!(subscriber.message(), "closed/a before");
    let done = house.load_acl(OPEN_ONLY);
    assert_eq!(done["plugin"]["generation"], 1);
    assert_eq!(done["replaced"], false);
    assert_eq!(done["plugin"]["origin"], "loaded by command, gone at the next start");
    assert_eq!(done["notes"][0], "It is gone at the next start; --save keeps it.");
    publisher.publish("closed/a", "after");
    publisher.publish("open/a", "after");
    assert_eq!(subscriber.message(), "open/a after");
}

#[test]
fn what_can_not_be_loaded_names_the_line_and_changes_nothing() {
    let house = House::new("");
    house.load_acl(OPEN_ONLY);
    house.place.write("acl", "topic readwrite closed/#\ntopik x\n");
    let refused = house.post("/plugins/topics/reload", &Value::Null).refuses(422);
    assert!(refused.contains("acl:2"), "{refused}");
    assert_eq!(house.heard(&["open/a", "closed/a"]), ["open/a"]);
    assert_eq!(house.get("/plugins/topics").is(200)["generation"], 1);
}

#[test]
fn a_plugin_that_is_not_there_or_makes_no_sense_is_refused() {
    let house = House::new("");
    let load = |body: &Value| house.post("/plugins", body);
    let refused = load(&json!({ "path": "/nowhere/x.lua" })).refuses(422);
    assert!(refused.contains("no such file or folder"), "{refused}");
    let refused = load(&json!({ "path": "builtin:acl" })).refuses(422);
    assert!(refused.contains("Did you mean `builtin:acl-file`?"), "{refused}");
    let refused = load(&json!({ "path": "builtin:acl-file", "colour": 3 })).refuses(422);
    assert!(refused.contains("colour: unknown key"), "{refused}");
    let odd = json!({ "path": "builtin:sys-stats", "name": "../up" });
    assert!(load(&odd).refuses(400).contains("is no name for a plugin"));
    load(&json!({ "name": "x" })).refuses(400);
    load(&json!({ "path": "x", "save": 1 })).refuses(400);
    assert_eq!(house.get("/plugins").is(200).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_reload_replaces_and_a_rollback_brings_the_generation_before_back() {
    let house = House::new("");
    house.load_acl(OPEN_ONLY);
    let refused = house.post("/plugins/topics/rollback", &Value::Null).refuses(409);
    assert!(refused.contains("no earlier generation"), "{refused}");
    house.place.write("acl", "topic readwrite #\n");
    let done = house.post("/plugins/topics/reload", &Value::Null).is(200);
    assert_eq!(done["plugin"]["generation"], 2);
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
    let done = house.post("/plugins/topics/rollback", &Value::Null).is(200);
    assert_eq!(done["plugin"]["generation"], 3);
    assert!(house.heard(&["closed/a"]).is_empty());
}

#[test]
fn a_disabled_plugin_is_not_asked_until_it_is_enabled() {
    let house = House::new("");
    house.load_acl(OPEN_ONLY);
    let done = house.post("/plugins/topics/disable", &Value::Null).is(200);
    assert_eq!(done["plugin"]["enabled"], false);
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
    house.get("/plugins/topics/stats").refuses(409);
    let refused = house.post("/plugins/topics/reload", &Value::Null).refuses(409);
    assert!(refused.contains("pintle plugin enable topics"), "{refused}");
    let done = house.post("/plugins/topics/enable", &Value::Null).is(200);
    assert_eq!(done["plugin"]["enabled"], true);
    assert!(house.heard(&["closed/a"]).is_empty());
}

#[test]
fn a_plugin_that_is_enabled_again_is_read_again() {
    let house = House::new("");
    house.load_acl(OPEN_ONLY);
    house.post("/plugins/topics/disable", &Value::Null).is(200);
    house.place.write("acl", "topic readwrite #\n");
    house.post("/plugins/topics/enable", &Value::Null).is(200);
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
}

#[test]
fn a_plugin_whose_files_have_broken_is_enabled_as_it_was() {
    let house = House::new("");
    house.load_acl(OPEN_ONLY);
    house.post("/plugins/topics/disable", &Value::Null).is(200);
    house.place.write("acl", "topik\n");
    let done = house.post("/plugins/topics/enable", &Value::Null).is(200);
    let note = done["notes"][0].as_str().unwrap();
    assert!(note.starts_with("It is as it was") && note.contains("acl:1"), "{note}");
    assert!(house.heard(&["closed/a"]).is_empty());
}

#[test]
fn a_removed_plugin_is_gone() {
    let house = House::new("");
    house.load_acl(OPEN_ONLY);
    house.delete("/plugins/topics").is(200);
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
    house.get("/plugins/topics").refuses(404);
    house.delete("/plugins/topics").refuses(404);
}

#[test]
fn a_plugin_that_decides_who_connects_tells_where_anybody_still_may() {
    let house = House::new("");
    let users = house.place.write("users", "");
    let config = json!({ "path": users, "reject_unknown": false });
    let done =
        house.post("/plugins", &json!({ "path": "builtin:password-file", "config": config }));
    let done = done.is(200);
    let note = done["notes"][1].as_str().unwrap();
    assert!(note.contains("let in at 127.0.0.1:0 as before"), "{note}");
}

#[test]
fn a_saved_plugin_is_there_after_the_next_start_until_it_is_removed() {
    let house = House::new("");
    let acl = house.place.write("acl", OPEN_ONLY);
    let body = json!({
        "path": "builtin:acl-file", "name": "topics", "config": { "path": acl }, "save": true,
    });
    let done = house.post("/plugins", &body).is(200);
    let saved = house.place.path("conf.d/topics.toml");
    assert_eq!(done["saved"], saved.display().to_string());
    let House { place, broker } = house;
    broker.shutdown();

    let broker = place.start("").unwrap();
    let house = House { place, broker };
    assert!(house.heard(&["closed/a"]).is_empty());
    let origin = house.get("/plugins/topics").is(200)["origin"].clone();
    assert_eq!(origin, format!("{}:2", saved.display()));
    house.delete("/plugins/topics").is(200);
    assert!(!saved.exists());
    house.broker.reload().unwrap();
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
}

#[test]
fn a_plugin_of_the_configuration_is_not_saved_over() {
    let place = Place::new();
    let acl = place.write("acl", OPEN_ONLY);
    let entry = format!(
        "[[plugin]]\nname = \"topics\"\nuse = \"builtin:acl-file\"\nconfig = {{ path = {acl:?} }}\n"
    );
    let broker = place.start(&entry).unwrap();
    let house = House { place, broker };
    let body = json!({
        "path": "builtin:acl-file", "name": "topics", "config": { "path": acl }, "save": true,
    });
    let refused = house.post("/plugins", &body).refuses(409);
    assert!(refused.contains("stands in the configuration already"), "{refused}");
    assert!(!house.place.path("conf.d").exists());
    fs::write(&acl, "topic readwrite #\n").unwrap();
    let done = house.post("/plugins/topics/reload", &Value::Null).is(200);
    assert_eq!(done["plugin"]["generation"], 2);
    let note = house.delete("/plugins/topics").is(200)["notes"][0].clone();
    assert!(note.as_str().unwrap().contains("The configuration brings it back"), "{note}");
}
