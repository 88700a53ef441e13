use pintle_mqtt::{Disconnect, ReasonCode};
use pintle_ports::{Event, EventKind};
use pintle_session::Ending;
use tracing::info;

use crate::connect::tell;
use crate::connection::{Connection, Halt, Phase};
use crate::worker::Worker;

impl Connection {
    /// DISCONNECT: the will is deleted, unless the client asks for it [MQTT-3.14.4-3]; nothing
    /// after it counts.
    pub(crate) fn disconnect(
        &mut self,
        worker: &mut Worker,
        disconnect: &Disconnect<'_>,
    ) -> Result<(), Halt> {
        let counters = &worker.engine().counters;
        counters.received(&counters.disconnect_received, 1);
        let live = self.live()?;
        if live.version.is_v5() {
            disconnect.check_from_client()?;
            let expiry_max = worker.bounds().settings.session_expiry_secs_max;
            let asked = disconnect.properties.session_expiry_interval();
            let mut state = live.session.lock();
            if state.epoch == live.epoch {
                state.expiry.change_at_disconnect(asked, expiry_max)?;
            }
        }
        self.flush_replies(worker);
        let ending = if disconnect.reason == ReasonCode::Success {
            Ending::NormalDisconnect
        } else {
            Ending::DisconnectWithWill
        };
        let Phase::Live(live) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return Err(Halt::Gone);
        };
        if worker.settle(&live.session, live.epoch, ending, Some(Vec::new())) {
            info!(client_id = %live.identity.client_id, "Client disconnected.");
            let (who, reason) = (&*live.identity, disconnect.reason);
            tell(worker, EventKind::Disconnected, Event::Disconnected { who, reason });
        }
        Err(Halt::Gone)
    }
}
