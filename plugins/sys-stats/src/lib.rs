//! Publishes the broker's counters under SYS topics
