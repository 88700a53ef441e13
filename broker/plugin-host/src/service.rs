use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::fault::{ErrorKind, Fault, caught};

/// A few threads of one plugin's own, each with an instance of its own, for hooks that may take
/// long. They are started when there is work for them and end when there was none for a while.
pub(crate) struct Service<S: 'static> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    name: String,
    bounds: ServiceBounds,
    build: Box<dyn Fn() -> Result<S, Fault> + Send + Sync>,
    state: Mutex<State<S>>,
    arrived: Condvar,
}

/// How far a [`Service`] may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceBounds {
    pub(crate) threads_max: usize,
    pub(crate) waiting_max: usize,
    /// Whether threads stay, with their instances, when there is no work for them.
    pub(crate) stays: bool,
}

struct State<S> {
    jobs: VecDeque<Job<S>>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

type Job<S> = Box<dyn FnOnce(Result<&mut S, Fault>) -> After + Send>;

/// What becomes of an instance after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It goes on.
    Keep,
    /// It is not to be used again.
    Discard,
}

const IDLE_MAX: Duration = Duration::from_secs(30);

impl<S: 'static> Service<S> {
    /// Threads named after `name`, whose instances `build` makes.
    pub(crate) fn new(
        name: impl Into<String>,
        bounds: ServiceBounds,
        build: impl Fn() -> Result<S, Fault> + Send + Sync + 'static,
    ) -> Self {
        let state = State { jobs: VecDeque::new(), threads: 0, idle: 0, is_closed: false };
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                bounds,
                build: Box::new(build),
                state: Mutex::new(state),
                arrived: Condvar::new(),
            }),
        }
    }

    /// Lets `ask` use an instance on one of the threads; the answer comes later.
    pub(crate) fn send<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut S) -> (Result<T, Fault>, After) + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Fault>> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(job(ask, move |result| {
            let _ = answer.send(result);
        }));
        answered
    }

    /// The same, and waits. Not to be called on a worker.
    ///
    /// # Errors
    /// What `ask` returned, or why it was not asked.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut S) -> (Result<T, Fault>, After) + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.enqueue(job(ask, move |result| {
            let _ = answer.send(result);
        }));
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }

    fn enqueue(&self, job: Job<S>) {
        let mut state = self.shared.state.lock();
        if state.jobs.len() >= self.shared.bounds.waiting_max {
            drop(state);
            job(Err(Fault::new(ErrorKind::Bound, "too many calls wait for it")));
            return;
        }
        state.jobs.push_back(job);
        let wants_another = state.jobs.len() > state.idle;
        if wants_another && state.threads < self.shared.bounds.threads_max.max(1) {
            let shared = Arc::clone(&self.shared);
            let builder = thread::Builder::new().name(format!("plugin-{}", self.shared.name));
            match builder.spawn(move || run(&shared)) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    let jobs = std::mem::take(&mut state.jobs);
                    drop(state);
                    for job in jobs {
                        let what = format!("no thread for it: {error}");
                        job(Err(Fault::new(ErrorKind::Internal, what)));
                    }
                    return;
                }
                Err(_) => {}
            }
        }
        drop(state);
        self.shared.arrived.notify_one();
    }
}

impl<S: 'static> Drop for Service<S> {
    /// What waits is still done; then the threads end.
    fn drop(&mut self) {
        self.shared.state.lock().is_closed = true;
        self.shared.arrived.notify_all();
    }
}

/// What comes of a call whose thread is gone.
pub(crate) fn gone() -> Fault {
    Fault::new(ErrorKind::Internal, "it is no longer there")
}

fn job<S, T>(
    ask: impl FnOnce(&mut S) -> (Result<T, Fault>, After) + Send + 'static,
    answer: impl FnOnce(Result<T, Fault>) + Send + 'static,
) -> Job<S> {
    Box::new(move |instance| {
        let asked = instance.and_then(|instance| caught(|| ask(instance)));
        let (result, after) = asked.unwrap_or_else(|fault| (Err(fault), After::Discard));
        answer(result);
        after
    })
}

fn run<S>(shared: &Shared<S>) {
    let mut instance: Option<S> = None;
    while let Some(job) = shared.next() {
        if instance.is_none() {
            match caught(|| (shared.build)()).and_then(|built| built) {
                Ok(built) => instance = Some(built),
                Err(fault) => {
                    job(Err(fault));
                    continue;
                }
            }
        }
        let Some(at_hand) = instance.as_mut() else { continue };
        if job(Ok(at_hand)) == After::Discard {
            instance = None;
        }
    }
}

impl<S> Shared<S> {
    /// The next job; `None` when the thread is to end, which has then been counted.
    fn next(&self) -> Option<Job<S>> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.is_closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            let waited = self.arrived.wait_for(&mut state, IDLE_MAX);
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() && !self.bounds.stays {
                state.threads -= 1;
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, mpsc};

    use super::{After, Service, ServiceBounds};
    use crate::fault::Fault;

    fn counting(bounds: ServiceBounds) -> (Service<Rc<u32>>, Arc<AtomicU32>) {
        let built = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&built);
        let build = move || Ok(Rc::new(count.fetch_add(1, Ordering::Relaxed)));
        (Service::new("test", bounds, build), built)
    }

    const ONE: ServiceBounds = ServiceBounds { threads_max: 1, waiting_max: 2, stays: false };

    #[test]
    fn calls_share_an_instance_until_it_is_discarded() {
        let (service, _) = counting(ONE);
        assert_eq!(service.call(|it| (Ok(**it), After::Keep)).unwrap(), 0);
        assert_eq!(service.call(|it| (Ok(**it), After::Discard)).unwrap(), 0);
        assert_eq!(service.call(|it| (Ok(**it), After::Keep)).unwrap(), 1);
    }

    #[test]
    fn a_panic_is_a_fault_and_the_instance_is_made_anew() {
        let (service, _) = counting(ONE);
        let answer = service.call(|_| -> (Result<(), Fault>, After) { panic!("no") });
        assert_eq!(answer.unwrap_err().to_string(), "it panicked: no");
        assert_eq!(service.call(|it| (Ok(**it), After::Keep)).unwrap(), 1);
    }

    #[test]
    fn work_beyond_the_bound_is_refused_at_once() {
        let (service, _) = counting(ONE);
        let (go, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let first = service.send(move |_| {
            begun.send(()).unwrap();
            let _ = wait.recv();
            (Ok(()), After::Keep)
        });
        has_begun.recv().unwrap();
        let waiting = [(); 2].map(|()| service.send(|_| (Ok(()), After::Keep)));
        let refused = service.send(|_| (Ok(()), After::Keep)).blocking_recv().unwrap();
        assert!(refused.unwrap_err().to_string().contains("too many calls"));
        go.send(()).unwrap();
        for answer in waiting.into_iter().chain([first]) {
            answer.blocking_recv().unwrap().unwrap();
        }
    }

    #[test]
    fn calls_that_wait_do_not_hold_up_others_while_there_is_room_for_a_thread() {
        let (service, built) =
            counting(ServiceBounds { threads_max: 2, waiting_max: 2, stays: false });
        let (go, wait) = mpsc::channel::<()>();
        let first = service.send(move |_| {
            let _ = wait.recv();
            (Ok(()), After::Keep)
        });
        service.call(|_| (Ok(()), After::Keep)).unwrap();
        go.send(()).unwrap();
        first.blocking_recv().unwrap().unwrap();
        assert_eq!(built.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn what_waits_is_done_even_when_the_service_is_dropped() {
        let (service, _) = counting(ONE);
        let answer = service.send(|_| (Ok(7), After::Keep));
        drop(service);
        assert_eq!(answer.blocking_recv().unwrap().unwrap(), 7);
    }

    #[test]
    fn an_instance_that_cannot_be_made_is_a_fault_of_each_call() {
        let service: Service<()> =
            Service::new("test", ONE, || Err(Fault::invalid("no such luck")));
        for _ in 0..2 {
            let answer = service.call(|()| (Ok(()), After::Keep));
            assert_eq!(answer.unwrap_err().to_string(), "no such luck");
        }
    }
}
