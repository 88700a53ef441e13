/// The MQTT version a test client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.
    V31,
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V31, Self::V311, Self::V5];
    /// Those without properties and Reason Codes.
    pub const V3: [Self; 2] = [Self::V31, Self::V311];

    /// Protocol Name and Protocol Level of CONNECT.
    pub fn protocol(self) -> (&'static str, u8) {
        match self {
            Self::V31 => ("MQIsdp", 3),
            Self::V311 => ("MQTT", 4),
            Self::V5 => ("MQTT", 5),
        }
    }
}
