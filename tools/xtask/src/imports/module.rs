//! A module with the names that it defines, imports and uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// The segments of a path: `crate::hub::Hub` has three.
pub(super) type Segments = Vec<String>;

/// The index of a module in [`Modules`].
pub(super) type Id = usize;

/// A module, whether it has a file of its own or lies in its parent's.
#[derive(Debug)]
pub(super) struct Module {
    /// The file that holds its items.
    pub(super) file: PathBuf,
    /// `None` for the root of a crate.
    pub(super) parent: Option<Id>,
    /// The root of its crate.
    pub(super) root: Id,
    pub(super) children: BTreeMap<String, Id>,
    pub(super) names: Names,
}

/// The names in a module's own items.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The items that are defined here.
    pub(super) items: BTreeSet<String>,
    /// The macros that are defined here by `macro_rules!`; `true` for those that are exported.
    pub(super) macro_rules: BTreeMap<String, bool>,
    /// A macro is called in the place of an item, so there may be items that the syntax does not show.
    pub(super) hidden_items: bool,
    pub(super) imports: Vec<Import>,
    /// The paths in code, including the arguments of macros.
    pub(super) paths: BTreeSet<Segments>,
    /// The macros that are called by their name alone.
    pub(super) macro_calls: BTreeSet<String>,
}

/// One name of a `use`.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) path: Segments,
    pub(super) binding: Binding,
    /// It has a visibility of its own (`pub use`), and so offers the name to others.
    pub(super) reexport: bool,
}

/// The name in this module of something imported.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Binding {
    Name(String),
    /// `as _`
    Nameless,
    /// `*`
    Glob,
}

/// The modules of one package: those of its library, and those of its programs.
#[derive(Debug, Default)]
pub(super) struct Modules {
    pub(super) list: Vec<Module>,
    /// The library's name and root.
    pub(super) library: Option<(String, Id)>,
}
