//! Lets tests and examples of this package find libtorch where it was when they were built. The script of `torch-sys` says
//! where that is, with the feature `tch` only.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
