//! Logs are made, found, listed, and grow at their end alone.

use std::sync::Arc;

use chainrule::store::{Change, Commit, Conflict, Entry, EntryHead, Head, LogId, Store};

use super::made::{all, append, branch, conflicts, create, entry, first, fresh, grown, key, log, log_of, next, only};

type Held = Arc<dyn Store>;

pub async fn nothing_is_found_in_an_empty_store(store: Held) {
    let id = LogId(fresh());
    store.ready().await.unwrap();
    assert_eq!(store.find("", "demo").await, Ok(None));
    assert_eq!(store.log(id).await, Ok(None));
    assert_eq!(store.list("", None, 10).await, Ok(vec![]));
    assert_eq!(store.heads(id, 0, 10).await, Ok(vec![]));
    assert_eq!(store.entries(id, 0, 10, 1000).await, Ok(vec![]));
    assert_eq!(store.snapshot(id, 10).await, Ok(None));
    assert_eq!(store.key("", "once").await, Ok(None));
    conflicts(store.commit(only(Change::Delete(id))).await, Conflict::Gone);
    let lost = entry(&log("lost"), 1, 1, [0; 32], vec![1]);
    conflicts(store.commit(only(Change::Append(id, lost))).await, Conflict::Gone);
    store.commit(only(Change::Nothing)).await.unwrap();
}

pub async fn a_log_is_found_by_its_name_and_by_its_id(store: Held) {
    let made = log("demo");
    let entry = create(&*store, &made).await;
    let head = Head { log: made.clone(), entry: entry.head.clone() };
    assert_eq!(store.find("", "demo").await, Ok(Some(head)));
    assert_eq!(store.log(made.id).await, Ok(Some(made.clone())));
    assert_eq!(all(&*store, made.id).await, vec![entry.clone()]);
    for absent in ["dem", "demo2", "DEMO", "", "demo%", "dem_"] {
        assert_eq!(store.find("", absent).await, Ok(None), "{absent}");
    }
    assert_eq!(store.find("someone", "demo").await, Ok(None));

    let twig = branch(&made, 0, "twig");
    let on = create(&*store, &twig).await;
    assert_eq!(store.find("", "twig").await, Ok(Some(Head { log: twig.clone(), entry: on.head })));
    assert_eq!(store.log(twig.id).await, Ok(Some(twig)));
}

pub async fn a_name_belongs_to_one_log_of_a_tenant(store: Held) {
    let mine = log_of("a", "demo");
    let entry = create(&*store, &mine).await;
    let again = log_of("a", "demo");
    conflicts(store.commit(only(Change::Create(again.clone(), first(&again)))).await, Conflict::Name);
    assert_eq!(store.log(again.id).await, Ok(None));
    assert_eq!(all(&*store, again.id).await, vec![]);
    assert_eq!(all(&*store, mine.id).await, vec![entry]);

    let theirs = log_of("b", "demo");
    create(&*store, &theirs).await;
    assert_eq!(store.find("a", "demo").await.unwrap().unwrap().log, mine);
    assert_eq!(store.find("b", "demo").await.unwrap().unwrap().log, theirs);
}

pub async fn an_append_stands_on_the_last_entry(store: Held) {
    let made = log("demo");
    let zero = create(&*store, &made).await;
    let one = append(&*store, &made, 1, b"one".to_vec()).await;
    let head = store.find("", "demo").await.unwrap().unwrap();
    assert_eq!(head.entry, one.head);
    // It covers three steps, so the next one after it is 5.
    let two = append(&*store, &made, 3, b"two to four".to_vec()).await;
    assert_eq!((two.head.step, two.head.last), (2, 4));

    let hash = two.head.hash;
    for (step, before, what) in [
        (2, one.head.hash, "the step that another one made"),
        (2, hash, "its step with the last one's hash"),
        (3, hash, "a step within a range"),
        (4, hash, "the last step"),
        (6, hash, "a gap"),
        (5, one.head.hash, "an older hash"),
        (5, [0; 32], "no hash"),
        (0, zero.head.before, "the first again"),
    ] {
        let refused = entry(&made, step, step, before, what.as_bytes().to_vec());
        conflicts(store.commit(only(Change::Append(made.id, refused))).await, Conflict::Head);
    }
    assert_eq!(all(&*store, made.id).await, vec![zero, one, two]);
    assert_eq!(append(&*store, &made, 1, vec![]).await.head.step, 5);
}

pub async fn what_is_refused_leaves_no_trace(store: Held) {
    let made = log("demo");
    let zero = create(&*store, &made).await;
    let same = log("demo");
    let refused = entry(&made, 9, 9, zero.head.hash, vec![9]);
    let lost = LogId(fresh());
    let orphan = branch(&log("nobody"), 3, "orphan");
    for (name, change, conflict) in [
        ("create", Change::Create(same.clone(), first(&same)), Conflict::Name),
        ("append", Change::Append(made.id, refused), Conflict::Head),
        ("delete", Change::Delete(lost), Conflict::Gone),
        ("branch", Change::Create(orphan.clone(), first(&orphan)), Conflict::Gone),
    ] {
        conflicts(store.commit(Commit { change, key: Some(key("", name)) }).await, conflict);
        assert_eq!(store.key("", name).await, Ok(None), "{name}");
    }
    assert_eq!(all(&*store, made.id).await, vec![zero]);
    assert_eq!(store.find("", "orphan").await, Ok(None));
    assert_eq!(store.log(orphan.id).await, Ok(None));
    assert_eq!(store.list("", None, 10).await.unwrap().len(), 1);
}

pub async fn logs_are_listed_by_name_and_page(store: Held) {
    // In the order of their bytes, whatever language the database was set up in.
    let names = ["0", "1.5", "10", "2", "a", "a-b", "a.b", "a.b.c", "a_b", "aa", "ab", "b", "b-1", "zz"];
    for name in names.iter().rev() {
        grown(&*store, &log_of("mine", name), 2).await;
        create(&*store, &log_of("other", &format!("{name}x"))).await;
    }
    let listed = async |after: Option<&str>, limit| {
        let heads = store.list("mine", after, limit).await.unwrap();
        assert!(heads.iter().all(|head| head.log.tenant == "mine" && head.entry.step == 1));
        heads.into_iter().map(|head| head.log.name).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 100).await, names);
    assert_eq!(listed(None, usize::MAX).await, names);
    assert_eq!(listed(None, 3).await, names[..3]);
    assert_eq!(listed(None, 0).await, Vec::<String>::new());
    assert_eq!(listed(Some("2"), 4).await, names[4..8]);
    assert_eq!(listed(Some("a-"), 2).await, ["a-b", "a.b"]);
    assert_eq!(listed(Some("zz"), 5).await, Vec::<String>::new());
    let mut paged = Vec::new();
    while let page = listed(paged.last().map(String::as_str), 5).await
        && !page.is_empty()
    {
        paged.extend(page);
    }
    assert_eq!(paged, names);
    assert_eq!(store.list("nobody", None, 5).await, Ok(vec![]));
}

pub async fn every_value_comes_back_as_it_went_in(store: Held) {
    let made = log_of("ten\u{e4}nt ' \"%", "n\u{fc}ll\u{1f980}");
    let big = (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut before = create(&*store, &made).await;
    let mut written = vec![before.clone()];
    for (n, (body, note, at)) in [
        (vec![], "", 0),
        ((0..=255).collect(), "{\"a\": [1, 2]}", -1),
        (vec![0; 5000], "\u{1f980} \u{e9}\u{301} ' \\ % _ \n\t", i64::MIN),
        (big, &*"long ".repeat(20_000), i64::MAX),
    ]
    .into_iter()
    .enumerate()
    {
        let step = before.head.last + 1;
        let last = if n == 3 { 1 << 62 } else { step };
        let head = EntryHead {
            step,
            last,
            at,
            append: fresh(),
            state: [n as u8; 32],
            before: before.head.hash,
            note: note.to_owned(),
            hash: [0; 32],
        };
        before = Entry { head, body }.sealed(&made.tenant, made.id);
        store.commit(only(Change::Append(made.id, before.clone()))).await.unwrap();
        written.push(before.clone());
    }
    let read = all(&*store, made.id).await;
    assert_eq!(read, written);
    assert!(read.iter().all(|entry| entry.is_whole(&made.tenant, made.id)));
    let heads: Vec<EntryHead> = written.into_iter().map(|entry| entry.head).collect();
    assert_eq!(store.heads(made.id, 0, 100).await, Ok(heads.clone()));
    assert_eq!(store.find(&made.tenant, &made.name).await.unwrap().unwrap().entry, heads[4]);
}

/// A log whose entries cover the steps 0, 1, 2 to 6, 7, 8 to 17, 18.
async fn with_ranges(store: &Held) -> (LogId, Vec<Entry>) {
    let made = log("ranges");
    let mut entries = vec![create(&**store, &made).await];
    for covers in [1, 5, 1, 10, 1] {
        entries.push(append(&**store, &made, covers, vec![covers as u8; 50]).await);
    }
    // Its neighbours must not come in.
    grown(&**store, &log("before"), 30).await;
    grown(&**store, &log("zebra"), 30).await;
    (made.id, entries)
}

pub async fn heads_come_from_the_covering_entry_on(store: Held) {
    let (id, entries) = with_ranges(&store).await;
    let heads: Vec<EntryHead> = entries.into_iter().map(|entry| entry.head).collect();
    for (from, first) in
        [(0, 0), (1, 1), (2, 2), (3, 2), (6, 2), (7, 3), (8, 4), (17, 4), (18, 5), (19, 6), (u64::MAX, 6)]
    {
        for limit in [0, 1, 2, 100, usize::MAX] {
            let expected: Vec<EntryHead> = heads[first..].iter().take(limit).cloned().collect();
            assert_eq!(store.heads(id, from, limit).await, Ok(expected), "{limit} from {from}");
        }
    }
}

pub async fn entries_come_from_the_covering_entry_on(store: Held) {
    let (id, entries) = with_ranges(&store).await;
    for from in 0..20 {
        for to in 0..20 {
            let wanted = |entry: &&Entry| entry.head.last >= from && entry.head.step <= to;
            // Upside down, what covers both is still a fair answer.
            if from <= to {
                let expected: Vec<Entry> = entries.iter().filter(wanted).cloned().collect();
                assert_eq!(store.entries(id, from, to, usize::MAX).await, Ok(expected), "{from} to {to}");
            }
        }
    }
    // A branch begins behind where it comes from.
    let parent = log("parent");
    grown(&*store, &parent, 8).await;
    let twig = branch(&parent, 5, "twig");
    let own = grown(&*store, &twig, 3).await;
    assert_eq!(own.iter().map(|entry| entry.head.step).collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(store.entries(twig.id, 0, 7, usize::MAX).await, Ok(own[..2].to_vec()));
    assert_eq!(store.heads(twig.id, 3, 1).await, Ok(vec![own[0].head.clone()]));
}

pub async fn entries_come_as_many_as_their_bytes_allow(store: Held) {
    let made = log("heavy");
    let mut entries = vec![create(&*store, &made).await];
    for n in 1..20 {
        entries.push(append(&*store, &made, 1, vec![n; 100_000]).await);
    }
    for bytes in [0, 1, 50_000] {
        assert_eq!(store.entries(made.id, 4, 100, bytes).await, Ok(entries[4..5].to_vec()), "{bytes} bytes");
    }
    let some = store.entries(made.id, 4, 100, 300_000).await.unwrap();
    assert!((2..=4).contains(&some.len()), "{} entries", some.len());
    assert_eq!(some[..], entries[4..4 + some.len()]);
    assert_eq!(store.entries(made.id, 0, 100, usize::MAX).await, Ok(entries.clone()));
    // Whoever goes on where an answer ended comes to the end.
    let (mut read, mut from) = (Vec::new(), 0);
    while from < 20 {
        let part = store.entries(made.id, from, 100, 250_000).await.unwrap();
        from = part.last().unwrap().head.last + 1;
        read.extend(part);
    }
    assert_eq!(read, entries);
}

pub async fn numbers_beyond_all_steps_are_no_trouble(store: Held) {
    let made = log("demo");
    let entries = grown(&*store, &made, 3).await;
    for beyond in [3, u64::from(u32::MAX), i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        assert_eq!(store.entries(made.id, beyond, u64::MAX, 1000).await, Ok(vec![]));
        assert_eq!(store.heads(made.id, beyond, 1000).await, Ok(vec![]));
        assert_eq!(store.entries(made.id, 1, beyond, usize::MAX).await, Ok(entries[1..].to_vec()));
        assert_eq!(store.snapshot(made.id, beyond).await, Ok(None));
    }
    let head = store.find("", "demo").await.unwrap().unwrap();
    let far = next(&head, (i64::MAX as u64) - 3, vec![]);
    store.commit(only(Change::Append(made.id, far.clone()))).await.unwrap();
    assert_eq!(store.heads(made.id, 1 << 40, 10).await, Ok(vec![far.head]));
}
