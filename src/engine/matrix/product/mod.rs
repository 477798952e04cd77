//! The matrix product, by the kernel that suits the sizes and the CPU. No kernel changes a bit.

mod blocked;

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::thread;

use super::{Matrix, sum};
use blocked::{TILE_ROWS_MOST, Tiled, row_by_row};

/// How a product is computed. The result does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// One sum after the other: the reference that the others are compared with.
    Scalar,
    /// Tiles of sums, in whatever vector instructions every CPU of the target has.
    Portable,
    /// The same, compiled for AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The same, compiled for AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The fastest kernel that this CPU can run.
    pub fn fastest() -> Self {
        static FASTEST: LazyLock<Kernel> = LazyLock::new(|| *Kernel::all().last().unwrap_or(&Kernel::Portable));
        *FASTEST
    }

    /// The kernels that this CPU can run, the slowest first.
    pub fn all() -> Vec<Self> {
        let mut kernels = vec![Self::Scalar, Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            kernels.push(Self::Avx2);
            if std::arch::is_x86_feature_detected!("avx512f") {
                kernels.push(Self::Avx512);
            }
        }
        kernels
    }

    /// Does something compiled for this kernel's registers. Without `fma` among the instructions nothing can be fused,
    /// and Rust fuses nothing by itself.
    pub fn run<W: Work>(self, work: W) -> W::Result {
        match self {
            Self::Scalar | Self::Portable => work.run(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                assert!(std::arch::is_x86_feature_detected!("avx2"), "a CPU with AVX2");
                // SAFETY: the function needs nothing but AVX2, which the line above has made sure of.
                unsafe { with_avx2(work) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                assert!(std::arch::is_x86_feature_detected!("avx512f"), "a CPU with AVX-512");
                // SAFETY: the function needs nothing but AVX-512F, which the line above has made sure of.
                unsafe { with_avx512(work) }
            }
        }
    }

    /// The name that /v1/info shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}

/// Loops over numbers that a [`Kernel`] compiles for its registers: what is inlined is compiled anew for each.
pub trait Work {
    /// What comes of it
    type Result;

    /// Does it. To be `#[inline(always)]`, with all of its loops.
    fn run(self) -> Self::Result;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<W: Work>(work: W) -> W::Result {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512<W: Work>(work: W) -> W::Result {
    work.run()
}

/// A matrix to be read as it lies, or with rows and columns exchanged.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    values: &'a [f64],
    rows: usize,
    columns: usize,
    /// From one row to the next, and from one column to the next
    strides: (usize, usize),
}

impl<'a> Operand<'a> {
    pub(super) fn of(matrix: &'a Matrix) -> Self {
        Self::of_values(matrix.values(), matrix.rows(), matrix.columns())
    }

    /// Values that lie row by row. Panics where there are not as many as the sizes say: a programmer's error.
    pub fn of_values(values: &'a [f64], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "{rows} × {columns} values");
        Self { values, rows, columns, strides: (columns, 1) }
    }

    /// With rows and columns exchanged.
    #[must_use]
    pub fn turned(self) -> Self {
        let (down, across) = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: (across, down), ..self }
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.strides.0 + column * self.strides.1]
    }

    /// Where a column has its values side by side.
    fn is_turned(&self) -> bool {
        self.strides.1 != 1
    }

    /// Some of the rows.
    fn rows(self, from: usize, count: usize) -> Self {
        Self { values: &self.values[from * self.strides.0..], rows: count, ..self }
    }
}

/// Where operands are laid out for the tiles: kept from one product to the next it is not made anew for each.
#[derive(Clone, Debug, Default)]
pub struct Packing {
    left: Vec<f64>,
    right: Vec<f64>,
}

/// What is made of the sums of a product as soon as they are complete.
pub trait Finish {
    /// Whether the sums are written to the result as well.
    const STAY: bool;

    /// Takes sums that lie side by side in the result, from a place on. Each sum is taken once.
    fn take(&mut self, at: usize, sums: &[f64]);
}

/// Nothing is made of them.
impl Finish for () {
    const STAY: bool = true;

    fn take(&mut self, _at: usize, _sums: &[f64]) {}
}

/// `[n][k]` by `[k][m]` into `[n][m]`, row by row, on as many threads as asked for.
pub(super) fn product(left: Operand, right: Operand, kernel: Kernel, threads: NonZeroUsize) -> Matrix {
    assert_eq!(left.columns, right.rows, "the inner sizes of a product");
    let (n, m) = (left.rows, right.columns);
    let mut out = vec![0.0; n * m];
    // Whole tiles for each thread.
    let share = n.div_ceil(threads.get()).next_multiple_of(TILE_ROWS_MOST);
    if threads.get() == 1 || share >= n {
        product_by(kernel, left, right, &mut out, &mut Packing::default(), &mut ());
        return Matrix::new(n, m, out);
    }
    thread::scope(|scope| {
        for (index, out) in out.chunks_mut(share * m).enumerate() {
            let left = left.rows(index * share, out.len() / m);
            scope.spawn(move || product_by(kernel, left, right, out, &mut Packing::default(), &mut ()));
        }
    });
    Matrix::new(n, m, out)
}

/// The same into a buffer, on this thread, by the fastest kernel.
pub fn product_into(left: Operand, right: Operand, out: &mut [f64], packing: &mut Packing) {
    product_then(left, right, out, packing, &mut ());
}

/// The same, with something that is made of each sum while it is at hand. Where the sums do not stay, what is in the
/// buffer afterwards is of no use.
pub fn product_then(left: Operand, right: Operand, out: &mut [f64], packing: &mut Packing, finish: &mut impl Finish) {
    assert_eq!(left.columns, right.rows, "the inner sizes of a product");
    assert_eq!(out.len(), left.rows * right.columns, "the sizes of a product");
    product_by(Kernel::fastest(), left, right, out, packing, finish);
}

fn product_by(
    kernel: Kernel,
    left: Operand,
    right: Operand,
    out: &mut [f64],
    packing: &mut Packing,
    finish: &mut impl Finish,
) {
    match kernel {
        Kernel::Scalar => scalar(left, right, out),
        // Too little to be worth the packing.
        _ if left.rows * left.columns * right.columns <= PACKED_FROM => small(left, right, out),
        Kernel::Portable => return kernel.run(Tiled::<4, 4, _> { left, right, out, packing, finish }),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => return kernel.run(Tiled::<4, 8, _> { left, right, out, packing, finish }),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => return kernel.run(Tiled::<8, 16, _> { left, right, out, packing, finish }),
    }
    finish.take(0, out);
}

/// Multiply-adds from which on packing pays.
const PACKED_FROM: usize = 2_000;

fn scalar(left: Operand, right: Operand, out: &mut [f64]) {
    let (k, m) = (left.columns, right.columns);
    for (row, out) in out.chunks_exact_mut(m).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = sum((0..k).map(|i| left.at(row, i) * right.at(i, column)));
        }
    }
}

/// A product of a few numbers: sum by sum where both sides lie along the terms, else all sums of a row side by side.
fn small(left: Operand, right: Operand, out: &mut [f64]) {
    if !right.is_turned() {
        return row_by_row(left, right, out);
    }
    if left.is_turned() {
        return scalar(left, right, out);
    }
    let (k, m) = (left.columns, right.columns);
    for (left, out) in left.values.chunks_exact(k).zip(out.chunks_exact_mut(m)) {
        for (right, out) in right.values.chunks_exact(k).zip(out) {
            *out = sum(left.iter().zip(right).map(|(a, b)| a * b));
        }
    }
}
