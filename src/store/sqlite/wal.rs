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
    /// Bytes at its end that were written to this log and belong to no transaction that SQLite will see; what an earlier
    /// log left behind the end of this one is none of them
    pub(super) left_out: u64,
}

impl Scan {
    const NOTHING: Self = Self { seen: 0, unseen: 0, empty: true, left_out: 0 };

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
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Scan::NOTHING),
        Err(error) => Err(error),
    }
}

fn scan_frames(mut log: impl Read, page: usize) -> io::Result<Scan> {
    let mut result = Scan::NOTHING;
    let mut header = [0; HEADER];
    let filled = fill(&mut log, &mut header)?;
    if filled < HEADER {
        return Ok(Scan { left_out: filled as u64, ..result });
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
    // Up to where SQLite will read, and up to where this log was written.
    let (mut at, mut read, mut written) = (HEADER as u64, HEADER as u64, HEADER as u64);
    let mut frame = vec![0; FRAME_HEADER + page];
    loop {
        let filled = fill(&mut log, &mut frame)?;
        at += filled as u64;
        if filled < frame.len() {
            // Too few bytes for salts are this log's where all before them is.
            let torn = if filled < 16 { filled > 0 && good } else { salts.is_none_or(|salts| is_own(&frame, salts)) };
            written = if torn { at } else { written };
            break;
        }
        result.empty = false;
        let own = (word(&frame, 8), word(&frame, 12));
        let salts = match salts {
            Some(salts) => salts,
            // A frame of zeros says nothing of the log that it stood in.
            None if own == (0, 0) => continue,
            None => *salts.insert(own),
        };
        let commits = word(&frame, 4) != 0;
        written = if is_own(&frame, salts) { at } else { written };
        if good {
            sums.add(&frame[..8]);
            sums.add(&frame[FRAME_HEADER..]);
            good = own == salts && (sums.low, sums.high) == (word(&frame, 16), word(&frame, 20));
            if good {
                result.seen += u64::from(commits);
                read = if commits { at } else { read };
                continue;
            }
            result.unseen += u64::from(commits && is_like(own, salts));
        } else {
            result.unseen += u64::from(commits && own == salts);
        }
    }
    Ok(Scan { left_out: written.saturating_sub(read), ..result })
}

/// Whether a frame was written to the log of these salts: one of zeros was to be.
fn is_own(frame: &[u8], salts: (u32, u32)) -> bool {
    let own = (word(frame, 8), word(frame, 12));
    own == (0, 0) || is_like(own, salts)
}

/// The salts of the log before this one differ in half their bits; what differs in a few is this one's.
fn is_like(own: (u32, u32), salts: (u32, u32)) -> bool {
    (own.0 ^ salts.0).count_ones() + (own.1 ^ salts.1).count_ones() <= 4
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

/// Fills a buffer as far as the log goes; how many bytes that are.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match log.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
