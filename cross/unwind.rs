//! What std asks of libunwind on musl: with an immediate abort nothing ever calls it. And what sets the name of a
//! thread: musl's does it by printf, which nothing else here needs.
//!
//! Without `core`, which no target has before its standard library is built. Compiled to an object by
//! `recipe.rs`, not part of any crate.
#![feature(no_core, lang_items)]
#![no_core]
#![allow(internal_features, missing_docs)]

mod lang;

macro_rules! empty {
    ($($name:ident),*) => { $( #[unsafe(no_mangle)] pub extern "C" fn $name() -> usize { 0 } )* };
}
empty!(_Unwind_Backtrace, _Unwind_GetIP, _Unwind_GetIPInfo, _Unwind_GetCFA, _Unwind_FindEnclosingFunction);
empty!(_Unwind_GetLanguageSpecificData, _Unwind_GetRegionStart, _Unwind_GetTextRelBase, _Unwind_GetDataRelBase);
empty!(_Unwind_GetGR, _Unwind_SetGR, _Unwind_SetIP, _Unwind_VRS_Get, _Unwind_VRS_Set);
empty!(_Unwind_RaiseException, _Unwind_Resume, _Unwind_DeleteException);
empty!(pthread_setname_np);
// what the tables of other objects name on ARM
empty!(__aeabi_unwind_cpp_pr0, __aeabi_unwind_cpp_pr1);
