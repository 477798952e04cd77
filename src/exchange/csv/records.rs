//! The records of a table (RFC 4180): fields with commas between, each with the place at which it stands.
//!
//! Blanks around a field are no part of it. A field that begins with a quote goes on to the next one that stands alone;
//! whatever follows it but a comma or the end of the line is a fault, and so is a quote anywhere else: guessing what was
//! meant would make numbers that nobody wrote.

use super::CsvFault;
use crate::limits::FAULTS_NAMED;

/// Reads one record after the other; empty lines are none.
pub struct Records<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
    most: usize,
}

/// One record.
#[derive(Default)]
pub struct Record {
    /// The line on which it begins, counted from 1
    pub line: u64,
    text: Vec<u8>,
    /// Where each field that is kept ends in the text, and the line on which it begins
    ends: Vec<(usize, u64)>,
    /// Fields, those that are not kept included
    count: usize,
    /// What is wrong with its quotes and bytes
    pub faults: Vec<CsvFault>,
}

impl<'b> Records<'b> {
    /// Of a whole table. Of a record with more fields than `most` the others are counted alone: a line of nothing but
    /// commas takes no more memory than any other.
    pub fn new(bytes: &'b [u8], most: usize) -> Self {
        Self { bytes, at: 0, line: 1, most }
    }

    /// Reads the next one into the place of the last; false where there is none.
    pub fn next(&mut self, record: &mut Record) -> bool {
        while self.end_of_line() {}
        record.text.clear();
        record.ends.clear();
        record.faults.clear();
        record.count = 0;
        record.line = self.line;
        if self.peek().is_none() {
            return false;
        }
        loop {
            let (line, start) = (self.line, record.text.len());
            self.field(record);
            if record.count < self.most {
                record.ends.push((record.text.len(), line));
            } else {
                record.text.truncate(start);
            }
            record.count += 1;
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        self.end_of_line();
        true
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Whether the line ended here, with what ends it passed by.
    fn end_of_line(&mut self) -> bool {
        let long = match self.peek() {
            Some(b'\r') if self.bytes.get(self.at + 1) == Some(&b'\n') => 2,
            Some(b'\r' | b'\n') => 1,
            _ => return false,
        };
        self.at += long;
        self.line += 1;
        true
    }

    /// Takes bytes as long as they are none of these.
    fn until(&mut self, ends: &[u8]) -> &'b [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.iter().position(|byte| ends.contains(byte)).map_or(rest, |end| &rest[..end]);
        self.at += taken.len();
        taken
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn field(&mut self, record: &mut Record) {
        self.blanks();
        let (line, column, start) = (self.line, record.count + 1, record.text.len());
        let mut fault = |what: &str| {
            if record.faults.len() < FAULTS_NAMED {
                record.faults.push(CsvFault { line, column: Some(column), name: None, what: what.into() });
            }
        };
        if self.peek() == Some(b'"') {
            self.at += 1;
            if !self.quoted(&mut record.text) {
                fault("a quote is opened here and never closed");
            }
            self.blanks();
            if !self.until(b",\r\n").is_empty() {
                fault("something follows the closing quote; a quote within a field is written twice");
            }
        } else {
            let text = self.until(b",\r\n");
            if text.contains(&b'"') {
                fault(
                    "a quote stands in a field that does not begin with one; put all of it in quotes, its own ones twice",
                );
            }
            record.text.extend_from_slice(text);
        }
        if std::str::from_utf8(&record.text[start..]).is_err() {
            fault("the field is not UTF-8");
        }
    }

    /// What stands up to the closing quote; false where there is none.
    fn quoted(&mut self, text: &mut Vec<u8>) -> bool {
        loop {
            text.extend_from_slice(self.until(b"\"\r\n"));
            let from = self.at;
            if self.end_of_line() {
                text.extend_from_slice(&self.bytes[from..self.at]);
                continue;
            }
            if self.peek().is_none() {
                return false;
            }
            self.at += 1;
            if self.peek() != Some(b'"') {
                return true;
            }
            text.push(b'"');
            self.at += 1;
        }
    }
}

impl Record {
    /// Fields that it has.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Its fields, in order; one that is not UTF-8 is empty.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        let fields = starts.zip(&self.ends).map(|(start, (end, _))| &self.text[start..*end]);
        fields.map(|field| std::str::from_utf8(field).unwrap_or_default().trim())
    }

    /// The line on which a field begins; of one that is missing, that of the last.
    pub fn line_of(&self, field: usize) -> u64 {
        self.ends.get(field).or(self.ends.last()).map_or(self.line, |(_, line)| *line)
    }

    /// Whether a character stands in it.
    pub fn has(&self, character: char) -> bool {
        self.fields().any(|field| field.contains(character))
    }
}
