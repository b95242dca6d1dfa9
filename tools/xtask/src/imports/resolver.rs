//! The file that defines a name.

use std::path::PathBuf;

use super::module::{Binding, Id, Module, Modules};

/// The target of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Module(Id),
    Item {
        file: PathBuf,
        name: String,
    },
    /// Something of another crate.
    External,
}

/// Follows paths through modules and re-exports.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    modules: &'a Modules,
    /// The names that are being looked up, since re-exports may lead back to their beginning.
    pending: Vec<(Id, String)>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(modules: &'a Modules) -> Self {
        Self { modules, pending: Vec::new() }
    }

    /// Returns the targets of a path in a module: several, if a name stands for both a type and a function, say.
    pub(super) fn resolve(&mut self, from: Id, path: &[String]) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let module = &self.modules.list[from];
        match first.as_str() {
            "crate" => self.descend(vec![Target::Module(module.root)], rest),
            "self" => self.descend(vec![Target::Module(from)], rest),
            "super" => {
                let above = rest.iter().take_while(|segment| *segment == "super").count();
                let ancestor = (0..=above).try_fold(from, |id, _| self.modules.list[id].parent);
                self.descend(ancestor.map(Target::Module).into_iter().collect(), &rest[above..])
            }
            name => {
                let mut found = self.lookup(from, name);
                if found.is_empty() {
                    found.push(match &self.modules.library {
                        Some((library, root)) if library == name => Target::Module(*root),
                        _ => Target::External,
                    });
                }
                self.descend(found, rest)
            }
        }
    }

    /// Returns the macro of a name without a path: one that is in scope, or one that comes earlier in the text of the
    /// crate.
    pub(super) fn resolve_macro(&mut self, from: Id, name: &str) -> Vec<Target> {
        let found = self.lookup(from, name);
        if !found.is_empty() {
            return found;
        }
        let root = self.modules.list[from].root;
        let crate_modules = self.modules.list.iter().filter(|module| module.root == root);
        crate_modules
            .filter(|module| module.names.macro_rules.contains_key(name))
            .map(|module| item(module, name))
            .collect()
    }

    /// Follows the rest of a path. Anything after an item is a part of it: a variant, or a function of a type.
    fn descend(&mut self, targets: Vec<Target>, rest: &[String]) -> Vec<Target> {
        let Some((name, rest)) = rest.split_first() else { return targets };
        let mut found = Vec::new();
        for target in targets {
            match target {
                Target::Module(id) => {
                    let mut inside = self.lookup(id, name);
                    if inside.is_empty() {
                        inside.push(Target::Item { file: self.hiding_place(id), name: name.clone() });
                    }
                    found.extend(self.descend(inside, rest));
                }
                item => found.push(item),
            }
        }
        found
    }

    /// Returns the meanings of a name in a module; none, if the module does not have it.
    fn lookup(&mut self, id: Id, name: &str) -> Vec<Target> {
        let pending = (id, name.to_owned());
        if self.pending.contains(&pending) {
            return Vec::new();
        }
        self.pending.push(pending);
        let modules = self.modules;
        let module = &modules.list[id];
        let mut found: Vec<_> = module.children.get(name).map(|&child| Target::Module(child)).into_iter().collect();
        if module.names.items.contains(name) || module.names.macro_rules.contains_key(name) {
            found.push(item(module, name));
        }
        if module.root == id {
            let exports = |module: &&Module| module.names.macro_rules.get(name) == Some(&true);
            found.extend(
                modules.list.iter().filter(|module| module.root == id).filter(exports).map(|module| item(module, name)),
            );
        }
        for import in &module.names.imports {
            if matches!(&import.binding, Binding::Name(binding) if binding == name) {
                found.extend(self.resolve(id, &import.path));
            }
        }
        if found.is_empty() {
            found = self.lookup_in_globs(id, name);
        }
        self.pending.pop();
        found
    }

    /// Looks a name up in the modules from which everything is imported.
    fn lookup_in_globs(&mut self, id: Id, name: &str) -> Vec<Target> {
        let mut found = Vec::new();
        let mut elsewhere = false;
        for target in self.globs(id) {
            match target {
                Target::Module(module) => found.extend(self.lookup(module, name)),
                Target::Item { .. } => {}
                Target::External => elsewhere = true,
            }
        }
        if found.is_empty() && elsewhere {
            found.push(Target::External);
        }
        found
    }

    fn globs(&mut self, id: Id) -> Vec<Target> {
        let imports = self.modules.list[id].names.imports.iter().filter(|import| import.binding == Binding::Glob);
        imports.flat_map(|import| self.resolve(id, &import.path)).collect()
    }

    /// The file in which a macro may have defined a name that a path expects in a module: its own, or that of a module
    /// from which it re-exports everything.
    fn hiding_place(&mut self, id: Id) -> PathBuf {
        let offered = self.globs(id).into_iter().filter_map(|target| match target {
            Target::Module(module) => Some(module),
            Target::Item { .. } | Target::External => None,
        });
        let mut candidates = [id].into_iter().chain(offered);
        let place = candidates.find(|&id| self.modules.list[id].names.hidden_items).unwrap_or(id);
        self.modules.list[place].file.clone()
    }
}

fn item(module: &Module, name: &str) -> Target {
    Target::Item { file: module.file.clone(), name: name.to_owned() }
}
