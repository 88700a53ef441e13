use super::Prop;
use super::build::{Encode, frame, put_string};
use crate::Version;

/// CONNECT.
#[derive(Clone, Debug)]
pub struct Connect {
    client_id: Vec<u8>,
    clean: bool,
    keep_alive_secs: u16,
    username: Option<Vec<u8>>,
    password: Option<Vec<u8>>,
    will: Option<Will>,
    props: Vec<Prop>,
    protocol: Option<(Vec<u8>, u8)>,
    flags: Option<u8>,
}

impl Connect {
    /// A clean start, without keep alive, will, user name.
    pub fn new(client_id: impl AsRef<[u8]>) -> Self {
        Self {
            client_id: client_id.as_ref().to_vec(),
            clean: true,
            keep_alive_secs: 0,
            username: None,
            password: None,
            will: None,
            props: Vec::new(),
            protocol: None,
            flags: None,
        }
    }

    /// Without Clean Start (Clean Session), and in v5 with a Session Expiry Interval that lasts.
    #[must_use]
    pub fn keeping_its_session(self) -> Self {
        self.resuming().with(Prop::SessionExpiry(3600))
    }

    /// Without Clean Start (Clean Session).
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.clean = false;
        self
    }

    /// With this Keep Alive.
    #[must_use]
    pub fn keep_alive_secs(mut self, secs: u16) -> Self {
        self.keep_alive_secs = secs;
        self
    }

    /// With this User Name.
    #[must_use]
    pub fn username(mut self, name: impl AsRef<[u8]>) -> Self {
        self.username = Some(name.as_ref().to_vec());
        self
    }

    /// With this Password.
    #[must_use]
    pub fn password(mut self, password: impl AsRef<[u8]>) -> Self {
        self.password = Some(password.as_ref().to_vec());
        self
    }

    /// With this will.
    #[must_use]
    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// With one more property (v5).
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }

    /// With another Protocol Name and level.
    #[must_use]
    pub fn protocol(mut self, name: impl AsRef<[u8]>, level: u8) -> Self {
        self.protocol = Some((name.as_ref().to_vec(), level));
        self
    }

    /// With these Connect Flags, whatever fields follow.
    #[must_use]
    pub fn flags(mut self, flags: u8) -> Self {
        self.flags = Some(flags);
        self
    }

    fn true_flags(&self) -> u8 {
        let will =
            self.will.as_ref().map_or(0, |will| 0x04 | will.qos << 3 | u8::from(will.retain) << 5);
        will | u8::from(self.clean) << 1
            | u8::from(self.password.is_some()) << 6
            | u8::from(self.username.is_some()) << 7
    }

    /// Everything after the Fixed Header.
    pub fn body(&self, version: Version) -> Vec<u8> {
        let (name, level) = match &self.protocol {
            Some((name, level)) => (name.as_slice(), *level),
            None => {
                let (name, level) = version.protocol();
                (name.as_bytes(), level)
            }
        };
        let mut body = Vec::new();
        put_string(name, &mut body);
        body.push(level);
        body.push(self.flags.unwrap_or_else(|| self.true_flags()));
        body.extend_from_slice(&self.keep_alive_secs.to_be_bytes());
        if version == Version::V5 {
            Prop::encode_all(&self.props, &mut body);
        }
        put_string(&self.client_id, &mut body);
        if let Some(will) = &self.will {
            if version == Version::V5 {
                Prop::encode_all(&will.props, &mut body);
            }
            put_string(&will.topic, &mut body);
            put_string(&will.payload, &mut body);
        }
        for field in [&self.username, &self.password].into_iter().flatten() {
            put_string(field, &mut body);
        }
        body
    }
}

impl Encode for Connect {
    fn encode(&self, version: Version) -> Vec<u8> {
        frame(0x10, &self.body(version))
    }
}

/// The will of a CONNECT.
#[derive(Clone, Debug)]
pub struct Will {
    topic: Vec<u8>,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    props: Vec<Prop>,
}

impl Will {
    /// QoS 0, not retained.
    pub fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        Self {
            topic: topic.as_ref().to_vec(),
            payload: payload.as_ref().to_vec(),
            qos: 0,
            retain: false,
            props: Vec::new(),
        }
    }

    /// With this QoS, 3 included.
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.qos = qos;
        self
    }

    /// With Will Retain.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// With one more property (v5).
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }
}
