//! Threads kept to processors: the same answer, and a refusal where there are too few of them.

use super::{asked, collect, golden, ocelli, one_line, refused, smolvlm, with};
use std::process::Command;

const QUESTION: &str = "What is the number?";

#[test]
fn pinned_threads_answer_and_too_many_are_refused() {
    let (photo, model) = (golden("photo.png"), smolvlm());
    let ask = ["--image", &photo, "-n", "8", QUESTION];
    let line = |threads: &str| -> Vec<String> {
        let first = ["run", "--json", "--pin", "--threads", threads].map(String::from);
        first.into_iter().chain(model.clone()).chain(ask.map(String::from)).collect()
    };
    let run = |threads: &str| ocelli(&with(&line(threads), &[]));
    if !cfg!(target_os = "linux") {
        refused(&run("1"), 2, &["Linux"]);
        return;
    }
    let free = asked(&with(&model, &ask));
    let most = std::thread::available_parallelism().unwrap().get();
    let threads = if most > 1 { "2" } else { "1" };
    assert_eq!(one_line(&run(threads))["ids"], free["ids"]);
    if most < 256 {
        refused(&run("256"), 2, &["256 threads", "processors that may be used"]);
    }
    // A process that may use one processor only keeps one thread to it, and no second one anywhere.
    let limited = |threads: &str| {
        let mut command = Command::new("sh");
        let first = "exec taskset -c $(taskset -cp $$ | sed 's/.*: //; s/[-,].*//') \"$@\"";
        command.args(["-c", first, "sh"]).args(super::start()).args(line(threads));
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        collect(command, "")
    };
    if Command::new("taskset").arg("--version").output().is_err() {
        println!("skipped: there is no taskset here");
        return;
    }
    assert_eq!(one_line(&limited("1"))["ids"], free["ids"]);
    refused(&limited("2"), 2, &["2 threads", "the 1 processors"]);
}
