//! Setters of parameters.

#[derive(Debug, Default)]
struct Params {
    trees: usize,
    seed: u64,
}

impl Params {
    dafu_core::setters! {
        trees: usize,
        seed: u64,
    }
}

#[test]
fn each_setter_sets_its_own_field() {
    const PARAMS: Params = Params { trees: 1, seed: 2 }.trees(3);
    let other = Params::default().seed(5);
    assert_eq!((PARAMS.trees, PARAMS.seed), (3, 2));
    assert_eq!((other.trees, other.seed), (0, 5));
}
