//! Lets in the users of a password file
