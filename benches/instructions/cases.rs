mod codec;
mod delivery;
mod hooks;
mod routing;
mod sessions;

use pintle_mqtt::{
    Layout, PacketId, Properties, Property, PropertyBuffer, Publish, PublishFlags, QoS, TopicName,
};

use crate::workload::Case;

/// Everything that is counted.
pub(crate) fn all() -> Vec<Case> {
    [codec::CASES, routing::CASES, sessions::CASES, delivery::CASES, hooks::CASES].concat()
}

const TOPIC: &str = "plant/7/line/3/temperature";

/// A message of 64 bytes payload.
fn message(qos: QoS, properties: Properties<'_>) -> Publish<'_> {
    Publish {
        flags: PublishFlags { qos, ..PublishFlags::default() },
        topic: Some(TopicName::trusted(TOPIC)),
        packet_id: (qos > QoS::AtMostOnce).then_some(PacketId::FIRST),
        properties,
        payload: &[b'x'; 64],
    }
}

/// What a device might send along.
fn three_properties() -> PropertyBuffer {
    let mut properties = PropertyBuffer::new();
    properties.push(Property::MessageExpiryInterval(60));
    properties.push(Property::ContentType("application/json"));
    properties.push(Property::UserProperty(("origin", "device")));
    properties
}

/// `count` messages as one read brings them, with Packet Identifiers from 1 on above QoS 0.
fn messages(qos: QoS, properties: Properties<'_>, layout: Layout, count: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=count {
        let packet_id = PacketId::new(id).filter(|_| qos > QoS::AtMostOnce);
        Publish { packet_id, ..message(qos, properties) }.encode(layout, &mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = all().iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn every_case_runs_again_and_again() {
        for case in all() {
            let mut workload = (case.prepare)().unwrap();
            for _ in 0..3 {
                workload.reset();
                workload.run();
            }
        }
    }
}
