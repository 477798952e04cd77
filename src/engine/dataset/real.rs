//! Two real datasets, packed: a byte for each input of a row, and one for its class. `tests/golden/real_data.py` makes
//! the files from what scikit-learn 1.9 ships.

use super::{Columns, Dataset, Described};
use crate::engine::matrix::Matrix;

/// A dataset that somebody measured.
pub struct Real {
    /// What there is to say about it
    pub about: Described,
    bytes: &'static [u8],
    inputs: fn() -> Vec<String>,
    /// What a byte is divided by
    scale: f64,
    classes: &'static [&'static str],
}

/// Every one, in the order of the listing.
pub const REAL: [Real; 2] = [
    Real {
        about: Described {
            name: "iris",
            title: "Irises: three species by four measures",
            description: "Length and width of sepal and petal in centimetres, of 50 flowers of each of three species. \
                          As in R. A. Fisher's paper of 1936, in which two rows differ from the file at UCI.",
            source: "R. A. Fisher (1936), Iris, UCI Machine Learning Repository, doi:10.24432/C56C76; by way of \
                     scikit-learn 1.9",
            license: Some("CC BY 4.0"),
        },
        bytes: include_bytes!("iris.bin"),
        inputs: || ["sepal_length", "sepal_width", "petal_length", "petal_width"].map(str::to_owned).to_vec(),
        scale: 10.0,
        classes: &["setosa", "versicolor", "virginica"],
    },
    Real {
        about: Described {
            name: "digits",
            title: "Handwritten digits, 8 × 8",
            description: "1,797 digits of 13 writers. Each of the 64 inputs counts the pixels that are on in a block \
                          of 4 × 4, 0 to 16, row by row.",
            source: "E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, the test set, UCI \
                     Machine Learning Repository, doi:10.24432/C50P49; by way of scikit-learn 1.9",
            license: Some("CC BY 4.0"),
        },
        bytes: include_bytes!("digits.bin"),
        inputs: || (0..64).map(|pixel| format!("pixel_{}_{}", pixel / 8, pixel % 8)).collect(),
        scale: 1.0,
        classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    },
];

impl Real {
    /// The one of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        REAL.iter().find(|real| real.about.name == name)
    }

    /// Inputs as they were measured; targets one-hot.
    pub fn dataset(&self) -> Dataset {
        let inputs = (self.inputs)();
        let width = inputs.len() + 1;
        let rows = self.bytes.len() / width;
        let byte = |row: usize, column: usize| self.bytes[row * width + column];
        let values = Matrix::from_fn(rows, inputs.len(), |row, column| f64::from(byte(row, column)) / self.scale);
        let hot = |row, class| if usize::from(byte(row, width - 1)) == class { 1.0 } else { 0.0 };
        let targets = Matrix::from_fn(rows, self.classes.len(), hot);
        let classes: Vec<String> = self.classes.iter().map(|&class| class.to_owned()).collect();
        Dataset::trusted(values, targets, Columns { inputs, targets: classes.clone() }, classes)
    }
}
