//! Small packages on disk, and the circles that are found in them.

use std::{
    env, fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use super::task::check;

/// A package in a folder of its own, which is removed with it.
struct Package(PathBuf);

impl Package {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let package = Self(env::temp_dir().join(format!("xtask-imports-{}-{number}", std::process::id())));
        let manifest = ("Cargo.toml", "[package]\nname = \"some-crate\"\nedition = \"2024\"\n[workspace]\n");
        for (name, text) in files.iter().chain([&manifest]) {
            let path = package.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        package
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines of all circles.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let package = Package::new(files);
    match check(&package.0) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("circles of imports: "), "{text}");
            text.lines().filter(|line| line.contains(" -> ")).map(|line| line.trim().to_owned()).collect()
        }
    }
}

#[test]
fn files_that_import_in_one_direction_make_no_circle() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;"),
        ("src/a.rs", "use crate::{b::B, c::C};\npub struct A(B, C);"),
        ("src/b.rs", "use crate::c;\npub(crate) struct B(c::C);"),
        ("src/c.rs", "use std::fmt::Debug;\npub(crate) struct C(Box<dyn Debug>);"),
    ];
    assert_eq!(circles(&files), [] as [&str; 0]);
    let package = Package::new(&files);
    assert_eq!(check(&package.0).unwrap(), "no circle of imports; packages: 1, files: 4");
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "use crate::b::{B, b};\npub(crate) struct A(B);\nfn f() { b() }"),
        ("src/b.rs", "use super::a::A as Other;\npub(crate) struct B(Box<Other>);\npub(crate) fn b() {}"),
    ];
    assert_eq!(circles(&files), ["src/a.rs -> src/b.rs: B, b", "src/b.rs -> src/a.rs: A"]);
}

#[test]
fn three_files_in_a_row_are_a_circle() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\nmod c;"),
        ("src/a.rs", "pub(crate) struct A(crate::c::C);"),
        ("src/b.rs", "pub(crate) struct B(crate::a::A);"),
        ("src/c.rs", "pub(crate) struct C(Box<crate::b::B>);"),
    ];
    assert_eq!(circles(&files), ["src/a.rs -> src/c.rs: C", "src/c.rs -> src/b.rs: B", "src/b.rs -> src/a.rs: A"]);
}

#[test]
fn a_parent_that_uses_the_child_that_imports_it_is_in_a_circle() {
    let child = ("src/hub/slot.rs", "use super::Inner;\npub(super) struct Slot(Option<Box<Inner>>);");
    for parent in [
        "mod slot;\nuse slot::Slot;\nstruct Inner(Slot);",
        "mod slot;\nstruct Inner(slot::Slot);",
        "mod slot;\nstruct Inner(self::slot::Slot);",
        "mod slot;\npub(crate) use slot::Slot;\nstruct Inner(Slot);",
    ] {
        let files = [("src/lib.rs", "mod hub;"), ("src/hub.rs", parent), child];
        assert_eq!(
            circles(&files),
            ["src/hub/slot.rs -> src/hub.rs: Inner", "src/hub.rs -> src/hub/slot.rs: Slot"],
            "{parent}"
        );
    }
}

#[test]
fn a_parent_that_only_declares_and_re_exports_is_in_none() {
    let files = [
        ("src/lib.rs", "mod hub;"),
        ("src/hub.rs", "mod inner;\nmod slot;\npub(crate) use inner::Inner;\npub(crate) use slot::*;"),
        ("src/hub/inner.rs", "use super::Slot;\npub(crate) struct Inner(Slot);"),
        ("src/hub/slot.rs", "pub(crate) struct Slot;"),
    ];
    assert_eq!(circles(&files), [] as [&str; 0]);
}

#[test]
fn a_re_export_alone_does_not_close_a_circle() {
    let files = [
        ("src/lib.rs", "mod hub;"),
        ("src/hub.rs", "mod slot;\npub(crate) use slot::Slot;\npub(crate) struct Inner;"),
        ("src/hub/slot.rs", "use super::Inner;\npub(crate) struct Slot(Inner);"),
    ];
    assert_eq!(circles(&files), [] as [&str; 0]);
}

#[test]
fn every_import_in_a_circle_is_shown() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\nmod c;\nmod apart;"),
        ("src/a.rs", "use crate::b::B;\npub(crate) struct A(B);"),
        ("src/b.rs", "use crate::{a::A, c::C, apart::Apart};\npub(crate) struct B(A, C, Apart);"),
        ("src/c.rs", "use crate::a::A;\npub(crate) struct C(A);"),
        ("src/apart.rs", "pub(crate) struct Apart;"),
    ];
    let expected = [
        "src/a.rs -> src/b.rs: B",
        "src/b.rs -> src/a.rs: A",
        "src/a.rs -> src/b.rs: B",
        "src/b.rs -> src/c.rs: C",
        "src/c.rs -> src/a.rs: A",
    ];
    assert_eq!(circles(&files), expected);
}

#[test]
fn a_name_is_followed_through_re_exports() {
    let files = [
        ("src/lib.rs", "mod hub;\nmod user;\npub use hub::Slot as Place;"),
        ("src/hub.rs", "mod slot;\npub use self::slot::*;"),
        ("src/hub/slot.rs", "use crate::user::User;\npub struct Slot(Box<User>);"),
        ("src/user.rs", "use crate::Place;\npub(crate) struct User(Place);"),
    ];
    assert_eq!(circles(&files), ["src/hub/slot.rs -> src/user.rs: User", "src/user.rs -> src/hub/slot.rs: Slot"]);
}

#[test]
fn re_exports_that_lead_back_to_themselves_end() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "pub use crate::b::*;\nuse crate::b::Nowhere;"),
        ("src/b.rs", "pub use crate::a::*;"),
    ];
    assert_eq!(circles(&files), [] as [&str; 0]);
}

#[test]
fn a_use_inside_a_function_counts() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "pub(crate) fn a() { use crate::b::b; b() }"),
        ("src/b.rs", "pub(crate) fn b() { fn inner() { use super::a; a::a() } inner() }"),
    ];
    assert_eq!(circles(&files), ["src/a.rs -> src/b.rs: b", "src/b.rs -> src/a.rs: a"]);
}

#[test]
fn everything_of_a_module_counts_unless_it_defines_nothing() {
    let found = |parent: &str| {
        circles(&[
            ("src/lib.rs", "mod a;\nmod b;\nmod parent;"),
            ("src/a.rs", "use crate::b::*;\npub(crate) struct A;"),
            ("src/b.rs", "use crate::{a::A, parent::*};\npub(crate) struct B(A, Child);"),
            ("src/parent.rs", &format!("mod child;\npub(crate) use child::Child;\n{parent}")),
            ("src/parent/child.rs", "pub(crate) struct Child;"),
        ])
    };
    let between_a_and_b = ["src/a.rs -> src/b.rs: *", "src/b.rs -> src/a.rs: A"];
    let with_parent = ["src/b.rs -> src/parent.rs: *", "src/parent.rs -> src/b.rs: B"];
    assert_eq!(found(""), between_a_and_b);
    assert_eq!(found("use crate::b::B;\nfn f(_: B) {}"), [between_a_and_b, with_parent].concat());
}

#[test]
fn arguments_of_macros_and_attributes_count() {
    for text in [
        "fn f() { println!(\"{}\", crate::b::B) }",
        "macro_rules! m { () => { $crate::b::B } }",
        "#[arg(value_parser = crate::b::B)] struct S;",
        "#[serde(with = \"crate::b::B\")] struct S;",
        "crate::b::B!();",
    ] {
        let a = format!("pub(crate) struct A;\n{text}");
        let files = [
            ("src/lib.rs", "mod a;\nmod b;"),
            ("src/a.rs", a.as_str()),
            ("src/b.rs", "use crate::a::A;\nstruct B(A);"),
        ];
        assert_eq!(circles(&files), ["src/a.rs -> src/b.rs: B", "src/b.rs -> src/a.rs: A"], "{text}");
    }
}

#[test]
fn names_that_a_macro_defines_are_in_the_file_that_calls_it() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;"),
        ("src/a.rs", "use crate::b::FIGURE;\npub(crate) static A: u8 = FIGURE;"),
        (
            "src/b.rs",
            "macro_rules! figures { ($name:ident) => { pub(crate) static $name: u8 = 1; } }\nfigures!(FIGURE);\nfn f() -> u8 { crate::a::A }",
        ),
    ];
    assert_eq!(circles(&files), ["src/a.rs -> src/b.rs: FIGURE", "src/b.rs -> src/a.rs: A"]);
}

#[test]
fn macros_are_found_where_they_are_defined() {
    for call in ["shout!()", "crate::shout!()"] {
        let b = format!("pub(crate) fn b() {{ {call} }}");
        let files = [
            ("src/lib.rs", "#[macro_use]\nmod a;\nmod b;"),
            ("src/a.rs", "#[macro_export]\nmacro_rules! shout { () => {} }\nfn a() { crate::b::b() }"),
            ("src/b.rs", b.as_str()),
        ];
        assert_eq!(circles(&files), ["src/a.rs -> src/b.rs: b", "src/b.rs -> src/a.rs: shout"], "{call}");
    }
}

#[test]
fn tests_do_not_count() {
    let files = [
        ("src/lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;"),
        ("src/a.rs", "use crate::b::b;\npub(crate) fn a() { b() }"),
        (
            "src/b.rs",
            "pub(crate) fn b() {}\n#[cfg(test)]\nuse crate::a::a;\n#[cfg(all(test, unix))]\nmod tests { use crate::a::a; }\n#[test]\nfn t() { crate::a::a() }",
        ),
        ("src/tests.rs", "this is not read"),
        ("tests/api.rs", "mod c;\npub fn helper() {}"),
        ("tests/c.rs", "use super::helper;"),
    ];
    assert_eq!(circles(&files), [] as [&str; 0]);
}

#[test]
fn files_named_by_an_attribute_are_read() {
    let files = [
        ("src/lib.rs", "mod a;\nmod inline { #[path = \"elsewhere.rs\"] pub(crate) mod b; }\nmod old;"),
        ("src/a.rs", "#[path = \"other/place.rs\"] mod c;\npub(crate) struct A(crate::inline::b::B, c::C);"),
        ("src/inline/elsewhere.rs", "pub(crate) struct B(crate::a::A);"),
        ("src/other/place.rs", "mod beside;\npub(super) struct C(super::A);"),
        ("src/other/beside.rs", ""),
        ("src/old/mod.rs", "mod within;"),
        ("src/old/within.rs", ""),
    ];
    let expected = [
        "src/a.rs -> src/inline/elsewhere.rs: B",
        "src/inline/elsewhere.rs -> src/a.rs: A",
        "src/a.rs -> src/other/place.rs: C",
        "src/other/place.rs -> src/a.rs: A",
    ];
    assert_eq!(circles(&files), expected);
}

#[test]
fn a_program_uses_its_library_by_name() {
    let files = [
        ("src/lib.rs", "pub fn run() {}"),
        ("src/main.rs", "mod a;\nuse some_crate::run;\nfn main() { run() }\nfn f() -> a::A { a::A }\nstruct S;"),
        ("src/a.rs", "pub(crate) struct A;\nfn f(_: crate::S) { some_crate::run() }"),
    ];
    assert_eq!(circles(&files), ["src/a.rs -> src/main.rs: S", "src/main.rs -> src/a.rs: A"]);
}

#[test]
fn what_another_crate_defines_is_nobodys_import() {
    let files = [
        ("src/lib.rs", "mod child;\nuse std::fmt::Debug;\nuse std::io::*;\nfn f(_: child::C) {}"),
        ("src/child.rs", "use super::{Debug, Read};\npub(crate) struct C(Box<dyn Debug>, Box<dyn Read>);"),
    ];
    assert_eq!(circles(&files), [] as [&str; 0]);
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let package = Package::new(&[("src/lib.rs", "mod absent;")]);
    let error = format!("{:#}", check(&package.0).unwrap_err());
    assert!(error.contains("`mod absent;`") && error.contains("src/absent.rs"), "{error}");
    let package = Package::new(&[("src/lib.rs", "mod a; fn")]);
    let error = format!("{:#}", check(&package.0).unwrap_err());
    assert!(error.contains("src/lib.rs"), "{error}");
}
