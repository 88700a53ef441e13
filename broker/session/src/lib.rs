//! One MQTT client's conversation as state machines that are told the time
