use pintle_mqtt::{ReasonCode, Violation};

/// The enhanced authentication of one Network Connection (4.12), from the server's side.
///
/// Knows whose turn it is and what may come; the method's own data passes it by.
#[derive(Debug)]
pub struct AuthExchange {
    method: Option<Box<str>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No method in CONNECT: no AUTH packets at all.
    Absent,
    /// Before CONNACK.
    DuringConnect(Turn),
    /// Accepted; the client may begin anew.
    Idle,
    /// The client asked to authenticate again while its connection goes on.
    ReAuthenticating(Turn),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Client,
    Server,
}

/// What an AUTH packet asks the server to do; its Authentication Data goes to the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthStep {
    /// Go on with the CONNECT that waits: answer AUTH 0x18 or CONNACK.
    ContinueConnect,
    /// Begin authenticating again: answer AUTH 0x18, AUTH 0x00 or DISCONNECT.
    BeginReAuthentication,
    /// Go on authenticating again: answer likewise.
    ContinueReAuthentication,
}

impl AuthExchange {
    /// From the Authentication Method and Authentication Data of a CONNECT. With a method it is
    /// the server's turn.
    ///
    /// # Errors
    /// `ProtocolError` (0x82) for data without a method.
    pub fn of_connect(method: Option<&str>, has_data: bool) -> Result<Self, Violation> {
        if method.is_none() && has_data {
            let what = "a CONNECT has Authentication Data but no Authentication Method";
            return Err(Violation::protocol_error(what));
        }
        Ok(Self {
            method: method.map(Box::from),
            state: match method {
                None => State::Absent,
                Some(_) => State::DuringConnect(Turn::Server),
            },
        })
    }

    /// The method of CONNECT, which every AUTH and a successful CONNACK must carry
    /// [MQTT-4.12.0-5].
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// Whether CONNACK is still to come, so that only AUTH and DISCONNECT may come
    /// [MQTT-3.1.2-30].
    pub fn is_during_connect(&self) -> bool {
        matches!(self.state, State::DuringConnect(_))
    }

    /// Whether the client is authenticating again; other packets go on as before.
    pub fn is_re_authenticating(&self) -> bool {
        matches!(self.state, State::ReAuthenticating(_))
    }

    /// A packet that is neither AUTH nor DISCONNECT came.
    ///
    /// # Errors
    /// `ProtocolError` (0x82) before CONNACK [MQTT-3.1.2-30].
    pub fn other_packet(&self) -> Result<(), Violation> {
        if self.is_during_connect() {
            let what = "a packet other than AUTH or DISCONNECT came before CONNACK";
            return Err(Violation::protocol_error(what));
        }
        Ok(())
    }

    /// An AUTH packet came.
    ///
    /// # Errors
    /// `ProtocolError` (0x82) if CONNECT had no method [MQTT-4.12.0-7], if the method is missing or
    /// another one [MQTT-4.12.0-5] [MQTT-4.12.1-1], and for a Reason Code that does not fit: 0x18
    /// answers the server [MQTT-4.12.0-3], 0x19 begins again once connected.
    pub fn auth(
        &mut self,
        reason: ReasonCode,
        method: Option<&str>,
    ) -> Result<AuthStep, Violation> {
        let refused = |what| Err(Violation::protocol_error(what));
        if self.state == State::Absent {
            return refused("an AUTH came though CONNECT had no Authentication Method");
        }
        if method != self.method.as_deref() {
            return refused("an AUTH has not the Authentication Method of CONNECT");
        }
        match (self.state, reason) {
            (State::DuringConnect(Turn::Client), ReasonCode::ContinueAuthentication) => {
                self.state = State::DuringConnect(Turn::Server);
                Ok(AuthStep::ContinueConnect)
            }
            (State::ReAuthenticating(Turn::Client), ReasonCode::ContinueAuthentication) => {
                self.state = State::ReAuthenticating(Turn::Server);
                Ok(AuthStep::ContinueReAuthentication)
            }
            (State::Idle, ReasonCode::ReAuthenticate) => {
                self.state = State::ReAuthenticating(Turn::Server);
                Ok(AuthStep::BeginReAuthentication)
            }
            _ => refused("an AUTH has a Reason Code that does not fit here"),
        }
    }

    /// The server sends AUTH with 0x18 [MQTT-4.12.0-2]: the client's turn.
    pub fn challenged(&mut self) {
        self.state = match self.state {
            State::DuringConnect(_) => State::DuringConnect(Turn::Client),
            State::ReAuthenticating(_) => State::ReAuthenticating(Turn::Client),
            State::Absent | State::Idle => self.state,
        };
    }

    /// The method is content: the server sends CONNACK, or AUTH with 0x00 after a
    /// re-authentication.
    pub fn succeeded(&mut self) {
        self.state = match self.state {
            State::Absent => State::Absent,
            State::DuringConnect(_) | State::Idle | State::ReAuthenticating(_) => State::Idle,
        };
    }
}
