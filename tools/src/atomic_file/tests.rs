#![allow(clippy::unwrap_used)]

use super::*;

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ocelli-part-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn make(path: &Path, replace: bool) -> Result<u64, Failure> {
    let mut part = Part::create(path, replace)?;
    part.write(b"the new").unwrap();
    part.finish()
}

#[test]
fn a_name_has_the_old_file_or_the_whole_new_one() {
    let folder = folder("whole");
    let path = folder.join("x.gguf");
    std::fs::write(&path, "old").unwrap();
    let mut part = Part::create(&path, true).unwrap();
    part.write(b"half").unwrap();
    assert_eq!(names(&folder).len(), 2);
    drop(part);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&folder), ["x.gguf"]);
    let mut part = Part::create(&path, true).unwrap();
    part.write(b"the ").unwrap();
    part.write(b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(part.finish().unwrap(), 7);
    assert_eq!(std::fs::read(&path).unwrap(), b"the new");
    assert!(matches!(Part::create(&path, false), Err(Failure::Exists(_))));
    assert_eq!(make(&folder.join("y.gguf"), false).unwrap(), 7);
    assert_eq!(names(&folder), ["x.gguf", "y.gguf"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn names_that_are_no_files() {
    let folder = folder("names");
    for replace in [false, true] {
        for name in ["", "/", "..", "no/..", "new/"] {
            let path = folder.join(name);
            let path = if name.is_empty() { Path::new("") } else { &path };
            assert!(matches!(make(path, replace), Err(Failure::Folder(_))), "{name:?}");
        }
        assert!(matches!(make(&folder, replace), Err(Failure::Folder(_))));
        let missing = make(&folder.join("no/x"), replace).unwrap_err();
        assert!(missing.to_string().contains("no such folder"), "{missing}");
    }
    let long = "l".repeat(255);
    assert_eq!(make(&folder.join(&long), false).unwrap(), 7);
    assert_eq!(make(&folder.join(&long), true).unwrap(), 7);
    let longer = make(&folder.join("l".repeat(256)), false).unwrap_err();
    assert!(matches!(longer, Failure::Begin(..)), "{longer:?}");
    assert_eq!(names(&folder), [long]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_comes_by_the_name_meanwhile_stays() {
    let folder = folder("meanwhile");
    let path = folder.join("x.gguf");
    let part = Part::create(&path, false).unwrap();
    std::fs::write(&path, "theirs").unwrap();
    assert!(matches!(part.finish(), Err(Failure::Exists(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    // After the last look: the name is taken, not replaced.
    let part = folder.join("x.part");
    std::fs::write(&part, "mine").unwrap();
    assert!(matches!(name(&part, &path, false), Err(Failure::Exists(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    std::fs::remove_file(&part).unwrap();
    // A folder, also where a file may be replaced.
    std::fs::remove_file(&path).unwrap();
    let part = Part::create(&path, true).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(part.finish(), Err(Failure::Folder(_))));
    assert_eq!(names(&folder), ["x.gguf"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_abandoned_is_gone() {
    let folder = folder("abandoned");
    let parts = ["x", "y"].map(|name| Part::create(&folder.join(name), false).unwrap());
    assert_eq!(names(&folder).len(), 2);
    // Other tests have parts too, which must not be taken from them: of all only these two.
    let listed = super::parts().iter().filter(|part| part.starts_with(&folder)).count();
    let mut mine: Vec<PathBuf> = parts.iter().map(|part| part.part.clone()).collect();
    assert_eq!((listed, mine.len()), (2, 2));
    remove(&mut mine);
    assert_eq!(names(&folder), [""; 0]);
    drop(parts);
    assert!(!super::parts().iter().any(|part| part.starts_with(&folder)));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn links_are_neither_replaced_nor_followed() {
        let folder = folder("links");
        let at = |name: &str| folder.join(name);
        std::fs::write(at("target"), "theirs").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        symlink("target", at("to-file")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("folder", at("to-folder")).unwrap();
        symlink("/dev/null", at("to-device")).unwrap();
        let before = names(&folder);
        for link in ["to-file", "dangling", "loop", "to-folder", "to-device"] {
            for replace in [false, true] {
                let why = make(&at(link), replace).unwrap_err();
                assert!(matches!(why, Failure::Link(..)), "{link}: {why:?}");
                assert!(at(link).is_symlink());
            }
        }
        assert_eq!(std::fs::read(at("target")).unwrap(), b"theirs");
        assert_eq!(names(&folder), before);
        // A link that is a folder on the way is a folder.
        assert_eq!(make(&at("to-folder").join("x"), false).unwrap(), 7);
        assert_eq!(std::fs::read(at("folder").join("x")).unwrap(), b"the new");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_name_of_what_is_not_whole_may_be_taken() {
        let folder = folder("taken");
        let at = |name: &str| folder.join(name);
        let process = std::process::id();
        std::fs::write(at("secret"), "secret").unwrap();
        symlink("secret", at(&format!("x.{process}.part"))).unwrap();
        symlink("not-there", at(&format!("x.{process}-1.part"))).unwrap();
        std::fs::write(at(&format!("x.{process}-2.part")), "of another run").unwrap();
        std::fs::create_dir(at(&format!("x.{process}-3.part"))).unwrap();
        let before = names(&folder).len();
        assert_eq!(make(&at("x"), false).unwrap(), 7);
        drop(Part::create(&at("x"), true).unwrap());
        assert_eq!(std::fs::read(at("x")).unwrap(), b"the new");
        assert_eq!(std::fs::read(at("secret")).unwrap(), b"secret");
        assert_eq!(std::fs::read(at(&format!("x.{process}-2.part"))).unwrap(), b"of another run");
        assert!(!at("not-there").exists());
        assert_eq!(names(&folder).len(), before + 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn permissions_stay_with_the_name() {
        let folder = folder("mode");
        let path = folder.join("x");
        for mode in [0o600, 0o640, 0o444, 0o664] {
            std::fs::write(&path, "old").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let part = Part::create(&path, true).unwrap();
            assert_eq!(std::fs::metadata(&part.part).unwrap().mode() & 0o777, mode);
            part.finish().unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, mode);
            std::fs::remove_file(&path).unwrap();
        }
        // A new file is what any new file is.
        std::fs::write(folder.join("any"), "").unwrap();
        make(&path, false).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode();
        assert_eq!(mode(&path), mode(&folder.join("any")));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_read_is_not_written() {
        let folder = folder("source");
        let at = |name: &str| folder.join(name);
        std::fs::write(at("in"), "in").unwrap();
        std::fs::write(at("other"), "in").unwrap();
        std::fs::hard_link(at("in"), at("hard")).unwrap();
        symlink("in", at("soft")).unwrap();
        for name in ["in", "./in", "hard", "soft"] {
            let why = apart(&at(name), [at("not-there"), at("other"), at("in")]);
            let differs = apart(&at(name), [at("not-there"), at("other")]);
            assert!(matches!(why, Err(Failure::Source(_))), "{name}");
            assert!(differs.is_ok(), "{name}");
        }
        assert!(apart(&at("new"), [at("in")]).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
