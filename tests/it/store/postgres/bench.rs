//! temporary
use super::super::made::{create, key, log, next};
use super::replica;
use super::server::Server;
use chainrule::store::{Change, Commit};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bench() {
    let server = Server::start("");
    let store = replica(&server.database().await).await;
    for keyed in [false, true] {
        for callers in [1usize, 16, 64] {
            let began = Instant::now();
            let mut tasks = tokio::task::JoinSet::new();
            for n in 0..callers {
                let store = store.clone();
                tasks.spawn(async move {
                    let made = log(&format!("{keyed}c{callers}n{n}"));
                    create(&*store, &made).await;
                    let mut head = store.find("", &made.name).await.unwrap().unwrap();
                    let mut count = 0;
                    let mut worst = 0.0f64;
                    while began.elapsed().as_secs() < 4 {
                        let entry = next(&head, 1, vec![7; 300]);
                        head.entry = entry.head.clone();
                        let t = Instant::now();
                        let key = keyed.then(|| key("", &format!("{}k{count}", made.name)));
                        store.commit(Commit { change: Change::Append(made.id, entry), key }).await.unwrap();
                        worst = worst.max(t.elapsed().as_secs_f64());
                        count += 1;
                    }
                    (count, worst)
                });
            }
            let all = tasks.join_all().await;
            let sum: usize = all.iter().map(|a| a.0).sum();
            let worst = all.iter().map(|a| a.1).fold(0.0, f64::max);
            println!(
                "keyed {keyed} callers {callers}: {:.0}/s worst {:.1} ms",
                sum as f64 / began.elapsed().as_secs_f64(),
                worst * 1e3
            );
        }
    }
}
