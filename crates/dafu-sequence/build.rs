//! Lets binaries of this package find libtorch where it was when they were built.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_TCH").is_some()
        && let Some(folder) = std::env::var_os("LIBTORCH")
        && let Some(folder) = folder.to_str()
    {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
