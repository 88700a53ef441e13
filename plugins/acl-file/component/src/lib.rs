//! The plugin that is linked into the broker, as a component.

use pintle_plugin_acl_file::AclFile;

pintle_plugin_api::export!(AclFile, interfaces: [acl]);
