//! Setters of parameters.

/// One setter a field, for the `impl` of parameters in the crates of dafu: `setters! { trees: usize, seed: u64 }`. Kinds that
/// need dropping write theirs by hand, since these are `const`.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    ($($name:ident: $kind:ty),* $(,)?) => {
        $(
            #[doc = concat!("Sets `", stringify!($name), "`.")]
            #[must_use]
            pub const fn $name(mut self, $name: $kind) -> Self {
                self.$name = $name;
                self
            }
        )*
    };
}
