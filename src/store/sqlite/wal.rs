//! Reads a write-ahead log before SQLite does. SQLite takes a log up to the first frame whose checksum is wrong and
//! silently drops everything behind it; that is right for a last transaction that was torn by losing power, and a loss
//! of answered commits where a bit of an older one has changed. The two are told apart here.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What stands in a write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Transactions that SQLite will see
    pub(super) seen: u64,
    /// Transactions behind the first bad frame, which it will not
    pub(super) unseen: u64,
    /// Whether it has any frame at all
    pub(super) empty: bool,
}

impl Scan {
    /// Whether committed transactions would be lost. Each is synced before the next one begins, so that only the last
    /// one can be torn for an innocent reason.
    pub(super) fn is_damaged(&self) -> bool {
        self.unseen >= 2
    }
}

/// Scans a write-ahead log; one that does not exist has nothing in it. `page` is the page size of the database, for a
/// log whose own header cannot be trusted.
pub(super) fn scan(path: &Path, page: usize) -> io::Result<Scan> {
    match File::open(path) {
        Ok(file) => scan_frames(BufReader::with_capacity(1 << 18, file), page),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Scan { seen: 0, unseen: 0, empty: true }),
        Err(error) => Err(error),
    }
}

fn scan_frames(mut log: impl Read, page: usize) -> io::Result<Scan> {
    let mut result = Scan { seen: 0, unseen: 0, empty: true };
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(result);
    }
    let magic = word(&header, 0);
    let mut sums = Sums { low: 0, high: 0, big_endian: magic & 1 == 1 };
    sums.add(&header[..24]);
    let trusted = magic & !1 == 0x377f_0682
        && sums.low == word(&header, 24)
        && sums.high == word(&header, 28)
        && word(&header, 8) as usize == page;
    // Without a header to trust, the salts are those of the first frame that has any, and SQLite will see nothing.
    let mut salts = trusted.then(|| (word(&header, 16), word(&header, 20)));
    let mut good = trusted;
    let mut frame = vec![0; FRAME_HEADER + page];
    while fill(&mut log, &mut frame)? {
        result.empty = false;
        let own = (word(&frame, 8), word(&frame, 12));
        let salts = match salts {
            Some(salts) => salts,
            // A frame of zeros says nothing of the log that it stood in.
            None if own == (0, 0) => continue,
            None => *salts.insert(own),
        };
        let commits = word(&frame, 4) != 0;
        if good {
            sums.add(&frame[..8]);
            sums.add(&frame[FRAME_HEADER..]);
            good = own == salts && (sums.low, sums.high) == (word(&frame, 16), word(&frame, 20));
            if good {
                result.seen += u64::from(commits);
                continue;
            }
            // The salts of the log before this one differ in half their bits; what differs in a few is this one's.
            let apart = (own.0 ^ salts.0).count_ones() + (own.1 ^ salts.1).count_ones();
            result.unseen += u64::from(commits && apart <= 4);
        } else {
            result.unseen += u64::from(commits && own == salts);
        }
    }
    Ok(result)
}

/// SQLite's checksum: two sums that run through all frames.
struct Sums {
    low: u32,
    high: u32,
    big_endian: bool,
}

impl Sums {
    fn add(&mut self, bytes: &[u8]) {
        let read = if self.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        for [a, b, c, d, e, f, g, h] in bytes.as_chunks::<8>().0.iter().copied() {
            self.low = self.low.wrapping_add(read([a, b, c, d])).wrapping_add(self.high);
            self.high = self.high.wrapping_add(read([e, f, g, h])).wrapping_add(self.low);
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Fills all of a buffer; false where the log ends before.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
