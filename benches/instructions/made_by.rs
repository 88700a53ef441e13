use std::path::Path;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What counts depend on beside the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeBy {
    /// The compiler, as it calls itself.
    pub(crate) rustc: String,
    /// The cargo profile, which is the name of the folder that the program is in.
    pub(crate) profile: String,
    /// The processor model, which decides what memcpy and the like choose.
    pub(crate) processor: String,
    /// The C library, whose memcpy and malloc are counted too.
    pub(crate) libc: String,
    /// valgrind, as it calls itself.
    pub(crate) valgrind: String,
}

impl MadeBy {
    /// What counts here, with `valgrind`, by `program`.
    ///
    /// # Errors
    /// If the compiler does not say its version.
    pub(crate) fn here(program: &Path, valgrind: String) -> Result<Self> {
        let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let rustc = Command::new(&compiler)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot ask {} for its version", compiler.display()))?;
        let folder = program.parent().and_then(Path::file_name).unwrap_or_default();
        Ok(Self {
            rustc: String::from_utf8_lossy(&rustc.stdout).trim().to_owned(),
            profile: folder.to_string_lossy().into_owned(),
            processor: processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            libc: libc(),
            valgrind,
        })
    }

    /// What differs and changes counts a little, for people.
    pub(crate) fn differences(&self, here: &Self) -> Vec<String> {
        let fields = [
            ("processor", &self.processor, &here.processor),
            ("libc", &self.libc, &here.libc),
            ("valgrind", &self.valgrind, &here.valgrind),
        ];
        let different = fields.into_iter().filter(|(_, theirs, ours)| theirs != ours);
        different
            .map(|(name, theirs, ours)| format!("{name} is {ours}; the baseline is by {theirs}"))
            .collect()
    }
}

/// The first `model name` of a `/proc/cpuinfo`, or the architecture.
fn processor(cpuinfo: &str) -> String {
    let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let model = lines.find(|(key, _)| key.trim() == "model name");
    model.map_or(env::consts::ARCH, |(_, name)| name.trim()).to_owned()
}

fn libc() -> String {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{MadeBy, processor};

    pub(crate) fn somewhere() -> MadeBy {
        MadeBy {
            rustc: "rustc 1.95.0".to_owned(),
            profile: "release".to_owned(),
            processor: "Some Processor".to_owned(),
            libc: "glibc 2.36".to_owned(),
            valgrind: "valgrind-3.19.0".to_owned(),
        }
    }

    #[test]
    fn the_processor_is_the_first_model_name() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Some Processor @ 2 GHz\n\n\
                       processor\t: 1\nmodel name\t: Another\n";
        assert_eq!(processor(cpuinfo), "Some Processor @ 2 GHz");
    }

    #[test]
    fn a_processor_without_a_name_is_its_architecture() {
        assert_eq!(processor("processor\t: 0\n"), std::env::consts::ARCH);
    }

    #[test]
    fn only_what_differs_is_told() {
        let other = MadeBy { libc: "glibc 2.41".to_owned(), ..somewhere() };
        let told = somewhere().differences(&other);
        assert_eq!(told, ["libc is glibc 2.41; the baseline is by glibc 2.36"]);
        assert_eq!(somewhere().differences(&somewhere()), [""; 0]);
    }
}
