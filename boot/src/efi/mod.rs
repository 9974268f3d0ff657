//! UEFI variables: what the firmware boots, and how a device without any other loader puts a system on trial.
//!
//! ```text
//! variable       a file of efivarfs: attributes, data; names with their vendor
//! text           UTF-16 with a NUL
//! device_path    where a load option points: a partition and a file on it
//! load_option    Boot####: attributes, description, device path, optional data
//! order          BootOrder, BootNext, BootCurrent: lists of numbers
//! firmware       what they say together
//! image          a kernel with its initramfs in it
//! list           the firmware's entries as a copy of a list of deployments: BootNext to try, BootOrder to confirm
//! ```

mod device_path;
mod firmware;
mod image;
mod list;
mod load_option;
mod order;
pub mod text;
mod variable;

pub use device_path::{DevicePath, Node};
pub use firmware::{Firmware, PROMISES};
pub use image::{HEAD, has_initrd};
pub use list::{FOLDER, First, Place, description, follow, promote, withdraw};
pub use load_option::{ACTIVE, LoadOption};
pub use order::{Number, decode_numbers, encode_numbers};
pub use variable::{ATTRIBUTES, GLOBAL, Variable, global};
