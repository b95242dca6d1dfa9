//! The graph of files that import each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    module::{Binding, Id, Modules},
    resolver::{Resolver, Target},
};

/// Files, the files that each of them imports, and the names that it imports from there.
#[derive(Debug, Default)]
pub(super) struct Graph(BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>);

impl Graph {
    /// Adds the files of a package.
    pub(super) fn add(&mut self, modules: &Modules) {
        let mut resolver = Resolver::new(modules);
        for (id, module) in modules.list.iter().enumerate() {
            self.0.entry(module.file.clone()).or_default();
            // A file does not need the names that it re-exports.
            for import in module.names.imports.iter().filter(|import| !import.reexport) {
                for target in resolver.resolve(id, &import.path) {
                    match target {
                        Target::Module(from) if import.binding == Binding::Glob => self.import_all(modules, id, from),
                        target => self.import(&module.file, target),
                    }
                }
            }
            for path in &module.names.paths {
                resolver.resolve(id, path).into_iter().for_each(|target| self.import(&module.file, target));
            }
            for name in &module.names.macro_calls {
                resolver.resolve_macro(id, name).into_iter().for_each(|target| self.import(&module.file, target));
            }
        }
    }

    /// A module alone is no import: the names that are used of it are in paths of their own.
    fn import(&mut self, file: &Path, target: Target) {
        if let Target::Item { file: from, name } = target
            && from != file
        {
            self.0.entry(file.to_owned()).or_default().entry(from).or_default().insert(name);
        }
    }

    /// If a module defines nothing itself, only the names that are used count.
    fn import_all(&mut self, modules: &Modules, id: Id, from: Id) {
        let (module, from) = (&modules.list[id], &modules.list[from]);
        if from.names.hidden_items || !from.names.items.is_empty() {
            self.import(&module.file, Target::Item { file: from.file.clone(), name: "*".to_owned() });
        }
    }

    pub(super) fn files(&self) -> usize {
        self.0.len()
    }

    /// Every pair of a file and one that it imports.
    pub(super) fn edges(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.0.iter().flat_map(|(file, imports)| imports.keys().map(|import| (file.as_path(), import.as_path())))
    }

    pub(super) fn imports(&self, file: &Path) -> impl Iterator<Item = &Path> {
        self.0.get(file).into_iter().flat_map(|imports| imports.keys().map(PathBuf::as_path))
    }

    /// The names that `file` imports from `from`.
    pub(super) fn names(&self, file: &Path, from: &Path) -> impl Iterator<Item = &str> {
        let names = self.0.get(file).and_then(|imports| imports.get(from));
        names.into_iter().flat_map(|names| names.iter().map(String::as_str))
    }
}
