//! What `/proc` shows of processes: environment, command line, open files, memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};

use rustix::fs::OFlags;

use super::{Kind, Place, Sink};

/// Largest text of `/proc` that is read, in bytes.
const MAX_TEXT: u64 = 16 * 1024 * 1024;
/// How much is read at once.
const CHUNK: usize = 1024 * 1024;
/// How many entries of `pagemap` are read at once; each stands for a page.
const ENTRIES: usize = 8192;
/// Bits of an entry: the page is in memory, or in the swap.
const THERE: u64 = (1 << 63) | (1 << 62);
/// Texts of a process besides its environment and command line.
const TEXTS: [&str; 5] = ["comm", "status", "mountinfo", "cgroup", "limits"];

/// All processes that are here, in the order of their numbers.
pub(crate) fn here() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.collect::<BTreeSet<u32>>().into_iter().collect()
}

/// Looks at these processes. The memory of `reader` is left out: it holds what was read.
pub(crate) fn look(pids: &[u32], reader: u32, sink: &mut impl Sink) -> io::Result<()> {
    let mut seen = BTreeSet::new();
    for pid in pids {
        let comm = text(*pid, "comm").map(|comm| String::from_utf8_lossy(&comm).trim().to_owned());
        // It may have ended since it was listed.
        let Some(comm) = comm else { continue };
        let process = Process { pid: *pid, comm };
        process.environment(sink)?;
        process.texts(sink)?;
        process.descriptors(&mut seen, sink)?;
        if *pid == reader {
            sink.left_out("the memory of the program that looks", "it holds what it reads")?;
        } else {
            process.memory(sink)?;
        }
    }
    Ok(())
}

struct Process {
    pid: u32,
    comm: String,
}

impl Process {
    fn place(&self, kind: Kind, name: impl Into<String>) -> Place {
        Place { kind, name: name.into(), process: Some((self.pid, self.comm.clone())), at: 0 }
    }

    fn refused(&self, what: &str, error: &io::Error, sink: &mut impl Sink) -> io::Result<()> {
        match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            // Gone, or a kernel thread: there is nothing to see.
            Some(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => Ok(()),
            _ => sink.left_out(&format!("{what} of `{}`", self.comm), &error.to_string()),
        }
    }

    fn environment(&self, sink: &mut impl Sink) -> io::Result<()> {
        let read = read(self.pid, "environ");
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => return self.refused("the environment", &error, sink),
        };
        for entry in bytes.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
            let name: String = String::from_utf8_lossy(name).chars().take(128).collect();
            sink.whole(&self.place(Kind::Variable, name), entry)?;
        }
        Ok(())
    }

    fn texts(&self, sink: &mut impl Sink) -> io::Result<()> {
        match read(self.pid, "cmdline") {
            Ok(bytes) => sink.whole(&self.place(Kind::CommandLine, self.comm.as_str()), &bytes)?,
            Err(error) => self.refused("the command line", &error, sink)?,
        }
        for name in TEXTS {
            if let Some(bytes) = text(self.pid, name) {
                sink.whole(&self.place(Kind::Process, format!("/proc/PID/{name}")), &bytes)?;
            }
        }
        Ok(())
    }

    /// What its descriptors lead to, by name; regular files also by content: they may have no name any more.
    fn descriptors(&self, seen: &mut BTreeSet<(u64, u64)>, sink: &mut impl Sink) -> io::Result<()> {
        let entries = match std::fs::read_dir(format!("/proc/{}/fd", self.pid)) {
            Ok(entries) => entries,
            Err(error) => return self.refused("open files", &error, sink),
        };
        for entry in entries.flatten() {
            let Ok(leads_to) = std::fs::read_link(entry.path()) else { continue };
            let name = leads_to.to_string_lossy().into_owned();
            sink.whole(&self.place(Kind::Descriptor, name.as_str()), name.as_bytes())?;
            // What has a path is found by it.
            let nameless = name.ends_with(" (deleted)") || name.starts_with("/memfd:");
            let Ok(found) = std::fs::metadata(entry.path()) else { continue };
            if !nameless || !found.is_file() || !seen.insert((found.dev(), found.ino())) {
                continue;
            }
            match open(&entry.path().to_string_lossy()) {
                Ok(file) => super::files::content(&file, &self.place(Kind::Descriptor, name), sink)?,
                Err(error) => self.refused("an open file", &error, sink)?,
            }
        }
        Ok(())
    }

    /// All memory that can be read and is there; what is mapped from a file and cannot be written is that file.
    fn memory(&self, sink: &mut impl Sink) -> io::Result<()> {
        let (maps, memory) = match (read(self.pid, "maps"), open(&format!("/proc/{}/mem", self.pid))) {
            (Ok(maps), Ok(memory)) => (maps, memory),
            (Err(error), _) | (_, Err(error)) => return self.refused("the memory", &error, sink),
        };
        let pages = open(&format!("/proc/{}/pagemap", self.pid)).ok();
        for line in String::from_utf8_lossy(&maps).lines() {
            let Some(region) = Region::read(line) else { continue };
            if !region.readable || ["[vvar]", "[vvar_vclock]", "[vsyscall]"].contains(&region.name) {
                continue;
            }
            if region.of_file && !region.writable {
                continue;
            }
            let name = if region.name.is_empty() { "anonymous" } else { region.name };
            let place = Place { at: region.start, ..self.place(Kind::Memory, name) };
            for (start, end) in there(pages.as_ref(), &region) {
                sink.begin(&place)?;
                range(&memory, start, end, sink)?;
            }
        }
        Ok(())
    }
}

/// A line of `maps`.
struct Region<'a> {
    start: u64,
    end: u64,
    readable: bool,
    writable: bool,
    /// A file that has a name.
    of_file: bool,
    name: &'a str,
}

impl<'a> Region<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let rights = words.next()?;
        let inode = words.nth(2)?;
        let name = words.next().unwrap_or_default();
        let nameless = name.starts_with("/memfd:") || line.ends_with("(deleted)");
        Some(Self {
            start: u64::from_str_radix(start, 16).ok()?,
            end: u64::from_str_radix(end, 16).ok()?,
            readable: rights.starts_with('r'),
            writable: rights.as_bytes().get(1) == Some(&b'w'),
            of_file: inode != "0" && !nameless,
            name,
        })
    }
}

/// The parts of a region whose pages are there. Reading others would make them.
fn there(pages: Option<&File>, region: &Region<'_>) -> Vec<(u64, u64)> {
    let size = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let Some(pages) = pages else { return vec![(region.start, region.end)] };
    let mut out: Vec<(u64, u64)> = Vec::new();
    let mut buffer = vec![0_u8; ENTRIES * 8];
    let mut page = region.start / size;
    let last = region.end / size;
    while page < last {
        let want = usize::try_from(last - page).unwrap_or(ENTRIES).min(ENTRIES);
        let Some(part) = buffer.get_mut(..want * 8) else { break };
        let Ok(read) = pages.read_at(part, page * 8) else { return vec![(region.start, region.end)] };
        let entries = read / 8;
        if entries == 0 {
            break;
        }
        for (entry, at) in part.chunks_exact(8).take(entries).zip(page..) {
            let bits = entry.try_into().map_or(0, u64::from_ne_bytes);
            if bits & THERE == 0 {
                continue;
            }
            match out.last_mut() {
                Some((_, end)) if *end == at * size => *end += size,
                _ => out.push((at * size, (at + 1) * size)),
            }
        }
        page += u64::try_from(entries).unwrap_or(u64::MAX);
    }
    out
}

fn range(memory: &File, start: u64, end: u64, sink: &mut impl Sink) -> io::Result<()> {
    let mut buffer = vec![0_u8; CHUNK];
    let mut at = start;
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let Some(part) = buffer.get_mut(..want) else { break };
        match memory.read_at(part, at) {
            // Unmapped since.
            Ok(0) | Err(_) => break,
            Ok(count) => {
                sink.bytes(part.get(..count).unwrap_or_default())?;
                at += u64::try_from(count).unwrap_or(u64::MAX);
            }
        }
    }
    Ok(())
}

fn open(path: &str) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read(pid: u32, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(&format!("/proc/{pid}/{name}"))?.take(MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(pid: u32, name: &str) -> Option<Vec<u8>> {
    read(pid, name).ok()
}
