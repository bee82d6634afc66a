#![allow(clippy::unwrap_used, clippy::panic)]
extern crate std;
use super::*;
use alloc::vec;
use core::sync::atomic::AtomicUsize;

/// Miri, which watches the same for races and for references that should not be, takes a thousand times as long.
const ROUNDS: usize = if cfg!(miri) { 3 } else { 300 };

/// Every tile is done exactly once, whatever the number of threads, over many short jobs.
#[test]
fn every_element_is_written_once() {
    for threads in [1, 2, 3, 8] {
        let pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads);
        for round in 0..ROUNDS {
            let (height, width) = (1 + round % 7, 1 + round * 13 % 97);
            let mut matrix = vec![0.0f32; height * width];
            let mut scratch = vec![0.0f32; 4 * threads];
            let grid = Grid::new(&mut matrix, width, (2, 16));
            let grid = if round % 2 == 0 { grid.down() } else { grid };
            pool.run(grid, &mut scratch, &Never, &|tile, scratch| {
                assert_eq!(scratch.len(), 4);
                for r in tile.rows() {
                    let first = tile.columns().start;
                    for (c, y) in tile.row(r).iter_mut().enumerate() {
                        *y += (r * width + first + c + 1) as f32;
                    }
                }
            })
            .unwrap();
            assert!(matrix.iter().enumerate().all(|(i, y)| *y == (i + 1) as f32));
        }
    }
}

/// One thread takes tiles in order: row by row, or with `down` column by column.
#[test]
fn tiles_are_numbered_across_or_down() {
    let (mut matrix, order) = ([0.0; 12], std::sync::Mutex::new(vec![]));
    let note = |grid: Grid<'_>| {
        let work = |tile: &mut Tile<'_>, _: &mut [f32]| {
            order.lock().unwrap().push((tile.rows().start, tile.columns().start));
        };
        Pool::new(1).run(grid, &mut [], &Never, &work).unwrap();
        core::mem::take(&mut *order.lock().unwrap())
    };
    assert_eq!(note(Grid::new(&mut matrix, 4, (2, 2))), [(0, 0), (0, 2), (2, 0), (2, 2)]);
    assert_eq!(note(Grid::new(&mut matrix, 4, (2, 2)).down()), [(0, 0), (2, 0), (0, 2), (2, 2)]);
}

#[test]
fn an_interrupt_stops_within_one_tile_per_thread() {
    struct After(AtomicUsize);
    impl Interrupt for After {
        fn stopped(&self) -> bool {
            self.0.fetch_add(1, Relaxed) >= 10
        }
    }
    let (pool, done) = (Pool::new(3), AtomicUsize::new(0));
    let mut matrix = vec![0.0f32; 1000];
    let grid = Grid::new(&mut matrix, 1, (1, 1));
    let result = pool.run(grid, &mut [], &After(AtomicUsize::new(0)), &|_, _| {
        done.fetch_add(1, Relaxed);
    });
    assert_eq!(result, Err(Stopped));
    assert_eq!(done.load(Relaxed), 10);
}

#[test]
fn a_panic_in_a_tile_reaches_the_caller_and_the_pool_lives_on() {
    let pool = Pool::new(2);
    let mut matrix = vec![0.0f32; 64];
    let grid = Grid::new(&mut matrix, 1, (1, 1));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = pool.run(grid, &mut [], &Never, &|tile, _| assert!(tile.rows().start != 40));
    }));
    assert!(result.is_err());
    let grid = Grid::new(&mut matrix, 1, (1, 1));
    assert_eq!(pool.run(grid, &mut [], &Never, &|_, _| ()), Ok(()));
}

/// Where each of a pool's threads may run, once all of them have come.
#[cfg(target_os = "linux")]
fn places(pool: &Pool) -> std::vec::Vec<std::vec::Vec<usize>> {
    let (places, caller) = (std::sync::Mutex::new(std::vec::Vec::new()), std::thread::current().id());
    let came = || places.lock().unwrap().len();
    let start = std::time::Instant::now();
    pool.join(&|| {
        places.lock().unwrap().push(allowed().unwrap());
        // The caller closes the door when it leaves: it waits for the others, on a busy machine for seconds.
        while std::thread::current().id() == caller
            && came() < pool.threads()
            && start.elapsed().as_secs() < 60
        {
            std::thread::yield_now();
        }
    });
    let mut places = places.into_inner().unwrap();
    places.sort();
    places
}

#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "asks the system")]
#[test]
fn workers_are_kept_to_processors_and_the_caller_is_not() {
    let before = allowed().unwrap();
    assert!(!before.is_empty());
    let pool = Pool::pinned(&before).unwrap();
    let mut expected: std::vec::Vec<_> = before.iter().skip(1).map(|n| vec![*n]).collect();
    expected.push(before.clone());
    expected.sort();
    assert_eq!(places(&pool), expected);
    assert_eq!(allowed().unwrap(), before);
    assert!(places(&Pool::new(3)).iter().all(|place| *place == before));
}

#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "asks the system")]
#[test]
fn processors_that_are_not_there_are_refused() {
    let first = allowed().unwrap()[0];
    for absent in [8191, 8192, usize::MAX] {
        let refused = Pool::pinned(&[first, absent]).map(|_| ());
        assert!(matches!(refused, Err(PinError::System { .. })), "{refused:?}");
    }
    // A thread that may run on one processor only knows of no other.
    let alone = std::thread::spawn(move || {
        pin::keep(first).unwrap();
        allowed().unwrap()
    });
    assert_eq!(alone.join().unwrap(), [first]);
}
