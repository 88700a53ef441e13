//! The rules of the broker, one file per thing a client may ask
