//! The real binary as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::proxy::Site;

/// The command in a folder, with nothing of this process's environment but the path.
pub fn foreword(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreword"));
    command.current_dir(folder).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command
}

/// A running `foreword serve`, killed at the end.
pub struct Serving {
    pub child: Child,
    /// What it printed before it was ready.
    pub banner: String,
    pub rest: BufReader<std::process::ChildStdout>,
}

impl Serving {
    pub fn start(site: &Site, arguments: &[&str]) -> Serving {
        Serving::start_with(site, arguments, &[], "http://127.0.0.1:1/v1")
    }

    pub fn start_with(
        site: &Site,
        arguments: &[&str],
        variables: &[(&str, &str)],
        upstream: &str,
    ) -> Serving {
        let all = [
            &["serve", "--upstream", upstream, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
            arguments,
        ]
        .concat();
        let mut child = foreword(site.folder.path(), &all)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("Stop with") {
            assert!(rest.read_line(&mut banner).unwrap() > 0, "it ended: {banner}");
        }
        Serving { child, banner, rest }
    }

    /// Where it serves clients.
    pub fn address(&self) -> String {
        let rest = self.banner.split("listening on http://").nth(1).unwrap();
        rest.lines().next().unwrap().to_owned()
    }

    /// Where it serves its operator.
    pub fn admin(&self) -> String {
        let rest = self.banner.split("admin on http://").nth(1).unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
