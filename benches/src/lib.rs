//! Measurements of codec, matching, hooks and fan-out
