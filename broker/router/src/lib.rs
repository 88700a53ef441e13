//! Topic tree, shared groups and retained index
