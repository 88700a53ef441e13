//! Confines clients to the topics of an ACL file
