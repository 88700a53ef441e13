use pintle_mqtt::Disconnect;

use crate::connection::{Connection, Halt, Phase};
use crate::store::Unsaved;
use crate::worker::Worker;

impl Connection {
    /// DISCONNECT: the will is deleted, unless the client asks for it [MQTT-3.14.4-3]; nothing
    /// after it counts.
    pub(crate) fn disconnect(
        &mut self,
        worker: &mut Worker,
        disconnect: &Disconnect<'_>,
    ) -> Result<(), Halt> {
        let counts = worker.counts();
        counts.received(&counts.disconnect_received, 1);
        if self.live()?.version.is_v5() {
            disconnect.check_from_client()?;
            let asked = disconnect.properties.session_expiry_interval();
            let mut state = self.own_state()?;
            let secs_max = state.expiry_secs_max();
            state.expiry.change_at_disconnect(asked, secs_max)?;
            if asked.is_some() {
                worker.engine().note(&self.live()?.session, Unsaved::SESSION);
            }
        }
        if let Phase::Live(live) = std::mem::replace(&mut self.phase, Phase::Closed) {
            worker.client_disconnects(&live, disconnect.reason);
        }
        Err(Halt::Gone)
    }
}
