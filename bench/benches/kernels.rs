//! The engine's kernels: matrix products by each of them, and the functions that every unit computes.

use std::hint::black_box;
use std::num::NonZeroUsize;

use chainrule::engine::math::{exp, tanh};
use chainrule::engine::matrix::{Kernel, Matrix};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn matrix(rows: usize, columns: usize) -> Matrix {
    let values = (0..rows * columns).map(|at| ((at * 7919) % 1000) as f64 / 1000.0 - 0.5);
    Matrix::new(rows, columns, values.collect())
}

/// `[rows][inner]` by `[inner][columns]`: a square one, and those of a layer with 784 inputs and a batch of 32.
fn products(criterion: &mut Criterion) {
    for (rows, inner, columns) in [(64, 64, 64), (256, 256, 256), (32, 784, 128), (32, 128, 64)] {
        let (left, right) = (matrix(rows, inner), matrix(inner, columns));
        let mut group = criterion.benchmark_group(format!("product {rows}x{inner}x{columns}"));
        group.throughput(Throughput::Elements((rows * inner * columns) as u64));
        for kernel in Kernel::all() {
            group.bench_function(BenchmarkId::from_parameter(format!("{kernel:?}")), |bencher| {
                bencher.iter(|| Matrix::product_by(left.operand(), right.operand(), kernel, NonZeroUsize::MIN));
            });
        }
        group.finish();
    }
}

fn functions(criterion: &mut Criterion) {
    let numbers: Vec<f64> = (0..1024).map(|at| f64::from(at) / 128.0 - 4.0).collect();
    let mut group = criterion.benchmark_group("function of 1,024 numbers");
    group.throughput(Throughput::Elements(numbers.len() as u64));
    for (name, function) in [("exp", exp as fn(f64) -> f64), ("tanh", tanh)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| numbers.iter().map(|a| function(black_box(*a))).sum::<f64>());
        });
    }
    group.finish();
}

criterion_group!(kernels, products, functions);
criterion_main!(kernels);
