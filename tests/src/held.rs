//! Devices and mount points that another program holds for a moment.

/// Whether this is what mount(8) says of a loop device or a place that something else holds, whatever is on the disk.
///
/// Btrfs has `File exists` for a second disk with the identity of a mounted one.
pub fn is_held(said: &str) -> bool {
    let held = ["failed to setup loop device", "already mounted", "busy", "does not exist", "File exists"];
    held.iter().any(|text| said.contains(text))
}
