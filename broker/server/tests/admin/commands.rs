//! Commands to plugins, and questions about them.

use serde_json::json;

use crate::place::House;
use crate::probe::probe;

#[test]
fn a_command_is_answered_by_the_plugin() {
    let house = House::with_plugin("", probe());
    let echo = json!({ "command": "echo", "args": { "a": [1, 2] } });
    let answer = house.post("/plugins/probe/command", &echo).is(200);
    assert_eq!(answer["answer"], "{\"a\":[1,2]}");
}

#[test]
fn a_command_that_a_plugin_refuses_or_does_not_take_is_an_error() {
    let house = House::with_plugin("", probe());
    let dance = json!({ "command": "dance" });
    let refused = house.post("/plugins/probe/command", &dance).refuses(422);
    assert!(refused.contains("there is no command `dance`"), "{refused}");
    let refused = house.post("/plugins/sys-stats/command", &dance).refuses(422);
    assert!(refused.contains("it takes no commands"), "{refused}");
    house.post("/plugins/probe/command", &json!({})).refuses(400);
    house.ask("POST", "/plugins/probe/command", "{").refuses(400);
}

#[test]
fn who_decides_is_told_as_the_plugins_are_now() {
    let house = House::new("");
    let question = json!({ "topic": "closed/a", "action": "publish", "client": "c" });
    assert_eq!(house.post("/explain", &question).is(200)["verdict"], "allow");
    house.load_acl("topic readwrite open/#\n");
    let answer = house.post("/explain", &question).is(200);
    assert_eq!((&answer["verdict"], &answer["reason_code"]), (&"deny".into(), &0x87.into()));
    assert_eq!(answer["voters"][0]["voter"], "topics");
    let wrong = json!({ "topic": "a/#", "action": "publish" });
    assert!(house.post("/explain", &wrong).refuses(400).contains("is no Topic Name"));
    let wrong = json!({ "topic": "a", "action": "publish", "qos": 3 });
    assert!(house.post("/explain", &wrong).refuses(400).contains("there is no QoS 3"));
}
