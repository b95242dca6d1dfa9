//! The modules of a crate, from its files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use syn::{Expr, ExprLit, Item, ItemMod, Lit, Meta};

use super::{
    cfg::is_absent,
    module::{Id, Module, Modules},
    syntax,
};

impl Modules {
    /// Reads a crate from the file of its root, and every module that is declared in it. Returns the root.
    ///
    /// # Errors
    /// Fails when a file is missing, or cannot be parsed.
    pub(super) fn read_crate(&mut self, root: &Path) -> anyhow::Result<Id> {
        self.read_file(root, None, &Folder::of_root(root))
    }

    fn read_file(&mut self, file: &Path, parent: Option<Id>, folder: &Folder) -> anyhow::Result<Id> {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let syntax = syn::parse_file(&text).with_context(|| format!("parsing {}", file.display()))?;
        let items = if is_absent(&syntax.attrs) { &[][..] } else { &syntax.items };
        self.read_items(file, parent, folder, items)
    }

    fn read_items(&mut self, file: &Path, parent: Option<Id>, folder: &Folder, items: &[Item]) -> anyhow::Result<Id> {
        let (names, declared) = syntax::read(items);
        let id = self.list.len();
        let root = parent.map_or(id, |parent| self.list[parent].root);
        self.list.push(Module { file: file.to_owned(), parent, root, children: Default::default(), names });
        for module in declared {
            let name = module.ident.to_string().trim_start_matches("r#").to_owned();
            let child = match (&module.content, path_attribute(module)) {
                (Some((_, items)), path) => {
                    self.read_items(file, Some(id), &folder.inline(path.as_deref().unwrap_or(&name)), items)?
                }
                (None, Some(path)) => {
                    let file = folder.of_paths.join(path);
                    self.read_file(&file, Some(id), &Folder::of_root(&file))?
                }
                (None, None) => {
                    let (flat, nested) =
                        (folder.of_children.join(format!("{name}.rs")), folder.of_children.join(&name).join("mod.rs"));
                    if flat.is_file() {
                        self.read_file(&flat, Some(id), &Folder::of_leaf(&flat))?
                    } else if nested.is_file() {
                        self.read_file(&nested, Some(id), &Folder::of_root(&nested))?
                    } else {
                        bail!(
                            "{}: `mod {name};` has neither {} nor {}",
                            file.display(),
                            flat.display(),
                            nested.display()
                        )
                    }
                }
            };
            self.list[id].children.insert(name, child);
        }
        Ok(id)
    }
}

/// The folders in which the files of a module's children lie.
struct Folder {
    of_children: PathBuf,
    /// The folder from which a `#[path]` starts.
    of_paths: PathBuf,
}

impl Folder {
    /// For the root of a crate, for `mod.rs`, and for a file that a `#[path]` names: children lie beside it.
    fn of_root(file: &Path) -> Self {
        let beside = file.parent().unwrap_or(Path::new("")).to_owned();
        Self { of_children: beside.clone(), of_paths: beside }
    }

    /// For any other file: children lie in a folder of the same name.
    fn of_leaf(file: &Path) -> Self {
        Self { of_children: file.with_extension(""), ..Self::of_root(file) }
    }

    /// For a module within the file.
    fn inline(&self, name: &str) -> Self {
        let inside = self.of_children.join(name);
        Self { of_children: inside.clone(), of_paths: inside }
    }
}

fn path_attribute(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}
