//! `foreword init`: a folder to begin with. What is there is never written over.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::Exit;
use super::arguments::Init;
use super::print::{err, out};

/// The line of the project's own configuration that names its own brands. A new folder has one brand.
const OWN_BRANDS: &str = "default_brands = [\"docarray\", \"jina-ai\"]";

/// The files of a new folder: the project's own defaults, and an example brand.
const FILES: &[(&str, &str)] = &[
    ("foreword.toml", include_str!("../../foreword.toml")),
    ("prompts/pairs.md", include_str!("../../prompts/pairs.md")),
    ("prompts/message.md", include_str!("../../prompts/message.md")),
    ("prompts/inline.md", include_str!("../../prompts/inline.md")),
    ("prompts/lead.md", include_str!("../../prompts/lead.md")),
    ("knowledge/acme/brand.toml", include_str!("template/brand.toml")),
    ("knowledge/acme/products.md", include_str!("template/products.md")),
];

pub(super) fn run(init: &Init) -> Exit {
    for (name, text) in FILES {
        let path = init.folder.join(name);
        match write_new(&path, &text.replace(OWN_BRANDS, "# default_brands = []")) {
            Ok(true) => out(&format!("wrote  {}\n", path.display())),
            Ok(false) => out(&format!("kept   {}\n", path.display())),
            Err(error) => {
                err(&format!("foreword: {} cannot be written: {error}\n", path.display()));
                return Exit::Runtime;
            }
        }
    }
    out(&format!(
        "\nNext:\n  cd {}\n  foreword check\n  foreword explain \"Which anvil is light enough to carry?\"\n  \
         foreword serve --upstream http://127.0.0.1:11434/v1\n",
        init.folder.display()
    ));
    Exit::Success
}

/// `false`: it was there.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::File::create_new(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
