//! The codec from outside: what is read, what is refused, and that what is written reads the same.

mod headers;
mod packets;
mod properties;
mod property_table;
mod reason_codes;
mod refusals;
mod sample_packets;
mod strings;
