/// The MQTT version a Network Connection speaks, as its CONNECT named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// Protocol name `MQIsdp`, level 3.
    V3_1,
    /// Protocol name `MQTT`, level 4.
    V3_1_1,
    /// Protocol name `MQTT`, version 5.
    V5_0,
}

impl ProtocolVersion {
    /// How this version lays out the packets that both generations have.
    pub fn layout(self) -> Layout {
        match self {
            Self::V3_1 | Self::V3_1_1 => Layout::V3,
            Self::V5_0 => Layout::V5,
        }
    }

    /// Whether packets carry properties and Reason Codes.
    pub fn is_v5(self) -> bool {
        self.layout() == Layout::V5
    }
}

/// The two encodings of a PUBLISH: without properties (3.1, 3.1.1) and with them (5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// 3.1 and 3.1.1.
    V3,
    /// 5.0.
    V5,
}
