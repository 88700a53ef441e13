//! A reload of the configuration adds, replaces and takes out plugins.

use serde_json::Value;

use crate::place::{House, LISTENER};

fn acl(name: &str, more: &str) -> String {
    format!(
        "[[plugin]]\nname = \"{name}\"\nuse = \"builtin:acl-file\"\nconfig = {{ path = \"acl\" }}\n\
         {more}"
    )
}

fn rewrite(house: &House, config: &str) -> Result<Vec<String>, String> {
    house.place.write("pintle.toml", &format!("{config}\n{LISTENER}"));
    let reloaded = house.broker.reload();
    reloaded.map(|reloaded| reloaded.applied).map_err(|error| error.to_string())
}

#[test]
fn a_plugin_that_appears_is_added_and_one_that_goes_is_taken_out() {
    let house = House::new("");
    house.place.write("acl", "topic readwrite open/#\n");
    let applied = rewrite(&house, &acl("topics", ""));
    assert_eq!(applied.unwrap(), ["the plugin `topics` is new"]);
    assert!(house.heard(&["closed/a"]).is_empty());
    assert_eq!(rewrite(&house, "").unwrap(), ["the plugin `topics` is taken out"]);
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
    assert!(rewrite(&house, "").unwrap().is_empty());
}

#[test]
fn a_changed_entry_replaces_its_plugin_and_no_other() {
    let house = House::new("");
    house.place.write("acl", "topic readwrite open/#\n");
    rewrite(&house, &(acl("a", "") + &acl("b", ""))).unwrap();
    let applied =
        rewrite(&house, &(acl("a", "") + &acl("b", "limits = { authorize = \"5ms\" }\n")));
    assert_eq!(applied.unwrap(), ["the plugin `b` is replaced"]);
    let generation =
        |name: &str| house.get(&format!("/plugins/{name}")).is(200)["generation"].clone();
    assert_eq!((generation("a"), generation("b")), (1.into(), 2.into()));
    house.place.write("acl", "topic readwrite #\n");
    let applied = house.broker.reload().unwrap().applied;
    assert_eq!(applied.len(), 2, "{applied:?}");
    assert_eq!((generation("a"), generation("b")), (1.into(), 2.into()));
}

#[test]
fn one_plugin_that_fails_keeps_everything_as_it_was() {
    let house = House::new("");
    house.place.write("acl", "topic readwrite open/#\n");
    rewrite(&house, &acl("a", "")).unwrap();
    house.place.write("bad", "topik x\n");
    let bad = acl("b", "").replace("\"acl\"", "\"bad\"");
    let error = rewrite(&house, &(acl("a", "topics = [\"x\"]\n") + &bad)).unwrap_err();
    assert!(error.contains("bad:1"), "{error}");
    let names = house.get("/plugins").is(200);
    let names: Vec<&str> =
        names.as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(names, ["sys-stats", "a"]);
    assert_eq!(house.get("/plugins/a").is(200)["topics"], Value::Array(Vec::new()));
}

#[test]
fn a_plugin_that_was_loaded_by_command_survives_a_reload_and_is_read_again_with_it() {
    let house = House::new("");
    house.load_acl("topic readwrite open/#\n");
    rewrite(&house, "[limits]\ninflight_max = 9\n").unwrap();
    assert!(house.heard(&["closed/a"]).is_empty());
    house.place.write("acl", "topic readwrite #\n");
    let applied = house.broker.reload().unwrap().applied;
    assert_eq!(applied, ["settings and files of the plugin `topics`"]);
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
}

#[test]
fn a_loaded_plugin_whose_file_breaks_goes_on_as_it_was() {
    let house = House::new("");
    house.load_acl("topic readwrite open/#\n");
    house.place.write("acl", "topik\n");
    assert!(house.broker.reload().unwrap().applied.is_empty());
    assert_eq!(house.heard(&["open/a", "closed/a"]), ["open/a"]);
}

#[test]
fn a_disabled_plugin_stays_disabled_through_a_reload() {
    let house = House::new("");
    house.place.write("acl", "topic readwrite open/#\n");
    rewrite(&house, &acl("topics", "")).unwrap();
    house.post("/plugins/topics/disable", &Value::Null).is(200);
    assert!(
        rewrite(&house, &acl("topics", "limits = { authorize = \"5ms\" }\n")).unwrap().is_empty()
    );
    assert_eq!(house.heard(&["closed/a"]), ["closed/a"]);
    house.post("/plugins/topics/enable", &Value::Null).is(200);
    assert!(house.heard(&["closed/a"]).is_empty());
}

#[test]
fn a_saved_plugin_is_taken_over_by_the_configuration_without_a_new_generation() {
    let house = House::new("");
    let path = house.place.write("acl", "topic readwrite open/#\n");
    let body = serde_json::json!({
        "path": "builtin:acl-file", "name": "topics", "config": { "path": path }, "save": true,
    });
    house.post("/plugins", &body).is(200);
    assert!(house.broker.reload().unwrap().applied.is_empty());
    let info = house.get("/plugins/topics").is(200);
    assert_eq!(info["generation"], 1);
    assert!(info["origin"].as_str().unwrap().ends_with("conf.d/topics.toml:2"), "{info}");
}
