//! The names of one module, from its syntax.

use syn::{
    Attribute, Expr, ExprLit, Field, ImplItemFn, Item, ItemMod, ItemUse, Lit, Macro, Meta, Path, TraitItemFn, UseTree,
    VisRestricted, Visibility,
    visit::{self, Visit},
};

use super::{
    cfg::is_absent,
    module::{Binding, Import, Names, Segments},
    tokens,
};

/// Collects the names in `items`, and the modules that are declared among them.
pub(super) fn read(items: &[Item]) -> (Names, Vec<&ItemMod>) {
    let mut reading = Reading::default();
    for item in items {
        reading.names.hidden_items |= matches!(item, Item::Macro(call) if call.ident.is_none());
        reading.visit_item(item);
    }
    (reading.names, reading.modules)
}

#[derive(Default)]
struct Reading<'ast> {
    names: Names,
    modules: Vec<&'ast ItemMod>,
}

impl Reading<'_> {
    fn import(&mut self, prefix: &Segments, tree: &UseTree, reexport: bool) {
        let joined = |name: String| prefix.iter().cloned().chain([name]).collect::<Segments>();
        let (path, binding) = match tree {
            UseTree::Path(path) => return self.import(&joined(text(&path.ident)), &path.tree, reexport),
            UseTree::Group(group) => return group.items.iter().for_each(|tree| self.import(prefix, tree, reexport)),
            UseTree::Glob(_) => (prefix.clone(), Binding::Glob),
            UseTree::Name(name) if name.ident == "self" => {
                let Some(last) = prefix.last() else { return };
                (prefix.clone(), Binding::Name(last.clone()))
            }
            UseTree::Name(name) => (joined(text(&name.ident)), Binding::Name(text(&name.ident))),
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { prefix.clone() } else { joined(text(&rename.ident)) };
                let binding = match text(&rename.rename) {
                    nameless if nameless == "_" => Binding::Nameless,
                    name => Binding::Name(name),
                };
                (path, binding)
            }
        };
        self.names.imports.push(Import { path, binding, reexport });
    }

    fn define(&mut self, item: &Item) {
        let ident = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::TraitAlias(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Macro(item) => {
                if let Some(ident) = &item.ident {
                    let exported = item.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"));
                    self.names.macro_rules.insert(text(ident), exported);
                }
                return;
            }
            _ => return,
        };
        self.names.items.insert(text(ident));
    }
}

impl<'ast> Visit<'ast> for Reading<'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_absent(attributes(item)) {
            self.define(item);
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_absent(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if !is_absent(&item.attrs) {
            visit::visit_trait_item_fn(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_absent(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    /// The items of another module are not among the names of this one.
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.modules.push(module);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // A path that begins with `::` leads to another crate.
        if item.leading_colon.is_none() {
            self.import(&Segments::new(), &item.tree, !matches!(item.vis, Visibility::Inherited));
        }
    }

    /// The path in `pub(in path)` is no use of anything.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.names.paths.insert(path.segments.iter().map(|segment| text(&segment.ident)).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        if let Some(name) = call.path.get_ident() {
            self.names.macro_calls.insert(text(name));
        } else {
            self.visit_path(&call.path);
        }
        self.names.paths.extend(tokens::paths(call.tokens.clone()));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => {
                self.names.paths.extend(tokens::paths(list.tokens.clone()));
                // `#[serde(with = "path")]`
                if list.path.is_ident("serde") {
                    self.names.paths.extend(quoted_paths(list.tokens.clone()));
                }
            }
            Meta::NameValue(pair) if !pair.path.is_ident("doc") => self.visit_expr(&pair.value),
            Meta::NameValue(_) | Meta::Path(_) => {}
        }
    }
}

/// The string literals that are paths.
fn quoted_paths(tokens: proc_macro2::TokenStream) -> Vec<Segments> {
    let literals = tokens.into_iter().filter_map(|token| syn::parse2::<Expr>(token.into()).ok());
    let paths = literals.filter_map(|literal| match literal {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.parse::<Path>().ok(),
        _ => None,
    });
    paths.map(|path| path.segments.iter().map(|segment| text(&segment.ident)).collect()).collect()
}

fn text(ident: &proc_macro2::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
