//! The page at `/`, which the services make of one template.

const TEMPLATE: &str = include_str!("../../assets/index.html");

/// The parts of the page that differ from service to service.
#[derive(Debug, Clone, Copy)]
pub struct IndexPage {
    /// The name of the method in the page's texts: `ws`, `poll` or `sse`.
    pub method: &'static str,
    /// The port in the commands that the page shows.
    pub port: &'static str,
    /// HTML for one more card beside the terminal's.
    pub card: &'static str,
    /// HTML for the commands of the method.
    pub commands: &'static str,
}

impl IndexPage {
    /// Fills the template.
    pub fn html(&self) -> String {
        let parts = [
            ("{{method}}", self.method),
            ("{{port}}", self.port),
            ("{{card}}\n", self.card),
            ("{{commands}}\n", self.commands),
        ];
        parts.into_iter().fold(TEMPLATE.to_owned(), |page, (placeholder, part)| page.replace(placeholder, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place_and_no_placeholder_is_left() {
        let parts = ["the method", "the port", "the card\n", "the commands\n"];
        let [method, port, card, commands] = parts;
        let html = IndexPage { method, port, card, commands }.html();
        assert!(parts.iter().all(|part| html.contains(part)));
        assert!(!html.contains("{{") && !html.contains("}}"), "{html}");
    }
}
