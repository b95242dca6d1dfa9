//! Files that import each other.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write,
    path::{Path, PathBuf},
};

use super::graph::Graph;

/// A circle: each file imports the next one, and the last one the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Circle(Vec<PathBuf>);

impl Circle {
    /// Finds the shortest circle through each import that is part of one. The shortest of these come first.
    pub(super) fn all(graph: &Graph) -> Vec<Self> {
        let mut circles: Vec<_> =
            graph.edges().filter_map(|(file, import)| Self::through(graph, file, import)).collect();
        circles.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then_with(|| a.cmp(b)));
        circles.dedup();
        circles
    }

    /// The shortest circle through an import. It begins with the first of its files.
    fn through(graph: &Graph, file: &Path, import: &Path) -> Option<Self> {
        let mut came_from = BTreeMap::from([(import, file)]);
        let mut queue = VecDeque::from([import]);
        while let Some(reached) = queue.pop_front() {
            for next in graph.imports(reached) {
                if next == file {
                    let steps = std::iter::successors(Some(reached), |step| came_from.get(step).copied());
                    let mut files: Vec<_> = steps.take_while(|step| *step != file).map(Path::to_owned).collect();
                    files.push(file.to_owned());
                    files.reverse();
                    let first = (0..files.len()).min_by_key(|&place| &files[place]).unwrap_or_default();
                    files.rotate_left(first);
                    return Some(Self(files));
                }
                came_from.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    reached
                });
            }
        }
        None
    }

    fn edges(&self) -> impl Iterator<Item = (&Path, &Path)> {
        let next = self.0.iter().cycle().skip(1);
        self.0.iter().zip(next).map(|(file, import)| (file.as_path(), import.as_path()))
    }

    /// A line for each of its imports, with the names that it consists of. Paths are shown from `root`.
    pub(super) fn lines(&self, graph: &Graph, root: &Path) -> String {
        let mut lines = String::new();
        for (file, import) in self.edges() {
            let names = graph.names(file, import).collect::<Vec<_>>().join(", ");
            let [file, import] = [file, import].map(|path| path.strip_prefix(root).unwrap_or(path).display());
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "  {file} -> {import}: {names}");
        }
        lines
    }
}
