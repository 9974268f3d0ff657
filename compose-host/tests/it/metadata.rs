//! Repository metadata that lies.
