use crate::harness::{Beside, Broker, LOOPBACK, Place, write_certificate};

struct House {
    place: Place,
    broker: Broker,
}

impl House {
    fn new() -> Self {
        let place = Place::new();
        let broker = place.broker(LOOPBACK);
        Self { place, broker }
    }

    fn publish(&self, args: &[&str]) {
        let port = self.broker.port();
        self.place.pintle(&[&["pub", "-p", &port][..], args].concat()).succeeds();
    }

    /// A subscriber that has its subscription.
    fn subscriber(&self, args: &[&str]) -> Beside {
        let port = self.broker.port();
        let id = args.last().unwrap();
        let client = self.place.spawn(&[&["sub", "-p", &port][..], args].concat());
        self.broker.says(&["Sending SUBACK", id]);
        client
    }

    fn received(&self, args: &[&str]) -> String {
        let port = self.broker.port();
        self.place.pintle(&[&["sub", "-p", &port][..], args].concat()).succeeds()
    }
}

#[test]
fn messages_of_every_qos_arrive_in_every_version() {
    let house = House::new();
    for version in ["31", "311", "5"] {
        for qos in ["0", "1", "2"] {
            let id = format!("sub-{version}-{qos}");
            let topic = format!("t/{version}/{qos}");
            let args = ["-V", version, "-q", qos, "-t", &topic, "-C", "1", "-v", "-i", &id];
            let client = house.subscriber(&args);
            house.publish(&["-V", version, "-q", qos, "-t", &topic, "-m", "hello"]);
            client.output.says(&[&format!("{topic} hello")]);
            assert_eq!(client.ends().code(), Some(0));
        }
    }
}

#[test]
fn a_payload_comes_from_argument_file_standard_input_or_nowhere() {
    let house = House::new();
    let port = house.broker.port();
    house.place.write("payload", "from a file\n");
    house.publish(&["-t", "a", "-r", "-m", "-1.5"]);
    house.publish(&["-t", "b", "-r", "-f", "payload"]);
    let piped = ["pub", "-p", &port, "-t", "c", "-r", "-s"];
    house.place.pintle_fed(&piped, b"two\nlines").succeeds();
    assert_eq!(house.received(&["-t", "a", "-C", "1"]), "-1.5\n");
    assert_eq!(house.received(&["-t", "b", "-C", "1", "-N"]), "from a file\n");
    assert_eq!(house.received(&["-t", "c", "-C", "1"]), "two\nlines\n");
    house.publish(&["-t", "a", "-r", "-n"]);
    assert_eq!(house.received(&["-t", "+", "-v", "-C", "2"]).lines().count(), 4);
}

#[test]
fn each_line_of_standard_input_is_a_message_with_l() {
    let house = House::new();
    let port = house.broker.port();
    let client = house.subscriber(&["-t", "t", "-q", "2", "-C", "3", "-i", "lines"]);
    house
        .place
        .pintle_fed(&["pub", "-p", &port, "-t", "t", "-q", "2", "-l"], b"1\n2\n3")
        .succeeds();
    client.output.says(&["3"]);
    assert_eq!(client.output.all(), ["1", "2", "3"]);
}

#[test]
fn a_message_is_one_json_object_with_its_properties() {
    let house = House::new();
    let properties = ["--content-type", "text/plain", "--user-property", "a=1"];
    house.publish(&[&["-t", "t", "-r", "-m", "x"][..], &properties].concat());
    let line = house.received(&["-t", "t", "-C", "1", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["topic"], "t");
    assert_eq!(object["payload"], "x");
    assert_eq!(object["retain"], true);
    assert_eq!(object["properties"]["content-type"], "text/plain");
    assert_eq!(object["properties"]["user-properties"][0][1], "1");
}

#[test]
fn a_subscriber_that_waits_in_vain_ends_with_27() {
    let house = House::new();
    let port = house.broker.port();
    house.place.pintle(&["sub", "-p", &port, "-t", "t", "-W", "0.3"]).fails_with(27);
}

#[test]
fn a_shared_subscription_gives_each_message_to_one_of_its_clients() {
    let house = House::new();
    let one = house.subscriber(&["-t", "$share/g/t", "-C", "1", "-i", "one"]);
    let two = house.subscriber(&["-t", "$share/g/t", "-C", "1", "-i", "two"]);
    house.publish(&["-t", "t", "-m", "a"]);
    house.publish(&["-t", "t", "-m", "b"]);
    one.output.says(&[""]);
    two.output.says(&[""]);
    let mut all = [one.output.all(), two.output.all()].concat();
    all.sort();
    assert_eq!(all, ["a", "b"]);
}

#[test]
fn a_kept_session_has_the_messages_that_came_meanwhile() {
    let house = House::new();
    let session = ["-i", "kept", "-c", "-t", "t", "-q", "1"];
    house.received(&[&session[..], &["-E"]].concat());
    house.publish(&["-t", "t", "-q", "1", "-m", "meanwhile"]);
    assert_eq!(house.received(&[&session[..], &["-C", "1"]].concat()), "meanwhile\n");
}

#[test]
fn a_will_is_sent_when_its_client_is_killed() {
    let house = House::new();
    let watch = house.subscriber(&["-t", "will", "-C", "1", "-i", "watch"]);
    let args = ["--will-topic", "will", "--will-payload", "gone", "-t", "x", "-i", "mortal"];
    let mortal = house.subscriber(&args);
    mortal.signal("KILL");
    watch.output.says(&["gone"]);
}

#[test]
fn a_client_that_is_interrupted_takes_its_leave_and_sends_no_will() {
    let house = House::new();
    let args = ["--will-topic", "will", "--will-payload", "gone", "-t", "x", "-i", "polite"];
    let polite = house.subscriber(&args);
    polite.signal("INT");
    house.broker.says(&["Received DISCONNECT (Success) from polite"]);
    assert_eq!(polite.ends().code(), Some(0));
}

#[test]
fn where_nobody_listens_the_error_says_how_to_start_a_broker() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let args = ["pub", "-h", "127.0.0.1", "-p", &port, "-t", "t", "-m", "x"];
    let error = Place::new().pintle(&args).fails_with(1);
    assert!(error.contains("Is the broker running? Start one with `pintle`"), "{error}");
}

#[test]
fn a_topic_with_a_wildcard_is_not_published_to() {
    let house = House::new();
    let port = house.broker.port();
    let args = ["pub", "-p", &port, "-t", "a/#", "-m", "x"];
    let error = house.place.pintle(&args).fails_with(1);
    assert!(error.starts_with("pintle: \"a/#\" is no Topic Name: "), "{error}");
}

#[test]
fn properties_need_mqtt_5() {
    let args = ["pub", "-V", "311", "-t", "t", "-m", "x", "--expiry", "5"];
    let error = Place::new().pintle(&args).fails_with(1);
    assert_eq!(error, "pintle: properties of a message need MQTT 5 (-V 5)\n");
}

#[test]
fn a_message_goes_through_tls_websocket_and_both() {
    let place = Place::new();
    write_certificate(&place.path("cert.pem"), &place.path("key.pem"));
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let web = "protocol = \"websocket\"\n";
    let broker = place.broker(&format!("{LOOPBACK}{tls}{LOOPBACK}{web}{LOOPBACK}{web}{tls}"));
    let ways: [&[&str]; 3] =
        [&["--cafile", "cert.pem"], &["--ws"], &["--ws", "--cafile", "cert.pem"]];
    for (listener, way) in ways.into_iter().enumerate() {
        let port = broker.port_of(listener);
        let topic = format!("t/{listener}");
        let send = ["pub", "-p", &port, "-t", &topic, "-q", "2", "-r", "-m", "hello"];
        place.pintle(&[&send[..], way].concat()).succeeds();
        let take = ["sub", "-p", &port, "-t", &topic, "-q", "2", "-C", "1"];
        assert_eq!(place.pintle(&[&take[..], way].concat()).succeeds(), "hello\n");
    }
}

#[test]
fn a_client_without_tls_at_a_port_with_tls_is_told_what_to_try() {
    let place = Place::new();
    write_certificate(&place.path("cert.pem"), &place.path("key.pem"));
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let broker = place.broker(&format!("{LOOPBACK}{tls}"));
    let args = ["pub", "-h", "127.0.0.1", "-p", &broker.port(), "-t", "t", "-m", "x"];
    let error = place.pintle(&args).fails_with(1);
    assert!(error.contains("does not answer as an MQTT broker"), "{error}");
    assert!(error.contains("--cafile"), "{error}");
}

#[test]
fn a_certificate_of_an_unknown_ca_is_refused_by_the_client() {
    let place = Place::new();
    write_certificate(&place.path("cert.pem"), &place.path("key.pem"));
    write_certificate(&place.path("other.pem"), &place.path("other-key.pem"));
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    let broker = place.broker(&format!("{LOOPBACK}{tls}"));
    let port = broker.port();
    let args = ["pub", "-p", &port, "-t", "t", "-m", "x", "--cafile", "other.pem"];
    let error = place.pintle(&args).fails_with(1);
    assert!(error.starts_with("pintle: TLS with localhost:"), "{error}");
    assert!(error.contains("--cafile"), "{error}");
}
