//! The traits and plain data between the engine and its neighbours
