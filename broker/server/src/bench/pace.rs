//! How fast publishers send, and the phases of a run.

use std::time::Duration;

use anyhow::{Result, bail};
use pintle_mqtt::QoS;

use super::fleet::Fleet;
use super::histogram::Histogram;
use super::monitor::{Monitor, Span};
use super::traffic::{Tally, Traffic};

/// At QoS 0, what a publisher has on its way counts as lost after so long without any of it coming.
const STALL: Duration = Duration::from_secs(1);
/// After so long without anything coming at all, the run fails.
const STALL_MAX: Duration = Duration::from_secs(10);
/// Sockets are waited for no longer, so that time is looked at.
const TURN_MAX: Duration = Duration::from_millis(50);
/// Within this time before a message is due, sockets are asked without waiting, because waiting is
/// only exact to a millisecond.
const SPIN_NS: u64 = 1_500_000;

/// When publishers send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// As soon as fewer than so many of their messages are on the way.
    Window(u64),
    /// So many messages a second in all, whatever becomes of them.
    Rate(f64),
}

/// When publishers stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Until {
    /// After this time of measuring, and a time of warming up before it.
    Time { warm_up: Duration, measured: Duration },
    /// After so many messages in all.
    Messages(u64),
}

/// What was counted while it was measured.
pub(super) struct Measured {
    pub(super) span: Span,
    pub(super) delivered: u64,
    /// How late messages were sent, if they had a time to be sent at.
    pub(super) late: Histogram,
}

/// A run under way.
pub(super) struct Run<'a> {
    fleet: &'a mut Fleet,
    traffic: &'a mut Traffic,
    monitor: &'a mut Monitor,
    schedule: Option<Schedule>,
    last_change_ns: u64,
    last_count: u64,
    last_look_ns: u64,
}

/// When the messages of an open loop are due.
struct Schedule {
    start_ns: u64,
    interval_ns: f64,
    next: u64,
    end: u64,
    late: Histogram,
    touched: Vec<usize>,
}

impl<'a> Run<'a> {
    /// Lets all publishers of `traffic` send, `messages` in all.
    pub(super) fn new(
        fleet: &'a mut Fleet,
        traffic: &'a mut Traffic,
        monitor: &'a mut Monitor,
        pace: Pace,
        messages: u64,
    ) -> Self {
        let now_ns = fleet.now_ns();
        let schedule = match pace {
            Pace::Window(window) => {
                traffic.allow(fleet, messages, window);
                None
            }
            Pace::Rate(per_second) => {
                traffic.allow(fleet, 0, u16::MAX.into());
                Some(Schedule::new(now_ns, per_second, messages))
            }
        };
        Self {
            fleet,
            traffic,
            monitor,
            schedule,
            last_change_ns: now_ns,
            last_count: 0,
            last_look_ns: now_ns,
        }
    }

    /// Warms up, measures and waits for the rest, as `until` says.
    pub(super) fn measure(mut self, until: Until) -> Result<Measured> {
        match until {
            Until::Time { warm_up, measured } => {
                self.go_on_for(warm_up)?;
                self.forget_lateness();
                let (moment, before) = (self.monitor.moment()?, self.traffic.tally());
                self.traffic.measure_from(self.fleet.now_ns());
                self.go_on_for(measured)?;
                self.traffic.measure_until(self.fleet.now_ns());
                let after = self.traffic.tally();
                let span = self.monitor.since(moment)?;
                self.stop();
                self.settle()?;
                Ok(self.measured(span, before, after))
            }
            Until::Messages(_) => {
                let (moment, before) = (self.monitor.moment()?, self.traffic.tally());
                self.traffic.measure_from(self.fleet.now_ns());
                self.settle()?;
                let span = self.monitor.since(moment)?;
                let after = self.traffic.tally();
                Ok(self.measured(span, before, after))
            }
        }
    }

    fn measured(self, span: Span, before: Tally, after: Tally) -> Measured {
        self.monitor.end_progress();
        Measured {
            span,
            delivered: after.delivered - before.delivered,
            late: self.schedule.map(|schedule| schedule.late).unwrap_or_default(),
        }
    }

    fn go_on_for(&mut self, time: Duration) -> Result<()> {
        let end_ns = self.fleet.now_ns() + nanos(time);
        while self.fleet.now_ns() < end_ns {
            self.turn()?;
        }
        Ok(())
    }

    fn forget_lateness(&mut self) {
        if let Some(schedule) = &mut self.schedule {
            schedule.late = Histogram::default();
        }
    }

    fn stop(&mut self) {
        self.traffic.stop();
        if let Some(schedule) = &mut self.schedule {
            schedule.end = schedule.next;
        }
    }

    /// Goes on until all that was to be sent has come and has been acknowledged.
    pub(super) fn settle(&mut self) -> Result<()> {
        while self.schedule.as_ref().is_some_and(|schedule| schedule.next < schedule.end)
            || !self.traffic.is_settled()
        {
            self.turn()?;
        }
        Ok(())
    }

    /// Goes on until everybody has got everything, or at QoS 0 until no more comes.
    pub(super) fn wait_for_deliveries(&mut self) -> Result<()> {
        let may_lose = self.traffic.qos() == QoS::AtMostOnce;
        while !self.traffic.is_delivered() {
            self.turn()?;
            let silent_ns = self.fleet.now_ns() - self.last_change_ns;
            if may_lose && silent_ns > nanos(STALL) {
                break;
            }
        }
        Ok(())
    }

    /// Sends what is to be sent now; says how long the sockets may be waited for then.
    fn send(&mut self) -> Result<Duration> {
        let Some(schedule) = &mut self.schedule else {
            let may_go_on = self.traffic.refill(self.fleet)?;
            return Ok(if may_go_on { Duration::ZERO } else { TURN_MAX });
        };
        schedule.send_due(self.fleet, self.traffic)?;
        let left_ns = schedule.time_left(self.fleet.now_ns());
        if left_ns > 0 && self.fleet.set_alarm(Duration::from_nanos(left_ns)) {
            return Ok(TURN_MAX);
        }
        Ok(Duration::from_millis(left_ns.saturating_sub(SPIN_NS) / 1_000_000).min(TURN_MAX))
    }

    fn turn(&mut self) -> Result<()> {
        let timeout = self.send()?;
        self.fleet.turn(Some(timeout), self.traffic)?;
        self.monitor.progress("delivered", self.traffic.tally().delivered);
        self.look_for_a_stall()
    }

    fn look_for_a_stall(&mut self) -> Result<()> {
        let now_ns = self.fleet.now_ns();
        let tally = self.traffic.tally();
        let count = tally.delivered + tally.acknowledged + tally.published;
        if count != self.last_count {
            self.last_count = count;
            self.last_change_ns = now_ns;
        }
        if now_ns - self.last_look_ns > nanos(STALL) && self.traffic.qos() == QoS::AtMostOnce {
            self.last_look_ns = now_ns;
            self.traffic.give_up_stalled();
        }
        if now_ns - self.last_change_ns > nanos(STALL_MAX) {
            self.monitor.end_progress();
            let faults = self.traffic.faults();
            bail!(
                "nothing has come for {} s; lost: {}, first fault: {}",
                STALL_MAX.as_secs(),
                faults.lost,
                faults.first.unwrap_or_default()
            );
        }
        Ok(())
    }
}

impl Schedule {
    fn new(start_ns: u64, per_second: f64, messages: u64) -> Self {
        Self {
            start_ns,
            interval_ns: 1e9 / per_second,
            next: 0,
            end: messages,
            late: Histogram::default(),
            touched: Vec::new(),
        }
    }

    fn next_due_ns(&self) -> u64 {
        self.start_ns + (self.next as f64 * self.interval_ns) as u64
    }

    /// Sends all that is due; publishers take turns.
    fn send_due(&mut self, fleet: &mut Fleet, traffic: &mut Traffic) -> Result<()> {
        let now_ns = fleet.now_ns();
        let publishers = traffic.publisher_count().max(1) as u64;
        while self.next < self.end && self.next_due_ns() <= now_ns {
            let publisher = (self.next % publishers) as usize;
            let due_ns = self.next_due_ns();
            let Some(link) = traffic.publish_one(fleet, publisher, due_ns) else { break };
            self.late.record(now_ns - due_ns);
            self.touched.push(link);
            self.next += 1;
        }
        for link in self.touched.drain(..) {
            if let Some(link) = fleet.link_mut(link) {
                link.send()?;
            }
        }
        Ok(())
    }

    /// Nanoseconds until the next is due.
    fn time_left(&self, now_ns: u64) -> u64 {
        if self.next >= self.end {
            return nanos(TURN_MAX) + SPIN_NS;
        }
        self.next_due_ns().saturating_sub(now_ns)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::ProtocolVersion;

    use super::super::cast::Cast;
    use super::super::fleet::Target;
    use super::super::link::Client;
    use super::super::tests::RunningRelay;
    use super::super::traffic::MessageForm;
    use super::*;

    fn target(relay: &RunningRelay) -> Target {
        Target {
            address: relay.address,
            host: "localhost".to_owned(),
            version: ProtocolVersion::V3_1_1,
            username: None,
            password: None,
            tls: None,
            web_socket: None,
        }
    }

    /// One publisher of so many retained messages.
    fn retained(fleet: &mut Fleet, messages: usize) -> Traffic {
        let cast = Cast::retained("p", messages);
        let layout = ProtocolVersion::V3_1_1.layout();
        let mut traffic = cast.traffic(MessageForm::new(layout, QoS::AtMostOnce, true, 64, 1));
        let links = fleet.open_all([Client::new("p".to_owned())], &mut traffic).unwrap();
        cast.seat_publishers(&mut traffic, &links, false);
        traffic
    }

    #[test]
    fn who_waits_for_nobody_is_not_kept_waiting_for_sockets() {
        let relay = RunningRelay::start();
        let mut fleet = Fleet::new(target(&relay), 64).unwrap();
        let mut traffic = retained(&mut fleet, 500);
        let mut monitor = Monitor::new(None).unwrap();
        let mut run = Run::new(&mut fleet, &mut traffic, &mut monitor, Pace::Window(100), 500);

        let waits: Vec<Duration> = (0..5).map(|_| run.send().unwrap()).collect();

        assert_eq!(
            waits,
            [Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO, TURN_MAX]
        );
        assert_eq!(traffic.tally().published, 500);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_sleeps_is_woken_for_each_message() {
        let relay = RunningRelay::start();
        let mut fleet = Fleet::new(target(&relay), 64).unwrap();
        fleet.add_alarm();
        let mut traffic = retained(&mut fleet, 20);
        let mut monitor = Monitor::new(None).unwrap();
        let mut run = Run::new(&mut fleet, &mut traffic, &mut monitor, Pace::Rate(100.0), 20);

        let first = run.send().unwrap();
        let turns = (0..).map_while(|turn| {
            let is_over = run.schedule.as_ref().is_some_and(|schedule| schedule.next == 20);
            run.turn().unwrap();
            (!is_over).then_some(turn)
        });

        assert_eq!(first, TURN_MAX);
        assert!(turns.count() < 200, "it did not rest");
        assert_eq!(traffic.tally().published, 20);
    }
}
