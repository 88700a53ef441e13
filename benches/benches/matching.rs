//! Matching: routes over 100 000 filters, subscribing 100 000, retained `#` over 100 000, and what
//! a filter and a retained topic take of memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pintle_mqtt::{QoS, ShareName, TopicFilter, TopicName};
use pintle_router::{Generations, RetainedIndex, SubscriptionOptions, TopicTree};

const MANY: usize = 100_000;

/// The system's allocator, which tells how much is in use, rounded up as malloc does.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// A block with its header, in steps of 16 bytes.
fn block(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

#[expect(unsafe_code, reason = "an allocator can not be counted otherwise; it only forwards")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(block(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(block(layout.size()), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(block(size), Ordering::Relaxed);
        IN_USE.fetch_sub(block(layout.size()), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A handle of eight bytes, compared as the engine's are: by where it points.
#[derive(Clone)]
struct Session(Arc<usize>);

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Session {}

impl Hash for Session {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Half exact, a quarter each with `+` and with `#`.
fn filter(n: usize) -> String {
    match n % 4 {
        0 | 1 => format!("site{}/building{}/device{n}/temperature", n % 10, n % 100),
        2 => format!("site{}/building{}/device{n}/+/state", n % 10, n % 100),
        _ => format!("site{}/building{}/device{n}/#", n % 10, n % 100),
    }
}

fn topic(n: usize) -> String {
    filter(n).replace('+', "door").replace('#', "humidity")
}

fn subscribe(tree: &mut TopicTree<Session>, filters: &[String], subscribers: &[Session]) {
    let options = SubscriptionOptions { qos: QoS::AtLeastOnce, ..SubscriptionOptions::default() };
    for (filter, subscriber) in filters.iter().zip(subscribers.iter().cycle()) {
        tree.subscribe(TopicFilter::trusted(filter), subscriber, options);
    }
}

fn subscribers(count: usize) -> Vec<Session> {
    (0..count).map(|n| Session(Arc::new(n))).collect()
}

fn routes(c: &mut Criterion) {
    let filters: Vec<String> = (0..MANY).map(filter).collect();
    let mut tree = TopicTree::new();
    subscribe(&mut tree, &filters, &subscribers(1000));
    let mut group = c.benchmark_group("route");
    for (name, kind) in [("exact", 0), ("plus", 2), ("multi_level", 3)] {
        let topics: Vec<String> = (0..MANY).filter(|n| n % 4 == kind).map(topic).collect();
        let mut next = topics.iter().map(|topic| TopicName::trusted(topic)).cycle();
        group.bench_function(BenchmarkId::new("100k_filters", name), |b| {
            b.iter(|| next.next().map(|topic| tree.route(black_box(topic)).targets.len()));
        });
    }
    group.bench_function("100k_filters/nobody", |b| {
        b.iter(|| tree.route(black_box(TopicName::trusted("site1/office/desk/lamp"))));
    });
    group.finish();
}

fn wide_routes(c: &mut Criterion) {
    let mut group = c.benchmark_group("route_10k_subscribers");
    group.throughput(Throughput::Elements(10_000));
    let subscribers = subscribers(10_000);
    for filters in [&["news/today"][..], &["news/today", "news/+"], &["news/today", "news/+", "#"]]
    {
        let mut tree = TopicTree::new();
        for filter in filters {
            for subscriber in &subscribers {
                let options = SubscriptionOptions::default();
                tree.subscribe(TopicFilter::trusted(filter), subscriber, options);
            }
        }
        group.bench_function(BenchmarkId::new("filters", filters.len()), |b| {
            b.iter(|| tree.route(black_box(TopicName::trusted("news/today"))));
        });
    }
    group.finish();
}

fn subscribing(c: &mut Criterion) {
    let mut group = c.benchmark_group("subscribe");
    group.sample_size(10);
    let subscribers = subscribers(1000);
    for count in [MANY / 10, MANY, 10 * MANY] {
        let filters: Vec<String> = (0..count).map(filter).collect();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter_batched(
                TopicTree::new,
                |mut tree| {
                    subscribe(&mut tree, &filters, &subscribers);
                    tree
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn unsubscribing(c: &mut Criterion) {
    let mut group = c.benchmark_group("unsubscribe");
    group.sample_size(10);
    let subscribers = subscribers(1000);
    let filters: Vec<String> = (0..MANY).map(filter).collect();
    group.throughput(Throughput::Elements(MANY as u64));
    group.bench_function(BenchmarkId::from_parameter(MANY), |b| {
        b.iter_batched(
            || {
                let mut tree = TopicTree::new();
                subscribe(&mut tree, &filters, &subscribers);
                tree
            },
            |mut tree| {
                for (filter, subscriber) in filters.iter().zip(subscribers.iter().cycle()) {
                    tree.unsubscribe(TopicFilter::trusted(filter), subscriber);
                }
                tree
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn retained(c: &mut Criterion) {
    let topics: Vec<String> = (0..MANY).map(topic).collect();
    let fill = || {
        let mut index = RetainedIndex::new();
        for (n, topic) in topics.iter().enumerate() {
            index.set(TopicName::trusted(topic), n);
        }
        index
    };
    let index = fill();
    let mut group = c.benchmark_group("retained_100k");
    for filter in ["#", "+/+/+/temperature", "site2/+/+/door/#", "site3/building3/device3/#"] {
        let filter = TopicFilter::trusted(filter);
        let count = || {
            let mut count = 0;
            index.for_each_match(black_box(filter), &mut |_: &usize| count += 1);
            count
        };
        group.throughput(Throughput::Elements(count()));
        group.bench_function(BenchmarkId::new("match", filter), |b| b.iter(count));
    }
    group.throughput(Throughput::Elements(MANY as u64));
    group.sample_size(10);
    group.bench_function("set_all", |b| b.iter_with_large_drop(fill));
    group.finish();
}

fn shared_and_generations(c: &mut Criterion) {
    let mut tree = TopicTree::new();
    for subscriber in &subscribers(8) {
        let (share, filter) = (ShareName::new("workers"), TopicFilter::trusted("jobs/#"));
        let Ok(share) = share else { return };
        tree.subscribe_shared(share, filter, subscriber, SubscriptionOptions::default());
    }
    let route = tree.route(TopicName::trusted("jobs/today"));
    let [group] = route.groups.as_slice() else {
        return;
    };
    c.bench_function("shared_pick_of_8", |b| {
        b.iter(|| group.pick(|_| true).is_some());
    });

    let generations = Generations::new();
    let topic = TopicName::trusted("site7/building17/device17/temperature");
    c.bench_function("generation_of_topic", |b| {
        b.iter(|| generations.of(black_box(topic)));
    });
}

/// What filling and keeping something takes of the heap.
fn bytes_of<T>(fill: impl FnOnce() -> T) -> usize {
    let before = IN_USE.load(Ordering::Relaxed);
    let kept = fill();
    let after = IN_USE.load(Ordering::Relaxed);
    drop(kept);
    after - before
}

fn memory(_: &mut Criterion) {
    let subscribers = subscribers(1000);
    let whole: Vec<String> = (0..MANY).map(filter).collect();
    let kind = |name: &'static str, kinds: &[usize]| {
        let of_kind = (0..).filter(|n| kinds.contains(&(n % 4))).take(MANY);
        (name, of_kind.map(filter).collect::<Vec<_>>())
    };
    let kinds = [kind("exact", &[0, 1]), kind("+", &[2]), kind("#", &[3])];
    for (name, filters) in kinds.into_iter().chain([("half exact, + and #", whole.clone())]) {
        let bytes = bytes_of(|| {
            let mut tree = TopicTree::new();
            subscribe(&mut tree, &filters, &subscribers);
            tree
        });
        let text = filters.iter().map(String::len).sum::<usize>() / MANY;
        println!("memory: {} bytes a filter ({name}; {text} of text)", bytes / MANY);
    }
    let topics: Vec<String> = (0..MANY).map(topic).collect();
    let bytes = bytes_of(|| {
        let mut index = RetainedIndex::new();
        for topic in &topics {
            index.set(TopicName::trusted(topic), 0_u64);
        }
        index
    });
    let text = topics.iter().map(String::len).sum::<usize>() / MANY;
    println!(
        "memory: {} bytes a retained topic, without the value ({text} of text)",
        bytes / MANY - size_of::<u64>()
    );
}

criterion_group!(
    benches,
    memory,
    routes,
    wide_routes,
    subscribing,
    unsubscribing,
    retained,
    shared_and_generations
);
criterion_main!(benches);
