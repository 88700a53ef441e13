use crate::scenario::Scenario;

/// [MQTT-3.3.1-5]
#[test]
fn a_retained_publish_replaces_the_one_before() {
    let mut b = Scenario::new();
    b.client("p").publishes("t", "old").retained();
    b.client("p").publishes("t", "new").retained();
    b.client("s").subscribes("t").receives(&["new"]);
}
