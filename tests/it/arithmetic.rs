//! The promise that everything rests on: one order of every sum, correctly rounded functions, numbers that survive
//! their way through JSON, and the random numbers of NumPy.

use std::num::NonZeroUsize;

use chainrule::engine::math;
use chainrule::engine::matrix::{Kernel, Matrix, sum};
use chainrule::engine::random::Stream;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::api::{Api, fixture};

fn bits(matrix: &Matrix) -> Vec<u64> {
    matrix.values().iter().map(|value| value.to_bits()).collect()
}

/// Numbers of very different sizes, both zeros among them: reordered sums of these differ in their last bits.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-1.0..1.0_f64, -30..30_i32).prop_map(|(mantissa, exponent)| mantissa * 2.0_f64.powi(exponent)),
        1 => Just(0.0),
        1 => Just(-0.0),
    ]
}

fn pair() -> impl Strategy<Value = (Matrix, Matrix)> {
    (1..14_usize, 1..40_usize, 1..30_usize).prop_flat_map(|(n, k, m)| {
        let left = prop::collection::vec(number(), n * k).prop_map(move |values| Matrix::new(n, k, values));
        let right = prop::collection::vec(number(), k * m).prop_map(move |values| Matrix::new(k, m, values));
        (left, right)
    })
}

/// Each sum by itself, in order.
fn plain_product(left: &Matrix, right: &Matrix) -> Matrix {
    Matrix::from_fn(left.rows(), right.columns(), |row, column| {
        let mut total = left.at(row, 0) * right.at(0, column);
        for i in 1..left.columns() {
            total += left.at(row, i) * right.at(i, column);
        }
        total
    })
}

/// The product by every kernel, on one thread and on three, of the operands as they lie and turned.
fn products(left: &Matrix, right: &Matrix) -> Vec<(String, Matrix)> {
    let (left_turned, right_turned) = (left.transposed(), right.transposed());
    let mut products = vec![];
    for kernel in Kernel::all() {
        for threads in [1, 3].map(|threads| NonZeroUsize::new(threads).unwrap()) {
            for (l, left) in [left.operand(), left_turned.operand().turned()].into_iter().enumerate() {
                for (r, right) in [right.operand(), right_turned.operand().turned()].into_iter().enumerate() {
                    let product = Matrix::product_by(left, right, kernel, threads);
                    products.push((format!("{} on {threads} threads, turned {l} {r}", kernel.name()), product));
                }
            }
        }
    }
    products
}

proptest! {
    #[test]
    fn every_kernel_gives_the_bits_of_a_plain_loop((left, right) in pair()) {
        let plain = plain_product(&left, &right);
        for (how, product) in products(&left, &right) {
            prop_assert_eq!(bits(&product), bits(&plain), "{}", how);
        }
    }
}

/// Products of several blocks in every direction, with tiles cut short at each end.
#[test]
fn blocks_change_no_bit() {
    let mut seed = 1_u64;
    let mut draw = |_, _| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let exponent = i32::try_from(seed >> 58).unwrap() - 32;
        f64::from(i32::try_from(seed >> 33).unwrap() - (1 << 30)) * 2.0_f64.powi(exponent)
    };
    for (n, k, m) in [(203, 517, 37), (9, 300, 1_041), (1, 600, 530), (101, 1, 523), (97, 257, 513)] {
        let (left, right) = (Matrix::from_fn(n, k, &mut draw), Matrix::from_fn(k, m, &mut draw));
        let plain = plain_product(&left, &right);
        for (how, product) in products(&left, &right) {
            assert!(bits(&product) == bits(&plain), "{n} × {k} × {m}, {how}");
        }
    }
}

#[test]
fn this_machine_tries_every_kernel_it_has() {
    let names: Vec<_> = Kernel::all().into_iter().map(Kernel::name).collect();
    assert_eq!(names[..2], ["scalar", "portable"]);
    assert_eq!(names.contains(&"avx2"), is_x86_feature_detected!("avx2"));
}

#[test]
fn a_sum_starts_from_its_first_term() {
    assert_eq!(sum([-0.0]).to_bits(), (-0.0_f64).to_bits());
    let negative_zero = Matrix::new(1, 1, vec![-0.0]);
    for columns in [9, 3_000] {
        for (how, product) in products(&negative_zero, &Matrix::new(1, columns, vec![1.0; columns])) {
            assert_eq!(bits(&product), vec![(-0.0_f64).to_bits(); columns], "{how}");
        }
    }
    assert_eq!(Matrix::new(2, 1, vec![-0.0, -0.0]).column_sums()[0].to_bits(), (-0.0_f64).to_bits());
}

#[test]
fn a_product_is_rounded_before_it_is_added() {
    // 1 + 2^-27 squared is 1 + 2^-26 + 2^-54: the last term is lost where the product is rounded, and stays in a
    // fused multiply-add.
    let x = 1.0 + 2.0_f64.powi(-27);
    let left = Matrix::new(1, 2, vec![-(1.0 + 2.0_f64.powi(-26)), x]);
    for columns in [8, 2_000] {
        let right = Matrix::from_fn(2, columns, |row, _| if row == 0 { 1.0 } else { x });
        for (how, product) in products(&left, &right) {
            assert_eq!(product.values(), vec![0.0; columns], "{how}");
        }
    }
}

#[test]
fn the_floating_point_of_this_thread_is_ieee() {
    assert!(math::arithmetic_is_ieee());
}

type Function = fn(f64) -> f64;

#[test]
fn functions_are_correctly_rounded() {
    let table = fixture("math.json");
    let functions: [(&str, Function); 8] = [
        ("exp", math::exp),
        ("ln", math::ln),
        ("log1p", math::log1p),
        ("tanh", math::tanh),
        ("expm1", math::expm1),
        ("erf", math::erf),
        ("log10", math::log10),
        ("cospi", math::cospi),
    ];
    for (name, function) in functions {
        for [x, expected] in rows(&table, name) {
            assert_eq!(function(x).to_bits(), expected.to_bits(), "{name}({x:e})");
        }
    }
    for [base, exponent, expected] in rows(&table, "power") {
        assert_eq!(math::pow(base, exponent).to_bits(), expected.to_bits(), "pow({base:e}, {exponent:e})");
    }
    assert_eq!(table["functions"].as_object().unwrap().len(), functions.len() + 1, "each table is read");
}

/// Arguments and value of one function, again and again.
fn rows<const NUMBERS: usize>(table: &Value, name: &str) -> Vec<[f64; NUMBERS]> {
    let rows = table["functions"][name].as_array().unwrap();
    assert!(rows.len() >= 300, "{name} has {} rows", rows.len());
    let row = |row: &Value| {
        assert_eq!(row.as_array().unwrap().len(), NUMBERS, "{name}");
        std::array::from_fn(|at| parse_hex(row[at].as_str().unwrap()))
    };
    rows.iter().map(row).collect()
}

/// A double as Python's `float.hex` writes it.
fn parse_hex(text: &str) -> f64 {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    match digits {
        "inf" => return sign * f64::INFINITY,
        "nan" => return f64::NAN,
        _ => {}
    }
    let (mantissa, exponent) = digits.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let integer = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
    let exponent = exponent.parse::<i32>().unwrap() - 4 * i32::try_from(fraction.len()).unwrap();
    // In two halves, so that a subnormal number is not rounded to zero on the way. Both are exact.
    sign * integer as f64 * 2.0_f64.powi(exponent / 2) * 2.0_f64.powi(exponent - exponent / 2)
}

/// What is drawn from it is compared over HTTP in tests/python.
#[test]
fn the_stream_is_numpys() {
    let table = fixture("random.json");
    for case in table["seeds"].as_array().unwrap() {
        let seed = case["seed"].as_u64().unwrap();
        let mut stream = Stream::new(seed);
        let doubles = case["doubles"].as_array().unwrap();
        assert_eq!(doubles.len(), 8);
        for expected in doubles {
            assert_eq!(stream.unit().to_bits(), expected.as_f64().unwrap().to_bits(), "seed {seed}");
        }
    }
}

#[test]
fn the_streams_spawned_from_a_seed_are_numpys() {
    let table = fixture("random.json");
    let mut streams = 0;
    for case in table["seeds"].as_array().unwrap() {
        let seed = case["seed"].as_u64().unwrap();
        for spawned in case["spawned"].as_array().unwrap() {
            let key = spawned["key"].as_u64().unwrap();
            let mut stream = Stream::spawned(seed, key);
            for expected in spawned["doubles"].as_array().unwrap() {
                let expected = expected.as_f64().unwrap();
                assert_eq!(stream.unit().to_bits(), expected.to_bits(), "seed {seed}, key {key}");
            }
            streams += 1;
        }
    }
    assert!(streams >= 24, "{streams} streams");
}

/// The one list that pins how a number is written: recalled answers must be the same bytes for ever.
const TEXTS: [(f64, &str); 24] = [
    (0.0, "0.0"),
    (-0.0, "-0.0"),
    (1.0, "1.0"),
    (-1.5, "-1.5"),
    (0.1, "0.1"),
    (0.3, "0.3"),
    (0.1 + 0.2, "0.30000000000000004"),
    (1.0 / 3.0, "0.3333333333333333"),
    (130.656_333_163_265_3, "130.6563331632653"),
    (100.0, "100.0"),
    (123_456_789.0, "123456789.0"),
    (1e15, "1000000000000000.0"),
    (1e16, "1e+16"),
    (1.234e17, "1.234e+17"),
    (9_007_199_254_740_993.0, "9007199254740992.0"),
    (1e-4, "0.0001"),
    (1e-5, "0.00001"),
    (1e-6, "1e-6"),
    (1.5e-7, "1.5e-7"),
    (1e21, "1e+21"),
    (1e100, "1e+100"),
    (5e-324, "5e-324"),
    (2.225_073_858_507_201_4e-308, "2.2250738585072014e-308"),
    (f64::MAX, "1.7976931348623157e+308"),
];

#[tokio::test]
async fn numbers_are_written_as_they_always_were() {
    let api = Api::start().await;
    let weights: Vec<_> = TEXTS.iter().map(|(number, _)| json!([number])).collect();
    let layer = json!({"kind": "dense", "bias": false, "weights": weights});
    let body = json!({"network": {"inputs": TEXTS.len(), "layers": [layer]}});
    api.put("/v1/sessions/texts", body.to_string()).await.expect(201);
    let answer = api.get("/v1/sessions/texts/weights").await;
    let rows: Vec<_> = TEXTS.iter().map(|(_, text)| format!("[{text}]")).collect();
    assert!(answer.text.contains(&format!("\"weights\":[{}]", rows.join(","))), "{}", answer.text);
}

#[tokio::test]
async fn every_literal_survives_json() {
    let api = Api::start().await;
    // Without serde_json's `float_roundtrip` this one comes back as its neighbour.
    let hard = "130.65331632653061";
    let mut random = Stream::new(7);
    let mut literals = vec![hard.to_owned()];
    for _ in 0..2_000 {
        literals.push(format!("{:e}", random.uniform(-1.0, 1.0) * 2.0_f64.powf(random.uniform(-60.0, 60.0).round())));
    }
    let rows: Vec<_> = literals.iter().map(|literal| format!("[{literal}]")).collect();
    let body = format!(
        r#"{{"network": {{"inputs": {}, "layers": [{{"kind": "dense", "bias": false, "weights": [{}]}}]}}}}"#,
        literals.len(),
        rows.join(",")
    );
    api.put("/v1/sessions/literals", body).await.expect(201);
    let answer = api.get("/v1/sessions/literals/weights").await;
    assert!(answer.text.contains(hard), "the literal is written as it came");
    let weights: Value = answer.expect(200)["layers"][0]["parameters"]["weights"].clone();
    for (row, literal) in literals.iter().enumerate() {
        // The standard library's reader is correctly rounded and not the server's.
        let expected: f64 = literal.parse().unwrap();
        assert_eq!(weights[row][0].as_f64().unwrap().to_bits(), expected.to_bits(), "{literal}");
    }
}
